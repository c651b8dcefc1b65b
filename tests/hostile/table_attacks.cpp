#include "proto/channel/encode.hpp"
#include "tests/hostile/attack.hpp"

namespace mpb::hostile {
namespace {

using channel::TableOperation;

std::string operation(std::uint64_t id, std::string_view table, std::string_view key,
                      std::string_view value,
                      TableOperation::Kind kind = TableOperation::Kind::kPut) {
  std::string datagram;
  channel::encode(datagram, TableOperation{id, kind, 0, 0, 1, table, key, value});
  return datagram;
}

/// Before Ready or after it.
void ask(Rogue& rogue) {
  rogue.send(operation(1, "t", "a", "1"));
}

void ask_for_no_kind(Rogue& rogue) {
  rogue.send(operation(1, "t", "a", "1", static_cast<TableOperation::Kind>(5)));
}

void say_tables(Rogue& rogue) {
  std::string datagram;
  channel::encode(datagram, channel::Tables{3, 1, 1, {}});
  rogue.send(datagram);
}

void say_changes(Rogue& rogue) {
  std::string changes;
  channel::append_change(changes, {1, false, "deny", "all", {}});
  std::string datagram;
  channel::encode(datagram, channel::TableChanges{changes});
  rogue.send(datagram);
}

/// Without reading a result.
void ask_without_end(Rogue& rogue) {
  for (std::uint64_t i = 1; i < 1'000'000; ++i) {
    if (!rogue.send(operation(i, "t", "n", {}, TableOperation::Kind::kAdd))) return;
  }
}

/// What no table takes, each within the window.
void ask_for_nonsense(Rogue& rogue) {
  const std::string names[] = {"", "a b", std::string(65, 'n'), std::string(70'000, 'n'), "\xff\n"};
  for (const std::string& name : names) rogue.send(operation(1, name, "a", "1"));
  for (const std::string& key : {std::string(), std::string(256, 'k'), std::string(70'000, 'k')}) {
    rogue.send(operation(1, "t", key, "1"));
  }
  for (const std::size_t size : {4'097U, 90'000U}) {
    rogue.send(operation(1, "t", "a", std::string(size, 'v')));
  }
  for (const char* key : {"x", "10.0.0.0/99", "10.0.0.1/8"})
    rogue.send(operation(1, "deny", key, ""));
}

/// As much as goes in, and then as much again.
void fill_tables(Rogue& rogue) {
  const std::string value(4096, 'v');
  for (std::uint64_t i = 1; i < 10'000; ++i) {
    if (!rogue.send(operation(i, "t" + std::to_string(i % 70), std::to_string(i), value))) return;
    if (i % 100 != 0) continue;
    while (rogue.handle_one(0)) continue;
  }
}

constexpr Attack kAttacks[] = {
    {"operation-before-ready", Stage::kStarted, ask},
    {"operation-of-no-kind", Stage::kOnline, ask_for_no_kind},
    {"says-tables", Stage::kOnline, say_tables},
    {"says-table-changes", Stage::kOnline, say_changes},
    {"operations-without-end", Stage::kOnline, ask_without_end},
    {"operations-of-nonsense", Stage::kOnline, ask_for_nonsense},
    {"fill-tables", Stage::kOnline, fill_tables},
};

}  // namespace

std::span<const Attack> table_attacks() {
  return kAttacks;
}

}  // namespace mpb::hostile
