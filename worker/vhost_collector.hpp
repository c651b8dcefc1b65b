// Puts the parts of a Vhosts message together.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/error.hpp"
#include "common/vhost_settings.hpp"
#include "proto/message.hpp"

namespace mpb {

class VhostCollector {
 public:
  using Vhosts = std::vector<VhostSettings>;
  /// The vhosts, once `part` completes them. An error means that this set cannot be used; what is
  /// left of it is skipped.
  Result<std::optional<Vhosts>> add(const channel::Vhosts& part);

 private:
  std::string text_;
  bool collecting_ = false;
};

}  // namespace mpb
