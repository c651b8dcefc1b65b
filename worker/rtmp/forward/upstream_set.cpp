#include "worker/rtmp/forward/upstream_set.hpp"

#include <algorithm>
#include <utility>

namespace mpb::rtmp {

UpstreamSet::UpstreamSet(const VhostSettings& settings, const UpstreamSet* before)
    : fails_(std::max(settings.upstream_fails, 1U)), pause_(settings.upstream_pause) {
  members_.reserve(settings.upstreams.size());
  for (const Upstream& upstream : settings.upstreams) {
    Member& member = members_.emplace_back();
    if (before != nullptr) {
      const auto known = std::ranges::find(
          before->members_, upstream.address,
          [](const Member& old) -> auto& { return old.upstream.address; });
      if (known != before->members_.end()) member = *known;
    }
    member.upstream = upstream;
  }
}

std::optional<std::size_t> UpstreamSet::pick(TimePoint now, std::span<const std::size_t> tried) {
  const auto found = pick_among(false, now, tried);
  return found ? found : pick_among(true, now, tried);
}

std::optional<std::size_t> UpstreamSet::pick_among(bool backups, TimePoint now,
                                                   std::span<const std::size_t> tried) {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const std::size_t number = (next_ + i) % members_.size();
    if (members_[number].upstream.backup != backups || is_out(number, now)) continue;
    if (std::ranges::find(tried, number) != tried.end()) continue;
    next_ = (number + 1) % members_.size();
    return number;
  }
  return std::nullopt;
}

std::shared_ptr<void> UpstreamSet::seat(std::size_t number) {
  const auto count = members_[number].clients;
  ++*count;
  return {count.get(), [count](void*) { --*count; }};
}

bool UpstreamSet::succeeded(std::size_t number) {
  Member& member = members_[number];
  ++member.served;
  const bool was_out = std::exchange(member.failures, 0) >= fails_;
  member.out_until = TimePoint{};
  member.why.clear();
  return was_out;
}

std::vector<Endpoint> UpstreamSet::arrange(std::size_t number, std::vector<Endpoint> addresses,
                                           TimePoint now) {
  Member& member = members_[number];
  if (addresses.size() < 2) return addresses;
  const auto first = static_cast<std::ptrdiff_t>(member.turn++ % addresses.size());
  std::rotate(addresses.begin(), addresses.begin() + first, addresses.end());
  std::erase_if(member.out_addresses, [now](const auto& out) { return out.second <= now; });
  const auto answers = [&member](const Endpoint& address) {
    return !member.out_addresses.contains(address.to_string());
  };
  std::stable_partition(addresses.begin(), addresses.end(), answers);
  return addresses;
}

void UpstreamSet::address_failed(std::size_t number, const Endpoint& address, TimePoint now) {
  constexpr std::size_t kMaxOut = 64;
  auto& out = members_[number].out_addresses;
  if (out.size() < kMaxOut) out[address.to_string()] = now + pause_;
}

void UpstreamSet::refused(std::size_t number, std::string_view why) {
  Member& member = members_[number];
  member.why = why;
  ++member.failed;
}

bool UpstreamSet::failed(std::size_t number, std::string_view why, TimePoint now) {
  Member& member = members_[number];
  member.why = why;
  ++member.failed;
  if (member.failures < UINT32_MAX) ++member.failures;
  // Clients that began before it was out fail later: that does not make the pause longer.
  if (member.failures < fails_ || is_out(number, now)) return false;
  member.out_until = now + pause_;
  return true;
}

}  // namespace mpb::rtmp
