// Options that were written and endanger, mislead or do nothing beside the other settings. Pure:
// one table of rules, each an entry about one option.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/settings.hpp"

namespace mpb {

enum class Gravity : std::uint8_t {
  kDanger,    // an error: what it should protect is open, or data would be misread
  kDoubtful,  // a warning: it works, but hardly as it was meant
  kIdle,      // a warning: it does nothing
};

struct Finding {
  Gravity gravity = Gravity::kIdle;
  std::string_view why;  // static
};

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

/// An option that was written with another value than its default. `listener` and `vhost` are there
/// for options of theirs.
struct WrittenOption {
  std::string_view name;
  std::string_view value;
  const ListenerSettings* listener = nullptr;
  const VhostSettings* vhost = nullptr;
};

/// The gravest of what there is to say of it; nullptr: nothing.
const Finding* judge(const WrittenOption& option, const RuleFacts& facts);

/// Of a vhost whatever it sets; nullptr: nothing.
const Finding* judge_vhosts(const RuleFacts& facts);

/// A warning about an option.
struct Warning {
  std::string option;  // where it was written, and what; without secrets
  std::string why;
  Gravity gravity = Gravity::kIdle;
  [[nodiscard]] std::string text() const { return option.empty() ? why : option + ": " + why; }
  friend bool operator==(const Warning&, const Warning&) = default;
};

}  // namespace mpb
