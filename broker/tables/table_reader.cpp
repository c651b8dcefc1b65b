#include "broker/tables/table_reader.hpp"

#include <utility>

namespace mpb {
namespace {

constexpr std::size_t kFullDatagram = 64UL * 1024;  // what channel::take_change_batch() fills

}  // namespace

void TableSnapshot::add(const channel::TableChange& change) {
  if (!complete) return;
  channel::append_change(since, change);
  if (since.size() <= kMostSince) return;
  complete = false;
  since = std::string();
}

void TableReader::begin(std::shared_ptr<const TableSnapshot> snapshot) {
  snapshot_ = std::move(snapshot);
  rest_ = snapshot_->changes;
  first_ = true;
  behind_ = false;
}

bool TableReader::needs_calm(TimePoint now) {
  if (has_tables_ || !(failed_ || (snapshot_ && snapshot_->has_changed_much()))) return false;
  if (!calm_until_) calm_until_ = now + kLongestCalm;
  return now < *calm_until_;
}

std::optional<channel::Tables> TableReader::next_part(std::size_t unread) {
  if (!snapshot_ || unread >= kPartsAhead) return std::nullopt;
  channel::Tables part;
  part.window = kWindow;
  part.version = snapshot_->version;
  part.changes = channel::take_change_batch(rest_);
  if (std::exchange(first_, false)) part.flags |= channel::Tables::kFirst;
  if (rest_.empty()) part.flags |= channel::Tables::kLast;
  return part;
}

std::string_view TableReader::take(std::string_view changes, std::size_t unread) {
  if (snapshot_ || behind_ || changes.empty()) return {};
  behind_ = unread + changes.size() / kFullDatagram >= kMostUnread;
  return behind_ ? std::string_view() : changes;
}

std::string TableReader::end_snapshot() {
  if (!snapshot_ || !rest_.empty() || first_) return {};
  const auto ended = std::exchange(snapshot_, nullptr);
  behind_ = failed_ = !ended->complete;
  has_tables_ = has_tables_ || ended->complete;
  return ended->since;
}

bool TableReader::add_result(const channel::TableResult& result) {
  if (results_.size() >= kWindow) return false;
  results_.push_back(result);
  return true;
}

std::vector<channel::TableResult> TableReader::take_results() {
  if (is_waiting()) return {};
  return std::exchange(results_, {});
}

}  // namespace mpb
