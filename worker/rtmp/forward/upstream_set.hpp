// Which server of a vhost the next client is forwarded to. Pure: the caller brings the clock.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/vhost_settings.hpp"
#include "common/io/endpoint.hpp"
#include "common/io/event_loop.hpp"

namespace mpb::rtmp {

/// The upstreams of one vhost and how they are. They take turns; a backup has its turn only when
/// none of the others is left. `upstream_fails` failures in a row take one out for
/// `upstream_pause`; then it is tried again, and a single failure takes it out anew.
class UpstreamSet {
 public:
  struct Member {
    Upstream upstream;
    std::uint32_t failures = 0;  // in a row
    TimePoint out_until{};
    std::uint64_t served = 0;  // clients that it answered
    std::uint64_t failed = 0;  // clients that it did not
    std::string why;           // of the last failure, if nothing was well since
    std::size_t turn = 0;      // of its addresses
    std::map<std::string, TimePoint> out_addresses;  // those that did not serve, until when
    // That it serves now; clients may outlive the set.
    std::shared_ptr<std::uint64_t> clients = std::make_shared<std::uint64_t>(0);
  };

  /// An address that `before` had, too, keeps its state.
  explicit UpstreamSet(const VhostSettings& settings, const UpstreamSet* before = nullptr);

  /// The number of the upstream for a client that has tried those in `tried` in vain. Nothing:
  /// none is left for it now.
  std::optional<std::size_t> pick(TimePoint now, std::span<const std::size_t> tried);

  /// Counts a client of the upstream's for as long as what it gives is held.
  std::shared_ptr<void> seat(std::size_t number);

  /// The addresses of an upstream that has several, in the order in which to try them: they take
  /// turns, those that did not serve within the last `upstream_pause` coming last.
  std::vector<Endpoint> arrange(std::size_t number, std::vector<Endpoint> addresses, TimePoint now);
  void address_failed(std::size_t number, const Endpoint& address, TimePoint now);

  /// True when it had been out: it is back.
  bool succeeded(std::size_t number);
  /// It did not serve a client, which says nothing about others.
  void refused(std::size_t number, std::string_view why);
  /// True when that takes it out.
  bool failed(std::size_t number, std::string_view why, TimePoint now);

  [[nodiscard]] const std::vector<Member>& members() const { return members_; }
  [[nodiscard]] bool is_out(std::size_t number, TimePoint now) const {
    return members_[number].out_until > now;
  }

 private:
  std::optional<std::size_t> pick_among(bool backups, TimePoint now,
                                        std::span<const std::size_t> tried);

  std::vector<Member> members_;
  std::uint32_t fails_;
  Duration pause_;
  std::size_t next_ = 0;  // whose turn it is
};

}  // namespace mpb::rtmp
