// A file in memory of fixed size, which the holder of descriptors keeps: what is written there is
// there for the next broker, at whichever instruction this one is killed.
#pragma once

#include <cstddef>
#include <span>

#include "common/base/error.hpp"
#include "common/base/unique_fd.hpp"

namespace mpb {

class KeptMemory {
 public:
  /// Most of it may never be touched, and takes no memory then.
  explicit KeptMemory(std::size_t size) : size_(size) {}
  KeptMemory(const KeptMemory&) = delete;
  KeptMemory& operator=(const KeptMemory&) = delete;
  ~KeptMemory();

  Status make(const char* name);
  /// One of a broker before this one. An error: it is no such file.
  Status open(UniqueFd file);

  [[nodiscard]] int descriptor() const { return file_.get(); }
  /// Empty: there is none.
  [[nodiscard]] std::span<std::byte> bytes() const { return memory_; }

 private:
  Status map();

  std::size_t size_;
  UniqueFd file_;
  std::span<std::byte> memory_;
};

}  // namespace mpb
