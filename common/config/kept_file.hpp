// A file that can be read again by a process that has become a user who may not open it.
#pragma once

#include <string>

#include "common/base/error.hpp"
#include "common/base/unique_fd.hpp"

namespace mpb {

class KeptFile {
 public:
  /// Opens the file; one that cannot be opened, or an empty path, is not kept.
  explicit KeptFile(std::string path);

  [[nodiscard]] const std::string& path() const { return path_; }
  /// Whether it is, as far as can be told, what has this path now.
  [[nodiscard]] bool is_current() const;
  /// -1: it is not kept.
  [[nodiscard]] int descriptor() const { return file_.get(); }

 private:
  std::string path_;
  UniqueFd file_;
};

}  // namespace mpb
