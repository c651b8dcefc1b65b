// What may stand in a shared table, and how much of it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "common/config/vhost_settings.hpp"
#include "mpbroker/shared.hpp"
#include "proto/channel/tables.hpp"

namespace mpb {

// Tables whose keys are networks: which clients workers take.
inline constexpr std::string_view kDenyTable = "deny";
inline constexpr std::string_view kAllowTable = "allow";

constexpr bool has_networks(std::string_view table) {
  return table == kDenyTable || table == kAllowTable;
}

struct TableLimits {
  std::size_t tables = 64;
  std::size_t entries = 100'000;  // of one table
  /// That all tables may cost, by cost_of(); each of those with networks has as much of its own,
  /// so that an operator can always deny.
  std::size_t bytes = 32UL * 1024 * 1024;
};

/// What an entry takes in memory: no less than it does in the broker, and about what it does in
/// each worker. A snapshot needs no more either.
inline constexpr std::size_t kEntryCost = 256;  // besides its texts
constexpr std::size_t cost_of(std::string_view table, std::string_view key, std::size_t value) {
  return kEntryCost + table.size() + key.size() + value;
}

/// Why it cannot be applied to any table; nothing: it can.
std::optional<TableOutcome> objection_to(const channel::TableOperation& operation);

/// "192.0.2.0/24", "2001:db8::1": the one way in which a network is written as a key. Nothing: the
/// text is none.
std::optional<std::string> network_key(std::string_view text);
/// Of a key that network_key() has made.
std::optional<Network> network_of(std::string_view key);

}  // namespace mpb
