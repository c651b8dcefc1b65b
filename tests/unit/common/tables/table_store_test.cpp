#include "common/tables/table_store.hpp"

#include <gtest/gtest.h>
#include <malloc.h>

#include <limits>

namespace mpb {
namespace {

using Kind = channel::TableOperation::Kind;

std::size_t bytes_in_use() {
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

/// Of this shape as many entries as go in: takes no more memory than it may.
void expect_within_bound(std::size_t name, std::size_t key, std::size_t value,
                         std::uint32_t ttl = 100) {
  const TableLimits limits{.bytes = 4UL << 20};
  std::size_t told = 0;
  const std::size_t before = bytes_in_use();
  if (before == 0) GTEST_SKIP() << "another allocator, which does not tell";
  TableStore store([&](const channel::TableChange&) { ++told; }, limits);
  const std::string text(std::max(name, std::max(key, value)), 'x');
  std::size_t entries = 0;
  for (TableResult done; done; entries += done ? 1 : 0) {
    const std::string table = std::to_string(10 + entries % 50) + text.substr(0, name - 2);
    std::string own = std::to_string(100'000 + entries) + text;
    own.resize(key);
    // First with a longer value, whose room must not stay.
    for (const std::size_t size : {std::min<std::size_t>(value + 500, 4096), value}) {
      done = store.apply({0, Kind::kPut, ttl, 0, 0, table, own, text.substr(0, size)}, {});
    }
  }
  const std::size_t used = bytes_in_use() - before;
  EXPECT_GT(entries, 500U);
  EXPECT_LE(used, limits.bytes) << entries << " entries, keys of " << key;
  EXPECT_LE(store.snapshot().size(), limits.bytes);
}

TEST(TableStoreMemory, IsWithinItsBoundWhateverTheEntriesAre) {
  expect_within_bound(2, 6, 0);
  expect_within_bound(64, 6, 0);
  expect_within_bound(2, 16, 16);
  expect_within_bound(2, 255, 0);
  expect_within_bound(2, 6, 4096);
  expect_within_bound(2, 16, 16, 0);
}

TEST(TableStoreMemory, TablesOutOfWhichMostWasTakenGiveItBack) {
  const std::size_t before = bytes_in_use();
  if (before == 0) GTEST_SKIP() << "another allocator, which does not tell";
  TableStore store([](const channel::TableChange&) {});
  for (int table = 0; table < 20; ++table) {
    const std::string name = "t" + std::to_string(table);
    for (int i = 0; i < 20'000; ++i) {
      ASSERT_TRUE(store.apply({0, Kind::kPut, 0, 0, 0, name, std::to_string(i), ""}, {}));
    }
    for (int i = 1; i < 20'000; ++i) {
      ASSERT_TRUE(store.apply({0, Kind::kErase, 0, 0, 0, name, std::to_string(i), ""}, {}));
    }
  }
  EXPECT_LT(bytes_in_use() - before, 200'000U);
}

class TableStoreTest : public testing::Test {
 protected:
  TableStore make(const TableLimits& limits = {}) {
    return TableStore(
        [this](const channel::TableChange& change) {
          told += std::to_string(change.version) + (change.erased ? "-" : "+");
          told.append(change.table).append("/").append(change.key);
          if (!change.erased) told.append("=").append(change.value);
          told += ' ';
        },
        limits);
  }
  TableResult put(std::string_view key, std::string_view value, std::uint32_t ttl = 0,
                  std::string_view table = "t") {
    return store.apply({0, Kind::kPut, ttl, 0, 0, table, key, value}, now);
  }
  TableResult erase(std::string_view key, std::string_view table = "t") {
    return store.apply({0, Kind::kErase, 0, 0, 0, table, key, {}}, now);
  }
  TableResult compare_and_put(std::string_view key, std::string_view value,
                              std::uint64_t expected) {
    return store.apply({0, Kind::kCompareAndPut, 0, expected, 0, "t", key, value}, now);
  }
  TableResult add(std::string_view key, std::int64_t amount, std::uint32_t ttl = 0) {
    return store.apply({0, Kind::kAdd, ttl, 0, static_cast<std::uint64_t>(amount), "t", key, {}},
                       now);
  }
  std::string value(std::string_view key) {
    const auto table = store.tables().find("t");
    if (table == store.tables().end()) return "(no table)";
    const auto entry = table->second.entries.find(key);
    return entry == table->second.entries.end() ? "(none)" : entry->second.value;
  }

  std::string told;
  TimePoint now{};
  TableStore store = make();
};

TEST_F(TableStoreTest, ChangesAreNumberedAcrossTablesAndToldInOrder) {
  EXPECT_EQ(put("a", "1").version, 1U);
  EXPECT_EQ(put("b", "2", 0, "u").version, 2U);
  EXPECT_EQ(put("a", "3").version, 3U);
  EXPECT_EQ(erase("b", "u").version, 4U);
  EXPECT_EQ(told, "1+t/a=1 2+u/b=2 3+t/a=3 4-u/b ");
  EXPECT_EQ(store.version(), 4U);
  EXPECT_EQ(store.tables().size(), 1U) << "a table without entries is none";
}

TEST_F(TableStoreTest, AnEraseOfNothingIsRefusedAndTellsNothing) {
  EXPECT_EQ(erase("a").outcome, TableOutcome::kNotFound);
  put("b", "1");
  EXPECT_EQ(erase("a").outcome, TableOutcome::kNotFound);
  EXPECT_EQ(told, "1+t/b=1 ");
  EXPECT_EQ(store.counters().refusals, 2U);
}

TEST_F(TableStoreTest, CompareAndPutGoesByTheVersion) {
  EXPECT_EQ(compare_and_put("a", "1", 5).outcome, TableOutcome::kConflict);
  EXPECT_EQ(compare_and_put("a", "1", 0).version, 1U);
  const TableResult conflict = compare_and_put("a", "2", 0);
  EXPECT_EQ(conflict.outcome, TableOutcome::kConflict);
  EXPECT_EQ(conflict.version, 1U) << "what is there";
  EXPECT_TRUE(compare_and_put("a", "2", 1));
  EXPECT_EQ(value("a"), "2");
}

TEST_F(TableStoreTest, AddBeginsWithNothingAndRefusesWhatIsNoNumber) {
  EXPECT_EQ(add("n", 5).sum, 5);
  EXPECT_EQ(add("n", -7).sum, -2);
  EXPECT_EQ(value("n"), "-2");
  for (const char* text : {"", "1x", " 1", "1.5", "99999999999999999999"}) {
    put("x", text);
    EXPECT_EQ(add("x", 1).outcome, TableOutcome::kNoNumber) << text;
    EXPECT_EQ(value("x"), text);
  }
  put("n", std::to_string(std::numeric_limits<std::int64_t>::max()));
  EXPECT_EQ(add("n", 1).outcome, TableOutcome::kNoNumber);
  EXPECT_EQ(add("n", -1).sum, std::numeric_limits<std::int64_t>::max() - 1);
}

TEST_F(TableStoreTest, EntriesEndAtTheirTimeAndThatIsTold) {
  put("a", "1", 100);
  put("b", "2", 50);
  EXPECT_EQ(store.next_expiry(), now + Duration{50});
  now += Duration{50};
  store.expire(now);
  EXPECT_EQ(told, "1+t/a=1 2+t/b=2 3-t/b ");
  put("a", "again");  // for ever
  now += Duration{1000};
  store.expire(now);
  EXPECT_EQ(value("a"), "again");
  EXPECT_EQ(store.next_expiry(), std::nullopt);
  EXPECT_EQ(store.counters().expiries, 1U);
}

TEST_F(TableStoreTest, AnEntryWhoseTimeIsOverIsNotThereForAnOperation) {
  put("a", "1", 100);
  now += Duration{100};
  EXPECT_EQ(erase("a").outcome, TableOutcome::kNotFound);
  put("b", "1", 100);
  now += Duration{100};
  EXPECT_TRUE(compare_and_put("b", "2", 0));
}

TEST_F(TableStoreTest, WhatEndsTogetherEndsInPartsAndNobodyFindsIt) {
  const std::size_t all = 2 * TableStore::kMostExpiries + 1;
  for (std::size_t i = 0; i < all; ++i) ASSERT_TRUE(put(std::to_string(i), "", 100));
  now += Duration{100};
  EXPECT_EQ(erase(std::to_string(all - 1)).outcome, TableOutcome::kNotFound) << "though in no turn";
  EXPECT_EQ(store.counters().expiries, 1U);
  store.expire(now);
  EXPECT_EQ(store.counters().expiries, 1 + TableStore::kMostExpiries);
  EXPECT_EQ(store.next_expiry(), now) << "it goes on at once";
  store.expire(now);
  EXPECT_EQ(store.entries(), 0U);
  EXPECT_EQ(store.next_expiry(), std::nullopt);
}

TEST_F(TableStoreTest, AddKeepsTheTimeThatAnEntryHas) {
  add("n", 1, 100);
  now += Duration{60};
  add("n", 1, 100);
  now += Duration{40};
  store.expire(now);
  EXPECT_EQ(value("n"), "(no table)");
}

TEST_F(TableStoreTest, WhatIsBeyondTheBoundsIsRefusedAlone) {
  store = make({.tables = 2, .entries = 3, .bytes = 5 * kEntryCost + 100});
  for (const char* key : {"a", "b", "c"}) EXPECT_TRUE(put(key, ""));
  EXPECT_EQ(put("d", "").outcome, TableOutcome::kFull);
  EXPECT_TRUE(put("a", "changed")) << "an entry that is there may change";
  EXPECT_TRUE(put("x", "", 0, "u"));
  EXPECT_EQ(put("x", "", 0, "v").outcome, TableOutcome::kFull) << "a third table";
  EXPECT_EQ(put("y", std::string(90, 'y'), 0, "u").outcome, TableOutcome::kFull) << "bytes";
  EXPECT_TRUE(put("y", std::string(80, 'y'), 0, "u"));
  EXPECT_EQ(put("y", std::string(95, 'y'), 0, "u").outcome, TableOutcome::kFull);
  EXPECT_TRUE(put("192.0.2.1", "", 0, "deny")) << "whose room nobody else takes";
  EXPECT_TRUE(erase("y", "u"));
  EXPECT_TRUE(put("y", std::string(80, 'y'), 0, "u"));
  EXPECT_EQ(store.entries(), 6U);
}

TEST_F(TableStoreTest, NamesKeysAndValuesHaveTheirBounds) {
  for (const char* name : {"", "a b", "a/b", "\n", "ä"}) {
    EXPECT_EQ(put("a", "", 0, name).outcome, TableOutcome::kBadName) << name;
  }
  EXPECT_EQ(put("a", "", 0, std::string(65, 'a')).outcome, TableOutcome::kBadName);
  EXPECT_TRUE(put("a", "", 0, std::string(64, 'a')));
  EXPECT_EQ(put("", "").outcome, TableOutcome::kBadKey);
  EXPECT_EQ(put(std::string(256, 'k'), "").outcome, TableOutcome::kBadKey);
  EXPECT_TRUE(put(std::string(255, '\0'), std::string(4096, '\xff')));
  EXPECT_EQ(put("a", std::string(4097, 'v')).outcome, TableOutcome::kTooLong);
}

TEST_F(TableStoreTest, ANetworkHasOneKeyHoweverItIsWritten) {
  EXPECT_TRUE(put("192.0.2.7/32", "", 0, "deny"));
  EXPECT_TRUE(put("2001:DB8:0:0::/32", "", 0, "allow"));
  EXPECT_EQ(told, "1+deny/192.0.2.7= 2+allow/2001:db8::/32= ");
  EXPECT_TRUE(erase("192.0.2.7", "deny"));
  for (const char* key :
       {"x", "192.0.2.1/24", "192.0.2.0/33", "192.0.2.0/24,10.0.0.0/8", "unix:"}) {
    EXPECT_EQ(put(key, "", 0, "deny").outcome, TableOutcome::kBadKey) << key;
  }
}

TEST_F(TableStoreTest, ASnapshotHasAllEntries) {
  put("a", "1");
  put("b", "2", 0, "u");
  put("gone", "3");
  erase("gone");
  const std::string snapshot = store.snapshot();
  std::string_view rest = snapshot;
  std::string found;
  channel::TableChange change;
  while (channel::next_change(rest, change)) {
    found += std::to_string(change.version) + std::string(change.key) + std::string(change.value);
  }
  EXPECT_EQ(found, "1a12b2");
}

}  // namespace
}  // namespace mpb
