#include "worker/clients/memory_budget.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>

namespace mpb {
namespace {

/// The level at which all of `amounts` together are `room`, if whoever has more has as much as
/// that.
std::uint64_t level_of(std::vector<std::uint64_t> amounts, std::uint64_t room) {
  std::ranges::sort(amounts);
  for (std::size_t i = 0; i < amounts.size(); ++i) {
    const std::uint64_t level = room / (amounts.size() - i);
    if (amounts[i] > level) return level;
    room -= amounts[i];
  }
  return UINT64_MAX;
}

/// The shares of one client, and what they are together.
struct Holder {
  std::string_view vhost;
  std::uint64_t bytes = 0;
  std::uint64_t level = UINT64_MAX;
  std::vector<std::size_t> shares;
  bool closed = false;
};

struct Group {
  std::uint64_t bytes = 0;
  std::uint64_t level = UINT64_MAX;
};

class Planner {
 public:
  Planner(std::span<const MemoryShare> shares, std::uint64_t used, std::uint64_t wanted)
      : shares_(shares), excess_(used - wanted) {
    std::uint64_t known = 0;
    for (const MemoryShare& share : shares_) known += share.bytes;
    gather();
    // What nobody's share is cannot be given up.
    const std::uint64_t unknown = used - std::min(used, known);
    find_levels(wanted - std::min(wanted, unknown));
  }

  /// Those with the most first, the largest of their shares first.
  std::vector<MemoryBudget::Order> plan(Relief hardest) {
    std::vector<Holder*> order;
    for (Holder& holder : holders_) order.push_back(&holder);
    std::ranges::stable_sort(order, [this](const Holder* a, const Holder* b) {
      const std::uint64_t of_a = groups_[a->vhost].bytes;
      const std::uint64_t of_b = groups_[b->vhost].bytes;
      return of_a != of_b ? of_a > of_b : a->bytes > b->bytes;
    });
    for (const Relief relief : {Relief::kTrim, Relief::kSkip, Relief::kClose}) {
      if (relief > hardest) break;
      for (Holder* holder : order) {
        relief == Relief::kClose ? close(*holder) : reduce(*holder, relief);
      }
    }
    return std::move(orders_);
  }

 private:
  void gather() {
    std::map<const void*, std::size_t> known;
    for (std::size_t i = 0; i < shares_.size(); ++i) {
      const MemoryShare& share = shares_[i];
      std::size_t place = holders_.size();
      if (share.client != nullptr) place = known.try_emplace(share.client, place).first->second;
      if (place == holders_.size()) holders_.emplace_back();
      Holder& holder = holders_[place];
      if (holder.vhost.empty()) holder.vhost = share.vhost;
      holder.bytes += share.bytes;
      holder.shares.push_back(i);
    }
    for (const Holder& holder : holders_) groups_[holder.vhost].bytes += holder.bytes;
    left_.reserve(shares_.size());
    for (const MemoryShare& share : shares_) left_.push_back(share);
  }

  void find_levels(std::uint64_t room) {
    std::vector<std::uint64_t> amounts;
    std::map<std::string_view, std::vector<std::uint64_t>> members;
    for (const auto& [vhost, group] : groups_) amounts.push_back(group.bytes);
    for (const Holder& holder : holders_) members[holder.vhost].push_back(holder.bytes);
    const std::uint64_t each = level_of(amounts, room);
    for (auto& [vhost, group] : groups_) group.level = each;
    std::map<std::string_view, std::uint64_t> levels;
    for (auto& [vhost, of_members] : members) {
      if (groups_[vhost].bytes > each) levels[vhost] = level_of(std::move(of_members), each);
    }
    for (Holder& holder : holders_) {
      if (const auto found = levels.find(holder.vhost); found != levels.end()) {
        holder.level = found->second;
      }
    }
  }

  [[nodiscard]] bool gives(const Holder& holder) {
    const Group& group = groups_[holder.vhost];
    return excess_ > 0 && !holder.closed && group.bytes > group.level &&
           holder.bytes > holder.level;
  }

  void free(Holder& holder, std::uint64_t bytes) {
    holder.bytes -= std::min(holder.bytes, bytes);
    std::uint64_t& of_group = groups_[holder.vhost].bytes;
    of_group -= std::min(of_group, bytes);
    excess_ -= std::min(excess_, bytes);
  }

  static std::uint64_t& part_of(MemoryShare& share, Relief relief) {
    return relief == Relief::kTrim ? share.spare : share.due;
  }

  void reduce(Holder& holder, Relief relief) {
    while (gives(holder)) {
      const auto largest = std::ranges::max_element(
          holder.shares, {}, [&](std::size_t number) { return part_of(left_[number], relief); });
      std::uint64_t& part = part_of(left_[*largest], relief);
      if (part == 0) return;
      orders_.push_back({*largest, relief});
      free(holder, part);
      left_[*largest].bytes -= std::min(left_[*largest].bytes, part);
      part = 0;
    }
  }

  void close(Holder& holder) {
    if (!gives(holder) || shares_[holder.shares.front()].client == nullptr) return;
    holder.closed = true;
    orders_.push_back({holder.shares.front(), Relief::kClose});
    free(holder, holder.bytes);
  }

  std::span<const MemoryShare> shares_;
  std::vector<MemoryShare> left_;  // what is left of them
  std::uint64_t excess_;
  std::vector<Holder> holders_;
  std::map<std::string_view, Group> groups_;
  std::vector<MemoryBudget::Order> orders_;
};

}  // namespace

std::vector<MemoryBudget::Order> MemoryBudget::plan(std::span<const MemoryShare> shares,
                                                    Relief hardest) const {
  return plan(shares, limit_ - limit_ / kTenth, hardest);
}

std::vector<MemoryBudget::Order> MemoryBudget::plan(std::span<const MemoryShare> shares,
                                                    std::uint64_t wanted, Relief hardest) const {
  if (used_ <= wanted) return {};
  return Planner(shares, used_, wanted).plan(hardest);
}

}  // namespace mpb
