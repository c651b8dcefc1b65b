#include "worker/tables/worker_tables.hpp"

#include <gtest/gtest.h>

#include "proto/channel/encode.hpp"
#include "proto/channel/message.hpp"

namespace mpb {
namespace {

using Kind = channel::TableOperation::Kind;

std::string change(std::uint64_t version, std::string_view key, std::string_view value,
                   std::string_view table = "t") {
  std::string bytes;
  channel::append_change(bytes, {version, value == "-", table, key, value == "-" ? "" : value});
  return bytes;
}

class WorkerTablesTest : public testing::Test {
 protected:
  void join() {
    tables.join_broker([this](std::string_view datagram) { sent.emplace_back(datagram); });
    tables.on_tables({3, 2, 0, {}});
    tables.begin();
  }
  channel::TableOperation operation(std::size_t index) {
    return std::get<channel::TableOperation>(*channel::decode(sent.at(index)));
  }
  void answer(std::uint64_t operation, TableOutcome outcome, std::uint64_t version) {
    const channel::TableResult result{
        operation, version, 0, static_cast<std::uint8_t>(outcome), {}};
    tables.on_results({channel::List<channel::TableResult>(std::span(&result, 1))});
  }
  static std::string text(const std::optional<TableValue>& value) {
    return value ? std::string(value->value) + "@" + std::to_string(value->version) : "none";
  }
  TableDone noting() {
    return [this](const TableResult& result) {
      results += std::string(to_string(result.outcome)) + std::to_string(result.version) + " ";
    };
  }

  EventLoop loop;
  WorkerTables tables{loop};
  std::vector<std::string> sent;
  std::string results;
};

TEST_F(WorkerTablesTest, ReadsWhatTheBrokerHasTold) {
  join();
  const SharedMap& table = tables.map("t");
  EXPECT_EQ(table.size(), 0U);
  tables.on_changes({change(1, "a", "x") + change(2, "b", "y") + change(3, "a", "-")});
  EXPECT_EQ(text(table.get("a")), "none");
  EXPECT_EQ(text(table.get("b")), "y@2");
  EXPECT_EQ(table.size(), 1U);
  tables.on_changes({change(2, "b", "old")});
  EXPECT_EQ(text(table.get("b")), "y@2") << "which a copy had already";
}

TEST_F(WorkerTablesTest, ACopyInPartsHoldsWithItsLast) {
  join();
  const SharedMap& table = tables.map("t");
  tables.on_changes({change(1, "old", "x")});
  const std::string first = change(2, "a", "1");
  const std::string last = change(3, "b", "2") + change(4, "c", "3", "u");
  tables.on_tables({channel::Tables::kFirst, 2, 4, first});
  EXPECT_EQ(text(table.get("old")), "x@1");
  tables.on_tables({channel::Tables::kLast, 2, 4, last});
  EXPECT_EQ(text(table.get("old")), "none");
  EXPECT_EQ(text(table.get("a")), "1@2");
  EXPECT_EQ(text(tables.map("u").get("c")), "3@4");
}

TEST_F(WorkerTablesTest, WatchesAreToldInOrderOfACopyWhatIsDifferent) {
  join();
  SharedMap& table = tables.map("t");
  std::string told;
  auto watch = table.watch("s", [&](const TableEvent& event) {
    told += std::string(event.key) + "=" + text(event.now) + " ";
  });
  tables.on_changes({change(1, "s1", "x") + change(2, "other", "y") + change(3, "s2", "z")});
  EXPECT_EQ(told, "s1=x@1 s2=z@3 ");
  told.clear();
  const std::string copy = change(3, "s2", "z") + change(7, "s3", "n") + change(5, "s4", "m");
  tables.on_tables({3, 2, 7, copy});
  EXPECT_EQ(told, "s1=none s4=m@5 s3=n@7 ");
  watch.reset();
  told.clear();
  tables.on_changes({change(8, "s1", "x")});
  EXPECT_EQ(told, "");
}

TEST_F(WorkerTablesTest, OperationsWaitForTheWindow) {
  SharedMap& table = tables.map("t");
  table.put("a", "1", SharedMap::Ttl{5}, noting());
  table.erase("b", noting());
  table.add("c", -3, SharedMap::kForEver, noting());
  EXPECT_TRUE(sent.empty()) << "before Ready";
  join();
  ASSERT_EQ(sent.size(), 2U) << "the window";
  EXPECT_EQ(operation(0).kind, Kind::kPut);
  EXPECT_EQ(operation(0).ttl_ms, 5U);
  EXPECT_EQ(operation(1).kind, Kind::kErase);
  answer(operation(0).operation, TableOutcome::kDone, 1);
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_EQ(static_cast<std::int64_t>(operation(2).amount), -3);
  answer(operation(1).operation, TableOutcome::kNotFound, 0);
  EXPECT_EQ(results, "done1 not-found0 ");
}

TEST_F(WorkerTablesTest, WithoutABrokerNothingIsAppliedAndThatIsSaid) {
  join();
  SharedMap& table = tables.map("t");
  table.put("a", "1", SharedMap::kForEver, noting());
  tables.abandon();
  table.put("b", "1", SharedMap::kForEver, noting());
  EXPECT_EQ(results, "") << "not from within";
  tables.end_turn();
  EXPECT_EQ(results, "unavailable0 unavailable0 ");
}

TEST_F(WorkerTablesTest, WithoutABrokerResultsDoNotWaitForAnotherEvent) {
  join();
  tables.map("t").put("a", "1", SharedMap::kForEver, noting());
  loop.at_turn_end([this] { tables.end_turn(); });
  loop.turn(Duration{0});
  tables.abandon();
  const TimePoint begin = Clock::now();
  loop.turn(Duration{60'000});
  EXPECT_EQ(results, "unavailable0 ");
  EXPECT_LT(Clock::now() - begin, Duration{50'000});
}

TEST_F(WorkerTablesTest, WhatNoTableTakesIsNotAskedFor) {
  join();
  tables.map("bad name").put("a", "1", SharedMap::kForEver, noting());
  tables.map("t").put("", "1", SharedMap::kForEver, noting());
  tables.map("t").put("a", std::string(4097, 'v'), SharedMap::kForEver, noting());
  tables.end_turn();
  EXPECT_EQ(results, "bad-name0 bad-key0 too-long0 ");
  EXPECT_TRUE(sent.empty());
}

TEST_F(WorkerTablesTest, TooManyWithoutAResultAreRefused) {
  SharedMap& table = tables.map("t");
  for (std::size_t i = 0; i < OperationQueue::kMost; ++i) table.erase("a");
  table.erase("a", noting());
  tables.end_turn();
  EXPECT_EQ(results, "busy0 ");
}

TEST_F(WorkerTablesTest, ASingleProcessHasTablesOfItsOwn) {
  tables.serve_alone();
  SharedMap& table = tables.map("t");
  table.put("a", "1", SharedMap::kForEver, noting());
  EXPECT_EQ(text(table.get("a")), "none") << "not from within";
  tables.end_turn();
  EXPECT_EQ(text(table.get("a")), "1@1");
  EXPECT_EQ(results, "done1 ");
  table.put("short", "2", SharedMap::Ttl{1});
  tables.end_turn();
  const TimePoint end = Clock::now() + Duration{40'000};
  while (table.get("short") && Clock::now() < end) {
    loop.turn(Duration{20});
    tables.end_turn();
  }
  EXPECT_FALSE(table.get("short"));
}

TEST_F(WorkerTablesTest, AddressesAreThoseOfDenyAndAllow) {
  join();
  const AddressLists& lists = tables.addresses();
  const auto refused = [&](const char* address) { return lists.refuses(address_in(address)); };
  EXPECT_TRUE(lists.empty());
  tables.on_changes({change(1, "192.0.2.0/24", "", "deny")});
  EXPECT_FALSE(lists.empty());
  EXPECT_TRUE(refused("192.0.2.7"));
  EXPECT_FALSE(refused("192.0.3.7"));
  tables.on_changes({change(2, "192.0.0.0/16", "", "allow")});
  EXPECT_TRUE(refused("192.0.2.7")) << "denied wins";
  EXPECT_FALSE(refused("192.0.3.7"));
  EXPECT_TRUE(refused("198.51.100.1")) << "others than the allowed";
  EXPECT_FALSE(lists.refuses(std::nullopt)) << "a unix socket's peer";
  tables.on_changes(
      {change(3, "192.0.2.0/24", "-", "deny") + change(4, "192.0.0.0/16", "-", "allow")});
  EXPECT_TRUE(lists.empty());
}

}  // namespace
}  // namespace mpb
