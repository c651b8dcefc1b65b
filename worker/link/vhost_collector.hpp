// Puts the parts of a Vhosts message together.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/error.hpp"
#include "common/config/vhost_settings.hpp"
#include "proto/channel/message.hpp"

namespace mpb {

/// What a worker was told of vhosts.
struct VhostNews {
  bool whole = true;  // `vhosts` are all there are; else those that are new or have changed
  std::vector<VhostSettings> vhosts;
  std::vector<std::string> removed;  // names; empty if whole
};

class VhostCollector {
 public:
  /// The news, once `part` completes them. An error means that they cannot be used; what is left of
  /// them is skipped.
  Result<std::optional<VhostNews>> add(const channel::Vhosts& part);
  /// What has begun is not completed.
  void forget() { collecting_ = false; }

 private:
  std::string text_;
  std::string removed_;
  bool collecting_ = false;
  bool whole_ = true;
};

}  // namespace mpb
