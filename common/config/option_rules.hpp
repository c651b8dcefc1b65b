// Options that were written and endanger, mislead or do nothing beside the other settings. Pure:
// one table of rules, each an entry about one option.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/rule_facts.hpp"
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

/// An option that was written with another value than its default. `listener`, `vhost` and `key`
/// are there for options of theirs.
struct WrittenOption {
  std::string_view name;
  std::string_view value;
  const ListenerSettings* listener = nullptr;
  const VhostSettings* vhost = nullptr;
  const KeySettings* key = nullptr;
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
