// The vhosts as they are configured and as the operator has changed them since, and as the workers
// are told of them. The broker itself makes no use of them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/error.hpp"
#include "common/option_rules.hpp"
#include "common/settings.hpp"

namespace mpb {

class VhostSet {
 public:
  /// Those of a configuration, which has been checked. What the operator has changed before is
  /// gone. False: nothing is different, and no worker need be told.
  bool replace(std::vector<VhostSettings> vhosts);

  /// Gives the keys `unset` of a vhost their defaults, then sets "KEY=VALUE" texts. It is made if
  /// it is not there. An error has changed nothing. `settings` are those of the broker, for what
  /// must hold between the two, and what there is to warn of.
  Result<std::vector<Warning>> change(std::string_view name,
                                      std::span<const std::string> assignments,
                                      std::span<const std::string> unset,
                                      const Settings& settings);
  Status remove(std::string_view name, const Settings& settings);

  [[nodiscard]] bool empty() const { return vhosts_.empty(); }
  /// See channel::Vhosts.
  [[nodiscard]] const std::vector<std::string>& texts() const { return texts_; }

 private:
  using Vhosts = std::vector<VhostSettings>;

  Vhosts::iterator find(std::string_view name);
  /// Whether the vhosts may be as they are; if so, they are put into words.
  Status accept(const Settings& settings);

  Vhosts vhosts_;
  std::vector<std::string> texts_;
};

}  // namespace mpb
