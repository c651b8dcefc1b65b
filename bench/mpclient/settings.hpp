// What a run of mpclient is asked to do: the command line, checked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bench/load/common_options.hpp"
#include "bench/mpclient/conversation.hpp"
#include "bench/mpclient/id_source.hpp"
#include "common/base/units.hpp"

namespace mpb::load {

enum class Mode {
  kClosed,  // `concurrency` clients in flight; one ends, the next starts
  kOpen,    // `rate` clients a second, whatever the server does
  kPaced,   // `clients` stay, each with a message every `interval`: mpclient of 2012
  kHold,    // `clients` stay idle for `hold`
  kStorm,   // `clients` connect at once, then all move to another id at once
};

std::string_view mode_name(Mode mode);
/// Clients stay connected until the run releases them.
constexpr bool keeps_clients(Mode mode) {
  return mode != Mode::kClosed && mode != Mode::kOpen;
}

inline constexpr std::int64_t kMaxConcurrency = 1'000'000;

struct Settings : TargetSettings {
  Mode mode = Mode::kClosed;
  std::uint64_t clients = 0;  // in total; 0: no bound
  std::uint64_t concurrency =
      0;                 // closed: in flight; open: at most; 0 there: what descriptors allow
  double rate = 0;       // clients a second
  Duration duration{0};  // 0: no bound
  Duration hold{0};
  Duration interval{0};
  Duration timeout{0};  // for connecting, and for each answer
  std::uint64_t seed = 0;
  std::string ids_text;
  IdSource ids = *IdSource::parse("seq", 0);
  Script script;
  std::uint64_t message_size = 0;
  unsigned threads = 1;
  bool storm = false;
  bool verify = false;
  bool allow_busy = false;
};

/// How many loopback source addresses a run needs so that its local ports last.
unsigned sources_needed(const Settings& settings);

/// Clients that have been served and stay connected a while, so that --verify can compare later
/// clients of their ids with living ones. Beyond those in flight.
std::uint64_t witnesses(const Settings& settings);

/// Descriptors the run holds at once, with some for itself; 0 when it takes what there is.
std::uint64_t descriptors_needed(const Settings& settings);

}  // namespace mpb::load
