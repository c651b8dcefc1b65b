#include "broker/tables/table_journal.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/support/seeded.hpp"

namespace mpb {
namespace {

using Memory = std::vector<std::byte>;
using Entries = std::map<std::string, std::pair<std::string, std::uint64_t>>;

std::string record(std::uint64_t version, const std::string& key, const std::string& value,
                   bool erased = false, std::uint64_t end_ms = 0) {
  std::string records;
  TableJournal::append_record(records, {version, erased, "table", key, value}, end_ms);
  return records;
}

Entries entries_of(const TableJournal& journal) {
  Entries entries;
  journal.read([&](const channel::TableChange& change, std::uint64_t end_ms) {
    if (change.erased) {
      entries.erase(std::string(change.key));
    } else {
      entries[std::string(change.key)] = {std::string(change.value), end_ms};
    }
  });
  return entries;
}

TEST(TableJournalTest, NothingIsKeptBeforeItBegins) {
  Memory memory(8192);
  TableJournal journal(memory);
  EXPECT_FALSE(journal.append(record(1, "k", "v")));
  EXPECT_TRUE(entries_of(journal).empty());
}

TEST(TableJournalTest, ChangesFollowWhatItBeganWith) {
  Memory memory(8192);
  TableJournal journal(memory);
  ASSERT_TRUE(journal.begin_anew(record(1, "a", "1") + record(2, "b", "2", false, 77)));
  ASSERT_TRUE(journal.append(record(3, "a", "3")));
  ASSERT_TRUE(journal.append(record(4, "c", "4")));
  ASSERT_TRUE(journal.append(record(5, "c", "", true)));
  const Entries expected{{"a", {"3", 0}}, {"b", {"2", 77}}};
  EXPECT_EQ(entries_of(journal), expected);
  EXPECT_EQ(entries_of(TableJournal(memory)), expected) << "the next one reads the same";
}

TEST(TableJournalTest, WhatHasNoRoomIsToBeginAnew) {
  Memory memory(1024);
  TableJournal journal(memory);
  ASSERT_TRUE(journal.begin_anew({}));
  std::uint64_t version = 0;
  while (journal.append(record(++version, "k", "value"))) continue;
  EXPECT_TRUE(journal.begin_anew(record(version, "k", "value")));
  EXPECT_TRUE(journal.append(record(++version, "l", "value")));
  EXPECT_EQ(entries_of(TableJournal(memory)).size(), 2U);
  EXPECT_FALSE(journal.begin_anew(std::string(1024, 'x')));
}

class TableJournalProperty : public test::SeededTest {};

/// Killed in the midst of a change, it has those before, and perhaps that one.
TEST_F(TableJournalProperty, EachChangeIsThereAsAWholeOrNotAtAll) {
  Memory memory(4096);
  TableJournal journal(memory);
  ASSERT_TRUE(journal.begin_anew({}));
  Entries entries;
  for (std::uint64_t version = 1; version < 3'000; ++version) {
    const std::string key = "k" + std::to_string(number(0, 9));
    const std::string value(number(std::size_t{0}, std::size_t{60}), 'v');
    const bool erased = one_in(4);
    const Entries before = entries;
    const Memory memory_before = memory;
    if (erased) {
      entries.erase(key);
    } else {
      entries[key] = {value, version};
    }
    const std::string change = record(version, key, erased ? "" : value, erased, version);
    if (!journal.append(change)) {
      std::string all;
      for (const auto& [k, entry] : entries) all += record(1, k, entry.first, false, entry.second);
      ASSERT_TRUE(journal.begin_anew(all));
    }
    Memory torn = memory;
    // Stores come in the order of the program: records first, then the header that counts them.
    if (one_in(2)) {
      for (const std::size_t at : {std::size_t{0}, torn.size() / 2}) {
        std::copy_n(memory_before.begin() + static_cast<std::ptrdiff_t>(at), 24,
                    torn.begin() + static_cast<std::ptrdiff_t>(at));
      }
      EXPECT_EQ(entries_of(TableJournal(torn)), before);
    }
    EXPECT_EQ(entries_of(TableJournal(memory)), entries);
  }
}

}  // namespace
}  // namespace mpb
