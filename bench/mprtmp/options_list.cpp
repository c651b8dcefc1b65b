// Names, defaults, bounds and explanations of mprtmp's options.
#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "bench/mprtmp/options.hpp"
#include "proto/rtmp/location.hpp"

namespace mpb::rtmp_load {
namespace {

using load::kOutputGroup;
using load::kTargetGroup;

constexpr std::string_view kLoad = "Load: at least one of --publish, --play and --churn";
constexpr std::string_view kStreams = "Streams";
constexpr std::string_view kMedia = "What publishers send";
constexpr std::int64_t kMaxClients = 1'000'000'000;
constexpr std::int64_t kMaxFps = 240;
constexpr double kMaxBitrate = 1e9;

/// "0", "500kbit", "2.5Mbit": bits a second.
Result<std::uint64_t> read_bits(std::string_view text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, status] = std::from_chars(text.data(), end, value);
  const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  const double factor = unit == "bit" ? 1 : unit == "kbit" ? 1e3 : unit == "Mbit" ? 1e6 : 0;
  const bool zero = value == 0 && unit.empty();
  if (status != std::errc() || (factor == 0 && !zero) || !(value >= 0) ||
      value * factor > kMaxBitrate) {
    return usage_error("expected a bit rate such as 500kbit or 2.5Mbit, at most 1000Mbit, or 0");
  }
  return static_cast<std::uint64_t>(std::llround(value * factor));
}

Result<std::string> read_part(std::string_view text) {
  if (!text.empty() && text.size() <= rtmp::kMaxName) return std::string(text);
  return usage_error(fmt::format("expected a name of 1 to {} bytes", rtmp::kMaxName));
}

Result<Duration> read_gop(std::string_view text) {
  constexpr Duration kLongest{60'000};
  const auto gop = read_duration(text, false);
  if (gop && *gop > kLongest) return usage_error("expected at most 1m");
  return gop;
}

using S = Settings;
using N = StreamNames;
using Shape = StreamShape;

constexpr Option<S> kOptions[] = {
    {{"connect", kTargetGroup, "ENDPOINT", "", "",
      "instead of HOST PORT: 127.0.0.1:1935, [::1]:1935, localhost:1935"},
     into<Value<load::read_target>, &S::target>},
    load::sources_option<S>(),
    load::close_option<S>(),
    {{"digest", kTargetGroup, "", "", "",
      "the handshake with digests, as Flash Player and ffmpeg do"},
     into<Switch, &S::digest>},

    {{"publish", kLoad, "", "", "", "one publisher for each stream"}, into<Switch, &S::publish>},
    {{"play", kLoad, "", "", "", "--clients players, spread over all streams, stay"},
     into<Switch, &S::play>},
    {{"churn", kLoad, "", "", "",
      "players come and go: each plays until --until, then leaves and the next one comes"},
     into<Switch, &S::churn>},
    {{"clients", kLoad, "N", "", "",
      "players in total (with --play needed; with --churn: no bound)"},
     into<Whole<1, kMaxClients>, &S::clients>},
    {{"concurrency", kLoad, "N", "", "16", "with --churn: players at once"},
     into<Whole<1, kMaxAtOnce>, &S::concurrency>},
    {{"until", kLoad, "WHAT", "", "media",
      "with --churn: start (play was answered), media (first byte of audio or video) or key (first "
      "key frame)"},
     into<Word<kUntils>, &S::until>},
    {{"rate", kLoad, "R", "", "as fast as they are answered",
      "start R clients a second; times count from the intended start"},
     into<Value<load::read_rate>, &S::rate>},
    {{"duration", kLoad, "TIME", "", "no bound", "the run ends then"},
     into<TimeAbove0, &S::duration>},
    {{"hold", kLoad, "TIME", "", "",
      "when all clients are served, say so, measure traffic and transit for TIME, and end"},
     into<TimeAbove0, &S::hold>},
    {{"timeout", kLoad, "TIME", "10s", "",
      "for connecting, for each answer, and for a player without media"},
     into<TimeAbove0, &S::timeout>},

    {{"vhosts", kStreams, "N", "1", "", "how many"},
     into<Whole<1, kMaxStreams>, &S::names, &N::vhosts>},
    {{"vhost", kStreams, "NAME", "v%d.test", "", "their names; %d is the number from 0 on"},
     into<Text<read_part>, &S::names, &N::vhost>},
    {{"vhost-form", kStreams, "tcurl|app|stream", "tcurl", "",
      "where it is named: tcUrl's host, app?vhost=, or stream?vhost="},
     into<Word<kForms>, &S::names, &N::form>},
    {{"app", kStreams, "NAME", "live", "", "the application"},
     into<Text<read_part>, &S::names, &N::app>},
    {{"stream", kStreams, "NAME", "s", "", "with several --streams their number is put behind it"},
     into<Text<read_part>, &S::names, &N::stream>},
    {{"streams", kStreams, "N", "1", "", "of each vhost"},
     into<Whole<1, kMaxStreams>, &S::names, &N::streams>},

    {{"bitrate", kMedia, "RATE", "2.5Mbit", "", "of all together: 500kbit, 2.5Mbit, ..."},
     into<Value<read_bits>, &S::shape, &Shape::bitrate>},
    {{"audio", kMedia, "RATE", "128kbit", "", "of it; 0: no audio"},
     into<Value<read_bits>, &S::shape, &Shape::audio_bitrate>},
    {{"fps", kMedia, "N", "30", "", "video frames a second"},
     into<Whole<1, kMaxFps>, &S::shape, &Shape::fps>},
    {{"gop", kMedia, "TIME", "2s", "", "from key frame to key frame"},
     into<Value<read_gop>, &S::shape, &Shape::gop>},

    load::json_option<S>(),
    help_option<S>(kOutputGroup),
    version_option<S>(kOutputGroup),
};

constexpr std::string_view kUsage =
    "mprtmp HOST PORT | --connect ENDPOINT --publish | --play | --churn [options]\n"
    "\n"
    "Loads an RTMP server with publishers and players and reports what they met: every frame\n"
    "of its publishers has a number and the time it was sent.\n"
    "\n"
    "TIME is 200ms, 5s, 1m, 2h or 1d; RATE is bits a second. Times in reports are microseconds.\n";
constexpr std::string_view kEnding =
    "\nExit status: 0 all clients were served; 1 one was lost or got another stream;\n"
    "2 the command line is wrong.\n";

}  // namespace

const Program<Settings>& program() {
  static constexpr Program<Settings> kProgram{
      "mprtmp", kOptions, kUsage, kEnding, 2, "at most two arguments without a name: HOST PORT"};
  return kProgram;
}

}  // namespace mpb::rtmp_load
