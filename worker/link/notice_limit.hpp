// Which notices are told, so that neither a client nor all together fill the log. Pure: the caller
// brings the clock.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/keyed_map.hpp"
#include "common/io/rate_bucket.hpp"
#include "mpbroker/notice.hpp"

namespace mpb {

class NoticeLimit {
 public:
  /// Whether the notice may be told now: then how many like it (of the same kind, vhost and
  /// reason) were held back before. `section`: the name of the vhost's section in the
  /// configuration; empty: it has none, and clients may name as many as they like.
  std::optional<std::uint32_t> admit(const Notice& notice, std::string_view section, TimePoint now);

  [[nodiscard]] std::size_t vhosts() const { return by_section_.size(); }

 private:
  static constexpr std::size_t kShared = 16;
  /// By reason; publish and unpublish have each one for all reasons.
  using Buckets = std::array<RateBucket, kReasons + 2>;

  Buckets& buckets(const Notice& notice, std::string_view section, TimePoint now);
  void forget_resting(TimePoint now);

  KeyedMap<std::string, Buckets> by_section_;
  std::array<Buckets, kShared> shared_;  // of all other names, by their hash
  RateBucket all_;
  TimePoint next_look_{};  // for sections at rest
};

}  // namespace mpb
