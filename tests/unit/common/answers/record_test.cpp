#include "common/answers/record.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace mpb {
namespace {

using namespace std::string_literals;

const StreamEntry kStream{"a.test", "live", "s",  "192.0.2.1:5", "avc1", "mp4a", 1280,
                          720,      29.97,  2500, 5000,          2,      3,      1,
                          60,       70,     8};
const UpstreamEntry kUpstream{"a.test", "192.0.2.1:1", "no", {4, 3, 5, 2}, true, false};
const HookEntry kHook{"a:80", "open", {1, 2, 3, 4, 5, 6, 7, 8}};

template <class Entry>
std::string record_of(const Entry& entry) {
  std::string records;
  append_record(records, entry);
  return records;
}

/// Of `columns`, with the record's own length before them.
std::string record_with(std::string_view columns) {
  std::string records;
  append_le(records, static_cast<std::uint32_t>(columns.size()));
  return records.append(columns);
}

/// Empty: one of them cannot be read.
template <class Entry>
std::vector<Entry> read(std::string_view records) {
  std::vector<Entry> entries;
  const auto take = [&entries](Entry entry) { entries.push_back(std::move(entry)); };
  return read_records<Entry>(records, take) ? entries : std::vector<Entry>();
}

template <class Entry>
void expect_read_as_written(const Entry& entry) {
  const std::string record = record_of(entry);
  const std::string records = record + record_of(Entry()) + record;
  const std::vector<Entry> got = read<Entry>(records);
  ASSERT_EQ(got.size(), 3U);
  EXPECT_EQ(record_of(got[0]) + record_of(got[1]) + record_of(got[2]), records);
}

TEST(Record, IsReadAsItWasWritten) {
  expect_read_as_written(kStream);
  expect_read_as_written(kUpstream);
  expect_read_as_written(kHook);
}

TEST(Record, HasTheLayoutOfTheProtocol) {
  EXPECT_EQ(record_of(UpstreamEntry{"v", "a", "", {1, 2, 3, 4}, true, false}),
            "\x34\0\0\0"
            "\1\0\0\0v\1\0\0\0a\0\0\0\0"
            "\x20\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0"
            "\1\0"s);
  const std::string stream = record_of(StreamEntry{.vhost = "v", .width = 0x102, .fps = 1.5});
  EXPECT_EQ(stream.substr(4, 5), "\1\0\0\0v"s);
  EXPECT_EQ(stream.substr(4 + 25, 8), "\2\1\0\0\0\0\0\0"s);
  EXPECT_EQ(stream.substr(4 + 41, 8), "\0\0\0\0\0\0\xf8\x3f"s);
}

/// A record may end, or go on, behind any column; one that is cut within a column is broken.
template <class Entry>
void expect_ends_between_columns(const Entry& entry, std::size_t columns) {
  const std::string whole = record_of(entry).substr(4);
  std::size_t good = 0;
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const auto got = read<Entry>(record_with(std::string_view(whole).substr(0, size)));
    if (got.empty()) continue;
    ++good;
    // What is missing has its default: no more than was there comes from the cut record.
    const std::string again = record_of(got[0]).substr(4);
    EXPECT_EQ(again.substr(0, size), whole.substr(0, size));
  }
  EXPECT_EQ(good, columns + 1);
  const auto got = read<Entry>(record_with(whole + "newer columns") + record_of(entry));
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(record_of(got[0]), record_of(entry));
}

TEST(Record, MissingColumnsHaveTheirDefaultsAndFurtherOnesAreSkipped) {
  expect_ends_between_columns(kStream, 17);
  expect_ends_between_columns(kUpstream, 6);
  expect_ends_between_columns(kHook, 3);
}

TEST(Record, CountersOfAnotherBuildAreTakenAsFarAsTheyAreKnown) {
  const auto hook_with = [](std::size_t counters) {
    std::string columns("\0\0\0\0\0\0\0\0"s);
    append_le(columns, static_cast<std::uint32_t>(8 * counters));
    for (std::size_t i = 0; i < counters; ++i) append_le(columns, std::uint64_t{i + 1});
    return record_with(columns);
  };
  EXPECT_EQ(read<HookEntry>(hook_with(2)).at(0).counters.told, 2U);
  EXPECT_EQ(read<HookEntry>(hook_with(2)).at(0).counters.refused, 0U);
  EXPECT_EQ(read<HookEntry>(hook_with(100)).at(0).counters.failures, 8U);
  EXPECT_TRUE(read<HookEntry>(record_with("\0\0\0\0\0\0\0\0\7\0\0\0"
                                          "1234567"s))
                  .empty());
}

TEST(Record, TextsAreBounded) {
  const std::string longest(kMaxColumnText, 'x');
  EXPECT_EQ(read<HookEntry>(record_of(HookEntry{longest + "y", "", {}})).at(0).server, longest);
  EXPECT_EQ(read<HookEntry>(record_with("\0\x10\0\0"s + longest)).at(0).server, longest);
  EXPECT_TRUE(read<HookEntry>(record_with("\1\x10\0\0"s + longest + "y")).empty());
  EXPECT_TRUE(read<HookEntry>(record_with("\xff\xff\xff\xff" + longest)).empty());
}

TEST(Record, NumbersAreFiniteAndNotNegative) {
  for (const double good : {0.0, 29.97, 1e300}) {
    EXPECT_EQ(read<StreamEntry>(record_of(StreamEntry{.fps = good})).at(0).fps, good);
  }
  for (const double bad : {-1.0, -1e-300, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_TRUE(read<StreamEntry>(record_of(StreamEntry{.fps = bad})).empty()) << bad;
  }
  EXPECT_EQ(read<StreamEntry>(record_of(StreamEntry{.players = UINT64_MAX})).at(0).players,
            kMostCounted);
}

TEST(Record, NothingIsReadBehindABrokenOne) {
  std::size_t taken = 0;
  const std::string records =
      record_of(kHook) + record_of(kHook) + record_with("x") + record_of(kHook);
  EXPECT_FALSE(read_records<HookEntry>(records, [&taken](const HookEntry&) { ++taken; }));
  EXPECT_EQ(taken, 2U);
  EXPECT_FALSE(read_records<HookEntry>(record_of(kHook) + "\1", [](const HookEntry&) {}));
}

TEST(Record, AnAnswerHasNoMoreThanTheBrokerReads) {
  const HookEntry longest{std::string(kMaxColumnText, 'x'), std::string(kMaxColumnText, 'y'), {}};
  const AnswerContent content = content_of(Listing<HookEntry>{
      .entries = std::vector<HookEntry>(channel::kMaxAnswer / kMaxColumnText / 2, longest)});
  EXPECT_LE(content.records.size(), channel::kMaxAnswer);
  EXPECT_GT(content.records.size(), channel::kMaxAnswer - record_of(longest).size());
  EXPECT_TRUE(channel::are_records(content.records));
}

}  // namespace
}  // namespace mpb
