#include "common/tables/table_rules.hpp"

#include <algorithm>
#include <array>

#include "common/config/vhost_values.hpp"

namespace mpb {
namespace {

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= channel::kMaxTableName &&
         name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
             std::string_view::npos;
}

constexpr std::array<std::string_view, 11> kOutcomeNames{
    "done",    "conflict", "not-found", "full",        "no-number", "bad-name",
    "bad-key", "too-long", "forbidden", "unavailable", "busy"};

}  // namespace

std::string_view to_string(TableOutcome outcome) {
  const auto index = static_cast<std::size_t>(outcome);
  return index < kOutcomeNames.size() ? kOutcomeNames[index] : "unknown";
}

std::optional<TableOutcome> objection_to(const channel::TableOperation& operation) {
  if (!is_name(operation.table)) return TableOutcome::kBadName;
  if (operation.key.empty() || operation.key.size() > channel::kMaxTableKey) {
    return TableOutcome::kBadKey;
  }
  if (operation.value.size() > channel::kMaxTableValue) return TableOutcome::kTooLong;
  return std::nullopt;
}

std::optional<Network> network_of(std::string_view key) {
  const auto network = read_network(key);
  if (!network) return std::nullopt;
  return *network;
}

std::optional<std::string> network_key(std::string_view text) {
  const auto network = network_of(text);
  if (!network) return std::nullopt;
  return format_network(*network);
}

}  // namespace mpb
