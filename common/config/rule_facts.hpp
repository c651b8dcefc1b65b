// What the settings of listeners and vhosts amount to, for the rules about options
// (common/config/option_rules.hpp) and for the broker. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/config/settings.hpp"

namespace mpb {

inline constexpr std::string_view kRtmp = "rtmp";
inline constexpr std::string_view kEveryKey = "*";

/// Settings as rules look at them, together with what holds for all of them.
class RuleFacts {
 public:
  explicit RuleFacts(const Settings& settings);

  const Settings& settings;
  bool own_program = false;  // knows names that nobody else does, and what to do with vhosts
  bool rtmp = false;         // some listener speaks it; likewise:
  bool relays = false;
  bool forwards = false;
  bool keys = false;              // its clients' keys have owners
  bool isolates_keys = false;     // each has a process of its own
  bool sources = false;           // its clients have addresses
  bool behind_proxy = false;      // these are a proxy's
  bool relays_unix = false;       // to clients that have no address
  bool rules_by_address = false;  // of some vhost
  struct Address {
    std::string address;
    bool forwards = false;  // unless a vhost says otherwise
  };
  std::vector<Address> rtmp_listeners;
};

bool relays(const ListenerSettings& listener);
bool forwards(const ListenerSettings& listener);
/// Whether who connects to `upstream` comes to a listener of `listen`.
bool meets(std::string_view listen, std::string_view upstream);
bool is_unix(const ListenerSettings& listener);
/// Its protocol is one of mpworker's whose clients say whom they belong to.
bool names_keys(const ListenerSettings& listener);
/// Its clients belong to nobody: who forwards looks at no stream's name.
bool keyless(const ListenerSettings& listener, const Settings& settings);
/// Of mpworker; a worker program of the operator's own may make something else of it.
bool is_known(const ListenerSettings& listener);
bool limits_addresses(const AccessRules& rules);
bool has_all(const std::vector<Network>& networks);
bool has_all_of_ipv4(const Network& network);
bool asks_hooks(const HookSettings& hooks);
bool tells_hooks(const HookSettings& hooks);
/// Whether a client could have this key, as far as its protocol is known here.
bool may_occur(const ListenerSettings& listener, std::string_view key);

}  // namespace mpb
