// What a run of mprtmp is asked to do: the command line, checked.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "bench/load/common_options.hpp"
#include "bench/mprtmp/address.hpp"
#include "bench/mprtmp/synthetic_stream.hpp"
#include "common/base/choice.hpp"
#include "common/base/units.hpp"

namespace mpb::rtmp_load {

/// With what a player of --churn has got what it came for.
enum class Until : std::uint8_t { kStart, kMedia, kKey };

inline constexpr std::array<Choice<Until>, 3> kUntils{
    {{"start", Until::kStart}, {"media", Until::kMedia}, {"key", Until::kKey}}};

inline constexpr std::int64_t kMaxAtOnce = 1'000'000;
inline constexpr std::int64_t kMaxStreams = 1'000'000;

struct Settings : load::TargetSettings {
  bool publish = false;
  bool play = false;   // `clients` players stay
  bool churn = false;  // players come and go, `concurrency` of them at once
  StreamNames names;
  StreamShape shape;
  std::uint64_t clients = 0;  // players in total; 0: no bound (churn)
  std::uint64_t concurrency = 0;
  double rate = 0;       // clients a second; 0: as fast as they are answered
  Duration duration{0};  // 0: no bound
  Duration hold{0};      // once all clients are served; 0: no such end
  Duration timeout{0};   // for connecting, for each answer, and for a player without media
  Until until = Until::kMedia;
  bool digest = false;  // the handshake's "complex" form

  [[nodiscard]] std::uint64_t publishers() const { return publish ? names.total() : 0; }
  /// Clients at once, at most.
  [[nodiscard]] std::uint64_t at_once() const;
};

/// "publish", "play", "publish+play", "churn" or "publish+churn".
std::string mode_name(const Settings& settings);
/// How many loopback source addresses a run needs so that its local ports last.
unsigned sources_needed(const Settings& settings);
/// Descriptors the run holds at once, with some for itself.
std::uint64_t descriptors_needed(const Settings& settings);

}  // namespace mpb::rtmp_load
