// Whatever is asked of the store, and whenever a worker reads, is late or begins: what it has been
// sent is the same tables in the end.
#include <gtest/gtest.h>

#include <map>

#include "broker/tables/table_reader.hpp"
#include "common/tables/table_store.hpp"
#include "tests/support/seeded.hpp"
#include "worker/tables/worker_tables.hpp"

namespace mpb::test {
namespace {

using Kind = channel::TableOperation::Kind;

/// A worker's copy, and how many datagrams it has not read.
struct Copy {
  explicit Copy(EventLoop& loop) : tables(loop) {}
  WorkerTables tables;
  TableReader reader;
  std::size_t unread = 0;
};

class TablesProperty : public SeededTest {
 protected:
  channel::TableOperation some_operation() {
    table_ = "t" + std::to_string(number(0, 2));
    key_ = std::to_string(number(0, 40));
    value_ = one_in(3) ? std::to_string(number(-9, 9)) : some_bytes(300);
    channel::TableOperation operation;
    operation.kind = static_cast<Kind>(number(1, 4));
    operation.ttl_ms = one_in(4) ? number(1U, 50U) : 0;
    operation.expected = one_in(2) ? 0 : number(std::uint64_t{0}, store_.version());
    operation.amount = static_cast<std::uint64_t>(number(-5, 5));
    operation.table = table_;
    operation.key = key_;
    operation.value = value_;
    return operation;
  }
  std::shared_ptr<TableSnapshot> snapshot() {
    auto fresh = std::make_shared<TableSnapshot>();
    fresh->version = store_.version();
    fresh->changes = store_.snapshot();
    if (last_) last_->complete = false;
    return last_ = fresh;
  }
  /// As TableService does it.
  void flush(Copy& copy) {
    send(copy, copy.reader.take(changes_, copy.unread));
    if (copy.reader.wants_snapshot(copy.unread)) copy.reader.begin(snapshot());
    while (const auto part = copy.reader.next_part(copy.unread)) {
      copy.tables.on_tables(*part);
      ++copy.unread;
      if ((part->flags & channel::Tables::kLast) != 0) send(copy, copy.reader.end_snapshot());
    }
  }
  static void send(Copy& copy, std::string_view changes) {
    if (changes.empty()) return;
    copy.tables.on_changes({changes});
    ++copy.unread;
  }
  void expect_same(Copy& copy) {
    std::size_t entries = 0;
    for (const char* name : {"t0", "t1", "t2"}) {
      SharedMap& table = copy.tables.map(name);
      entries += table.size();
      const auto found = store_.tables().find(name);
      if (found == store_.tables().end()) continue;
      for (const auto& [key, entry] : found->second.entries) {
        const auto value = table.get(key);
        ASSERT_TRUE(value) << name << " " << key;
        EXPECT_EQ(value->value, entry.value);
        EXPECT_EQ(value->version, entry.version);
      }
    }
    EXPECT_EQ(entries, store_.entries());
  }

  std::string changes_;
  std::shared_ptr<TableSnapshot> last_;  // told of all changes
  TableStore store_{[this](const channel::TableChange& change) {
                      channel::append_change(changes_, change);
                      if (last_) last_->add(change);
                    },
                    {.tables = 3, .entries = 30, .bytes = 30 * kEntryCost + 5'000}};

 private:
  std::string table_, key_, value_;
};

TEST_F(TablesProperty, AllHaveTheSameTables) {
  EventLoop loop;
  std::vector<std::unique_ptr<Copy>> copies;
  TimePoint now{};
  for (int turn = 0; turn < 3000; ++turn) {
    now += Duration{number(0, 3)};
    store_.expire(now);
    for (int i = number(0, 5); i > 0; --i) store_.apply(some_operation(), now);
    if (copies.size() < 6 && one_in(50)) {
      copies.push_back(std::make_unique<Copy>(loop));
      // One that starts may get an earlier one, with what has changed since.
      copies.back()->reader.begin(last_ && one_in(2) ? last_ : snapshot());
      // The changes of this turn are in it.
      const std::string kept = std::exchange(changes_, {});
      flush(*copies.back());
      changes_ = kept;
      for (std::size_t i = 0; i + 1 < copies.size(); ++i) flush(*copies[i]);
    } else {
      for (const auto& copy : copies) flush(*copy);
    }
    changes_.clear();
    if (last_ && one_in(40)) last_->complete = false;  // more has changed than is kept
    for (const auto& copy : copies) {
      if (one_in(60)) copy->unread += number(std::size_t{0}, TableReader::kMostUnread);
      if (one_in(20)) copy->unread = 0;
    }
  }
  ASSERT_FALSE(copies.empty());
  for (const auto& copy : copies) {
    copy->unread = 0;
    for (int i = 0; i < 3; ++i, copy->unread = 0) flush(*copy);
    EXPECT_FALSE(copy->reader.is_waiting());
    expect_same(*copy);
  }
}

}  // namespace
}  // namespace mpb::test
