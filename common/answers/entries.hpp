// What workers answer to the operator's questions, a line for each column. The channel and the
// broker's JSON walk these lists; docs/channel-protocol.md (section 8) and docs/operations.md
// describe them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "common/answers/column.hpp"
#include "common/base/counters.hpp"

namespace mpb {

// --- in the order of the channel: new columns come at the end

// clang-format off
#define MPB_STREAM_COLUMNS(X) \
  X(std::string, vhost) \
  X(std::string, app) \
  X(std::string, stream) \
  X(std::string, publisher) \
  X(std::string, video) \
  X(std::string, audio) \
  X(std::uint64_t, width) \
  X(std::uint64_t, height) \
  X(double, fps) \
  X(double, kbps_in) \
  X(double, kbps_out) \
  X(std::uint64_t, players) \
  X(std::uint64_t, drops) \
  X(std::uint64_t, cut) \
  X(std::uint64_t, age_s) \
  X(std::uint64_t, kept_bytes) \
  X(std::uint64_t, given_up)
#define MPB_STREAM_TOTALS(X) \
  X(ignored, kCount, "ignored", "", "Messages of clients that meant nothing.")

#define MPB_UPSTREAM_COLUMNS(X) \
  X(std::string, vhost) \
  X(std::string, address) \
  X(std::string, why) \
  X(UpstreamCounters, counters) \
  X(bool, backup) \
  X(bool, out)
#define MPB_UPSTREAM_TOTALS(X) \
  X(clients, kNow, "clients", "", "Clients that are forwarded.") \
  X(unserved, kCount, "unserved", "", "Clients that no upstream served.")

#define MPB_HOOK_COLUMNS(X) \
  X(std::string, server) \
  X(std::string, state) \
  X(HookCounters, counters)

#define MPB_KICK_TOTALS(X) \
  X(kicked, kCount, "kicked", "", "Publishers and players that were closed.")
// clang-format on

/// A live stream in a worker.
struct StreamEntry {
  static constexpr std::string_view kQuestion = "streams";  // and the name of the list in JSON
  MPB_COLUMNS(MPB_STREAM_COLUMNS)

  /// Beside the list.
  struct Totals {
    MPB_COUNTERS(Totals, MPB_STREAM_TOTALS)
  };
  /// Entries are shown in this order.
  [[nodiscard]] auto key() const { return std::tie(vhost, app, stream); }
  /// One that is not is not shown.
  [[nodiscard]] bool named() const { return !vhost.empty() && !app.empty(); }
};

/// A server that clients are forwarded to, as a worker sees it.
struct UpstreamEntry {
  static constexpr std::string_view kQuestion = "upstreams";
  MPB_COLUMNS(MPB_UPSTREAM_COLUMNS)

  struct Totals {
    MPB_COUNTERS(Totals, MPB_UPSTREAM_TOTALS)
  };
  [[nodiscard]] auto key() const { return std::tie(vhost, address); }
  [[nodiscard]] bool named() const { return !vhost.empty() && !address.empty(); }
};

/// A web server that a worker asks.
struct HookEntry {
  static constexpr std::string_view kQuestion = "hooks";
  MPB_COLUMNS(MPB_HOOK_COLUMNS)

  struct Totals {
    static constexpr std::array<Counter<Totals>, 0> counters() { return {}; }
  };
  [[nodiscard]] auto key() const { return std::tie(server); }
  [[nodiscard]] bool named() const { return true; }
};

/// What is answered to "kick" has no list.
struct KickEntry {
  static constexpr std::string_view kQuestion = "kick";

  struct Totals {
    MPB_COUNTERS(Totals, MPB_KICK_TOTALS)
  };
  static void walk(const KickEntry&, const auto&) {}
  [[nodiscard]] std::tuple<> key() const { return {}; }
  [[nodiscard]] bool named() const { return false; }
};

/// What one worker answers to the question of `Entry`.
template <class Entry>
struct Listing {
  typename Entry::Totals totals{};
  std::vector<Entry> entries{};
};

}  // namespace mpb
