#include "broker/tables/table_reader.hpp"

#include <gtest/gtest.h>

namespace mpb {
namespace {

std::string changes(std::size_t count, std::uint64_t first = 1, std::size_t size = 10) {
  std::string all;
  const std::string value(size, 'v');
  for (std::size_t i = 0; i < count; ++i) {
    channel::append_change(all, {first + i, false, "t", std::to_string(first + i), value});
  }
  return all;
}

std::shared_ptr<TableSnapshot> snapshot(std::size_t entries, std::size_t size = 10) {
  auto made = std::make_shared<TableSnapshot>();
  made->version = entries;
  made->changes = changes(entries, 1, size);
  return made;
}

/// One that has got an empty snapshot.
TableReader begun() {
  TableReader reader;
  reader.begin(snapshot(0));
  EXPECT_TRUE(reader.next_part(0));
  EXPECT_EQ(reader.end_snapshot(), "");
  return reader;
}

TEST(TableReader, AnEmptySnapshotIsOnePart) {
  TableReader reader;
  reader.begin(snapshot(0));
  const auto part = reader.next_part(0);
  ASSERT_TRUE(part);
  EXPECT_EQ(part->flags, channel::Tables::kFirst | channel::Tables::kLast);
  EXPECT_EQ(part->window, TableReader::kWindow);
  EXPECT_EQ(reader.end_snapshot(), "");
  EXPECT_FALSE(reader.is_waiting());
}

TEST(TableReader, ALargeSnapshotGoesOutAsItIsReadAndWhatChangesMeanwhileFollows) {
  TableReader reader;
  const auto shared = snapshot(500, 4000);
  reader.begin(shared);
  std::string got;
  const auto first = reader.next_part(0);
  ASSERT_TRUE(first);
  got += first->changes;
  EXPECT_EQ(first->flags, channel::Tables::kFirst);
  EXPECT_FALSE(reader.next_part(TableReader::kPartsAhead)) << "it has to read first";
  shared->add({501, false, "t", "501", "vvvvvvvvvv"});
  EXPECT_EQ(reader.take(changes(1, 501), 0), "") << "which is in the snapshot";
  EXPECT_EQ(reader.end_snapshot(), "");
  std::uint16_t last = 0;
  while (const auto part = reader.next_part(0)) {
    got += part->changes;
    last = part->flags;
    if ((last & channel::Tables::kLast) != 0) break;
  }
  EXPECT_EQ(last, channel::Tables::kLast);
  EXPECT_EQ(got, changes(500, 1, 4000));
  EXPECT_EQ(reader.end_snapshot(), changes(1, 501));
  EXPECT_EQ(reader.take(changes(1, 502), 0), changes(1, 502));
}

TEST(TableReader, OneThatDoesNotReadIsBehindUntilItHasRead) {
  TableReader reader = begun();
  EXPECT_EQ(reader.take(changes(1), TableReader::kMostUnread - 1), changes(1));
  EXPECT_EQ(reader.take(changes(1, 2), TableReader::kMostUnread), "");
  EXPECT_EQ(reader.take(changes(1, 3), 0), "") << "after a gap no change may follow";
  EXPECT_TRUE(reader.is_waiting());
  EXPECT_FALSE(reader.wants_snapshot(1));
  ASSERT_TRUE(reader.wants_snapshot(0));
  reader.begin(snapshot(3));
  EXPECT_EQ(reader.next_part(0)->version, 3U);
  EXPECT_EQ(reader.end_snapshot(), "");
  EXPECT_EQ(reader.take(changes(1, 4), 0), changes(1, 4));
}

TEST(TableReader, OneThatHasReadAllIsBehindWhereMoreIsMadeInATurnThanItMayLeaveUnread) {
  const std::string many = changes(TableReader::kMostUnread * 16 + 16, 1, 4096);
  TableReader reader = begun();
  EXPECT_EQ(reader.take(many, 0), "") << "as many datagrams as none may leave unread";
  EXPECT_TRUE(reader.wants_snapshot(0));
  TableReader another = begun();
  const std::string half = many.substr(0, many.size() / 2);
  EXPECT_EQ(another.take(half, 0).size(), half.size());
  EXPECT_EQ(another.take(half, TableReader::kMostUnread / 2 + 2), "");
}

/// More than is kept.
void change_too_much(TableSnapshot& snapshot) {
  const std::string value(4000, 'v');
  while (snapshot.complete) snapshot.add({++snapshot.version, false, "t", "key", value});
}

/// Takes all parts.
void read_all(TableReader& reader) {
  while (const auto part = reader.next_part(0)) {
    if ((part->flags & channel::Tables::kLast) != 0) return;
  }
}

TEST(TableReader, ChangesDuringASnapshotAreBounded) {
  const auto shared = snapshot(100, 4000);
  const std::string value(4000, 'v');
  std::size_t most = 0;
  for (std::uint64_t version = 101; shared->complete; ++version) {
    most = shared->since.size();
    shared->add({version, false, "t", "key", value});
  }
  EXPECT_LE(most, TableSnapshot::kMostSince);
  shared->add({5000, false, "t", "key", value});
  EXPECT_EQ(shared->since.size(), 0U) << "after a gap no change may follow";
}

TEST(TableReader, NobodyStartsWithLessThanAllTables) {
  const auto shared = snapshot(100, 4000);
  TableReader reader;
  EXPECT_TRUE(reader.wants_snapshot(9)) << "what it has not read is of no table";
  reader.begin(shared);
  ASSERT_TRUE(reader.next_part(0));
  change_too_much(*shared);
  read_all(reader);
  EXPECT_EQ(reader.end_snapshot(), "");
  EXPECT_FALSE(reader.has_tables());
  ASSERT_TRUE(reader.wants_snapshot(TableReader::kPartsAhead));
  const auto next = snapshot(200, 4000);
  reader.begin(next);
  next->add({201, false, "t", "201", "vvvvvvvvvv"});
  read_all(reader);
  EXPECT_EQ(reader.end_snapshot(), changes(1, 201));
  EXPECT_TRUE(reader.has_tables());
  EXPECT_FALSE(reader.is_waiting());
}

TEST(TableReader, WhoStartsTakesItsCalmFromThoseWhoWriteForAWhileAtMost) {
  const TimePoint begun = TimePoint{} + Duration{1'000};
  const auto shared = snapshot(100, 4000);
  TableReader reader;
  EXPECT_FALSE(reader.needs_calm(begun)) << "it was sent nothing";
  reader.begin(shared);
  shared->add({101, false, "t", "key", "v"});
  EXPECT_FALSE(reader.needs_calm(begun));
  const std::string value(4000, 'v');
  while (!shared->has_changed_much()) shared->add({102, false, "t", "key", value});
  EXPECT_TRUE(shared->complete) << "there is room for what was asked for already";
  EXPECT_TRUE(reader.needs_calm(begun));
  change_too_much(*shared);
  EXPECT_TRUE(reader.needs_calm(begun + TableReader::kLongestCalm / 2));
  read_all(reader);
  EXPECT_EQ(reader.end_snapshot(), "");
  EXPECT_TRUE(reader.needs_calm(begun + TableReader::kLongestCalm / 2)) << "of its next one, too";
  EXPECT_FALSE(reader.needs_calm(begun + TableReader::kLongestCalm));
  reader.begin(snapshot(1));
  read_all(reader);
  EXPECT_EQ(reader.end_snapshot(), "");
  EXPECT_FALSE(reader.needs_calm(begun));
}

TEST(TableReader, WhoRunsNeedsNoCalm) {
  TableReader reader = begun();
  EXPECT_EQ(reader.take(changes(1), TableReader::kMostUnread), "");
  const auto shared = snapshot(100, 4000);
  reader.begin(shared);
  change_too_much(*shared);
  EXPECT_FALSE(reader.needs_calm(TimePoint{}));
}

TEST(TableReader, ResultsComeBehindTheChangesTheyAreAboutAndAreBounded) {
  TableReader reader = begun();
  EXPECT_TRUE(reader.add_result({1, 1, 0, 0, {}}));
  EXPECT_EQ(reader.take_results().size(), 1U);
  EXPECT_EQ(reader.take(changes(1), TableReader::kMostUnread), "");
  for (std::uint32_t i = 0; i < TableReader::kWindow; ++i) {
    ASSERT_TRUE(reader.add_result({i, 1, 0, 0, {}}));
  }
  EXPECT_EQ(reader.take_results().size(), 0U);
  EXPECT_FALSE(reader.add_result({0, 1, 0, 0, {}}));
  reader.begin(snapshot(1));
  ASSERT_TRUE(reader.next_part(0));
  EXPECT_EQ(reader.end_snapshot(), "");
  EXPECT_EQ(reader.take_results().size(), TableReader::kWindow);
}

}  // namespace
}  // namespace mpb
