#include "broker/tables/table_reader.hpp"

#include <utility>

namespace mpb {
namespace {

constexpr std::size_t kFullDatagram = 64UL * 1024;  // what channel::take_change_batch() fills

}  // namespace

void TableReader::begin(std::shared_ptr<const TableSnapshot> snapshot) {
  snapshot_ = std::move(snapshot);
  rest_ = snapshot_->changes;
  first_ = true;
  behind_ = false;
  since_.clear();
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
  if (behind_ || changes.empty()) return {};
  if (!snapshot_ && unread + changes.size() / kFullDatagram < kMostUnread) return changes;
  if (!snapshot_ || since_.size() + changes.size() > kMostSince) {
    behind_ = true;
    since_ = std::string();
    return {};
  }
  since_ += changes;
  return {};
}

std::string TableReader::take_held_back() {
  if (snapshot_ && rest_.empty() && !first_) snapshot_.reset();
  return snapshot_ ? std::string() : std::exchange(since_, {});
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
