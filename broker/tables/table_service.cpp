#include "broker/tables/table_service.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "proto/channel/encode.hpp"

namespace mpb {
namespace {

constexpr Duration kRetry{5};              // until a worker that is behind is looked at again
constexpr Duration kSnapshotPause{1'000};  // between two that a worker is sent
// A snapshot is made at most so often, and for a tenth of the time: who starts meanwhile gets the
// last one, or waits if much has changed since.
constexpr Duration kSnapshotInterval{100};
constexpr int kSnapshotShare = 10;
// In memory, where workers are slow to read them; half of them are for those who start.
constexpr std::size_t kMostSnapshots = 8;

}  // namespace

TableService::TableService(EventLoop& loop)
    : loop_(loop), store_([this](const channel::TableChange& change) { on_change(change); }) {}

void TableService::keep_in(std::span<std::byte> memory, bool resume) {
  if (memory.empty()) return;
  journal_.emplace(memory);
  if (resume) {
    journal_->read([this](const channel::TableChange& change, std::uint64_t end_ms) {
      const TimePoint end{Duration{static_cast<std::int64_t>(end_ms)}};
      store_.restore(change, end_ms == 0 ? std::nullopt : std::optional(end));
    });
  }
  journal_->begin_anew(all_records());
}

std::uint64_t TableService::end_of(const TableStore::Entry& entry) {
  if (!entry.end) return 0;
  const auto ms = std::chrono::ceil<Duration>(entry.end->time_since_epoch()).count();
  return static_cast<std::uint64_t>(ms);
}

std::string TableService::all_records() const {
  std::string records;
  for (const auto& [name, table] : store_.tables()) {
    for (const auto& [key, entry] : table.entries) {
      TableJournal::append_record(records, {entry.version, false, name, key, entry.value},
                                  end_of(entry));
    }
  }
  // So that versions go on from the last change, though its entry may be erased.
  TableJournal::append_record(records, {store_.version(), true, "-", "-", {}}, 0);
  return records;
}

void TableService::keep(const channel::TableChange& change) {
  std::uint64_t end = 0;
  if (!change.erased) {
    end = end_of(store_.tables().find(change.table)->second.entries.find(change.key)->second);
  }
  scratch_.clear();
  TableJournal::append_record(scratch_, change, end);
  if (journal_->append(scratch_)) return;
  journal_->begin_anew(all_records());
  journal_->append(scratch_);  // of one that is erased, the entry is there still
}

void TableService::on_change(const channel::TableChange& change) {
  if (journal_) keep(change);
  channel::append_change(changes_, change);
  for (const auto& sent : being_sent_) {
    if (const auto snapshot = sent.lock()) snapshot->add(change);
  }
  if (observer_) observer_(change);
}

void TableService::introduce(Slot slot, WorkerProcess& worker) {
  Member& member = members_[slot] = Member{};
  member.worker = &worker;
  member.started = worker.ready();
  member.reader.taken = changes_.size();
  flush(member);
  come_back(member.reader.is_waiting());
}

std::string_view TableService::on_operation(Slot slot, const channel::TableOperation& operation) {
  const auto member = members_.find(slot);
  if (member == members_.end()) return {};
  due_ = true;
  const bool forbidden = has_networks(operation.table) && !workers_deny_;
  const TableResult done =
      forbidden ? store_.refuse(TableOutcome::kForbidden) : store_.apply(operation, loop_.now());
  const bool within = member->second.reader.add_result({operation.operation,
                                                        done.version,
                                                        static_cast<std::uint64_t>(done.sum),
                                                        static_cast<std::uint8_t>(done.outcome),
                                                        {}});
  return within ? "" : "more operations on tables without a result than its window";
}

TableResult TableService::apply(const channel::TableOperation& operation) {
  return store_.apply(operation, loop_.now());
}

void TableService::flush_to(Slot slot) {
  const auto member = members_.find(slot);
  if (member != members_.end() && member->second.reader.taken < changes_.size()) {
    flush(member->second);
  }
}

void TableService::end_turn() {
  store_.expire(loop_.now());
  if (const auto next = store_.next_expiry()) expiry_.by(*next);
  drop_snapshot();
  if (!std::exchange(due_, false) && changes_.empty()) return;
  bool somebody_waits = false;
  bool results_wait = false;
  for (auto& [slot, member] : members_) {
    flush(member);
    member.reader.taken = 0;
    somebody_waits = somebody_waits || member.reader.is_waiting();
    results_wait = member.reader.needs_calm(loop_.now()) || results_wait;
  }
  changes_.clear();
  for (auto& [slot, member] : members_) {
    if (!results_wait) send_results(member);
  }
  come_back(somebody_waits);
}

void TableService::flush(Member& member) {
  TableReader& reader = member.reader;
  const std::size_t taken = std::exchange(reader.taken, changes_.size());
  const std::string_view fresh = std::string_view(changes_).substr(taken);
  if (!reader.is_waiting()) member.least = store_.version();
  send_changes(member, reader.take(fresh, member.worker->unread()));
  if (reader.wants_snapshot(member.worker->unread()) && loop_.now() >= member.next_snapshot &&
      (is_there_for(member) || may_make_snapshot(member))) {
    begin_snapshot(member);
  }
  send_parts(member);
}

void TableService::begin_snapshot(Member& member) {
  if (!is_there_for(member)) make_snapshot();
  member.reader.begin(snapshot_);
  if (member.started) member.next_snapshot = loop_.now() + kSnapshotPause;
  if (std::exchange(member.had_snapshot, true)) ++snapshots_;
}

void TableService::send_parts(Member& member) {
  while (const auto part = member.reader.next_part(member.worker->unread())) {
    scratch_.clear();
    channel::encode(scratch_, *part);
    member.worker->say(scratch_);
    if ((part->flags & channel::Tables::kLast) == 0) continue;
    send_changes(member, member.reader.end_snapshot());
    if (!member.reader.is_waiting()) member.least = store_.version();
    if (member.reader.has_tables() && !std::exchange(member.started, true)) {
      member.worker->start();
    }
  }
}

void TableService::send_changes(Member& member, std::string_view changes) {
  while (!changes.empty()) {
    scratch_.clear();
    channel::encode(scratch_, channel::TableChanges{channel::take_change_batch(changes)});
    member.worker->say(scratch_);
  }
}

void TableService::send_results(Member& member) {
  const auto results = member.reader.take_results();
  channel::in_batches(std::span<const channel::TableResult>(results), [&](auto batch) {
    scratch_.clear();
    channel::encode(scratch_, channel::TableResults{batch});
    member.worker->say(scratch_);
  });
}

bool TableService::may_make_snapshot(const Member& member) const {
  const auto alive =
      std::ranges::count_if(being_sent_, [](const auto& snapshot) { return !snapshot.expired(); });
  const std::size_t most = member.started ? kMostSnapshots / 2 : kMostSnapshots;
  return loop_.now() >= next_snapshot_ && static_cast<std::size_t>(alive) < most;
}

/// What a worker has must not become older.
bool TableService::is_there_for(const Member& member) const {
  return snapshot_ && !snapshot_->has_changed_much() && snapshot_->version >= member.least;
}

void TableService::make_snapshot() {
  const TimePoint begin = Clock::now();
  snapshot_ = std::make_shared<TableSnapshot>();
  snapshot_->version = store_.version();
  snapshot_->changes = store_.snapshot();
  being_sent_.push_back(snapshot_);
  const TimePoint end = Clock::now();
  next_snapshot_ =
      end + std::max<Clock::duration>(kSnapshotInterval, (end - begin) * kSnapshotShare);
}

void TableService::drop_snapshot() {
  if (snapshot_ && snapshot_.use_count() == 1 && loop_.now() >= next_snapshot_) snapshot_.reset();
  std::erase_if(being_sent_, [](const auto& snapshot) { return snapshot.expired(); });
}

/// A turn's end goes on with it.
void TableService::come_back(bool somebody_waits) {
  due_ = due_ || somebody_waits;
  if (somebody_waits) retry_.by(loop_.now() + kRetry);
}

}  // namespace mpb
