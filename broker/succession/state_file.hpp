// The state of a broker as a file in memory of fixed size, which the holder of descriptors keeps:
// what is written there is there for the next broker, at whichever instruction this one is killed.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "broker/succession/state_pages.hpp"
#include "common/base/error.hpp"
#include "common/base/unique_fd.hpp"

namespace mpb {

class StateFile {
 public:
  StateFile() = default;
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;
  ~StateFile();

  Status make();
  /// One of a broker before this one. An error: it is no such file.
  Status open(UniqueFd file);
  [[nodiscard]] int descriptor() const { return file_.get(); }

  /// See StatePages.
  [[nodiscard]] std::optional<std::string_view> read() const;
  bool write(std::string_view text) { return pages_ && pages_->write(text); }

 private:
  Status map();

  UniqueFd file_;
  std::span<std::byte> memory_;
  std::optional<StatePages> pages_;
};

}  // namespace mpb
