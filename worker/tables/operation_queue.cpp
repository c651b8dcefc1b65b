#include "worker/tables/operation_queue.hpp"

#include "common/tables/table_rules.hpp"
#include "proto/channel/encode.hpp"

namespace mpb {

void OperationQueue::open(std::uint32_t window) {
  window_ = window;
  pump();
}

/// Ids count up: the first ones were sent.
void OperationQueue::suspend() {
  window_ = sent_ = 0;
  while (waiting_.size() > unsent_.size()) {
    auto sent = waiting_.extract(waiting_.begin());
    end(std::move(sent.mapped()), {TableOutcome::kUnavailable});
  }
}

void OperationQueue::close() {
  if (std::exchange(closed_, true)) return;
  unsent_.clear();
  for (auto& [id, done] : std::exchange(waiting_, {})) {
    end(std::move(done), {TableOutcome::kUnavailable});
  }
}

void OperationQueue::drop_callbacks() {
  closed_ = true;
  unsent_.clear();
  // What they hold may ask for something in turn.
  const auto waiting = std::exchange(waiting_, {});
  const auto ended = std::exchange(ended_, {});
}

void OperationQueue::end(TableDone done, const TableResult& result) {
  if (!result) ++refused_;
  if (done) ended_.emplace_back(std::move(done), result);
}

void OperationQueue::add(channel::TableOperation operation, TableDone done) {
  operation.operation = next_id_++;
  if (const auto why = objection_to(operation)) return end(std::move(done), {*why});
  if (closed_) return end(std::move(done), {TableOutcome::kUnavailable});
  if (waiting_.size() >= kMost) return end(std::move(done), {TableOutcome::kBusy});
  std::string datagram;
  channel::encode(datagram, operation);
  waiting_.emplace(operation.operation, std::move(done));
  unsent_.push_back(std::move(datagram));
  pump();
}

void OperationQueue::pump() {
  while (!closed_ && send_ && sent_ < window_ && !unsent_.empty()) {
    ++sent_;
    const std::string datagram = std::move(unsent_.front());
    unsent_.pop_front();
    send_(datagram);
  }
}

void OperationQueue::on_results(const channel::TableResults& results) {
  for (const channel::TableResult& one : results.results) {
    const auto found = waiting_.find(one.operation);
    if (found == waiting_.end()) continue;
    TableDone done = std::move(found->second);
    waiting_.erase(found);
    --sent_;
    const TableResult result{static_cast<TableOutcome>(one.outcome), one.version,
                             static_cast<std::int64_t>(one.sum)};
    if (!result) ++refused_;
    if (done) done(result);
  }
  pump();
}

bool OperationQueue::tell_ended() {
  if (ended_.empty()) return false;
  // Those that are added meanwhile have their turn.
  for (auto& [done, result] : std::exchange(ended_, {})) done(result);
  return true;
}

}  // namespace mpb
