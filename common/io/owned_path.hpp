// The path of a unix socket that this process has made, told by device and inode from whatever else
// takes its place.
#pragma once

#include <sys/stat.h>

#include <string>
#include <utility>

#include "common/io/endpoint.hpp"

namespace mpb {

class OwnedPath {
 public:
  /// What is at `path` now was made by the caller. Empty: owns nothing.
  explicit OwnedPath(std::string path);
  OwnedPath(const OwnedPath&) = delete;
  OwnedPath& operator=(const OwnedPath&) = delete;
  /// Removes it, unless something else is there by now.
  ~OwnedPath();

  enum class State {
    kOurs,
    kGone,     // nothing is there
    kReplaced  // another server's, or no socket at all
  };
  [[nodiscard]] State state() const;

 private:
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

/// True when a socket at a unix path is served by nobody: a dead server left it behind. A file of
/// another kind refuses connections too, but is not ours to remove.
bool is_left_behind(const Endpoint& endpoint);

}  // namespace mpb
