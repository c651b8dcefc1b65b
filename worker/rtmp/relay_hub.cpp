#include "worker/rtmp/relay_hub.hpp"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "common/log.hpp"
#include "common/utf8.hpp"
#include "worker/rtmp/relay_client.hpp"

namespace mpb::rtmp {
namespace {

constexpr Duration kTick{1'000};           // between two looks at silent clients and rates
constexpr double kRateWeight = 0.4;        // of the last second in a rate
constexpr std::uint32_t kSecondsOver = 5;  // a publisher may exceed its bitrate for so long
constexpr Duration kBriskDelivery{8};      // needs no pause
constexpr int kPauseFactor = 3;            // times what a delivery took beyond that
constexpr Duration kMaxPause{32};
constexpr Duration kMemoryLineInterval{60'000};
constexpr std::size_t kMaxTold = 255;  // bytes of a name that an operator is told as it is

/// A client's name as the operator is told it: in UTF-8, and of a very long one the beginning and a
/// number that tells it from others.
std::string told(const std::string& name) {
  if (name.size() <= kMaxTold) return as_utf8(name);
  const std::size_t hash = KeyedHash{}(name);
  return as_utf8(utf8_prefix(name, kMaxTold / 2)) + fmt::format("...#{:016x}", hash);
}

/// As the members of its description say it, one behind the other.
std::string told(const StreamName& name) {
  return told(name.vhost) + '/' + told(name.app) + '/' + told(name.stream);
}

double rounded(double value) {
  return std::round(value * 10) / 10;
}

/// CPU time of this thread: when it is not running, that is no reason to send less.
std::chrono::nanoseconds cpu_time() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

Duration pause_after(std::chrono::nanoseconds delivery) {
  const auto beyond = std::chrono::ceil<Duration>(delivery) - kBriskDelivery;
  return std::clamp(kPauseFactor * beyond, Duration{0}, kMaxPause);
}

RelayHub::RelayHub(Environment& environment) : environment_(environment), measured_at_(now()) {
  if (!segment_file_.why_not().empty()) {
    log_warning("relay.copies")("why", segment_file_.why_not())(
        "help", "each player gets a copy of all media, which costs CPU");
  }
  environment_.loop.at_turn_end([this] { end_turn(); });
  environment_.answer("streams", [this](std::string_view) { return describe_streams(); });
  environment_.answer("kick", [this](std::string_view path) {
    return boost::json::serialize(boost::json::object{{"kicked", kick(std::string(path))}});
  });
  tick();
}

LiveStream* RelayHub::find(const std::string& path) const {
  const auto found = streams_.find(path);
  return found == streams_.end() ? nullptr : found->second.stream.get();
}

LiveStream& RelayHub::find_or_make(const StreamName& name) {
  Entry& entry = streams_[name.path()];
  if (!entry.stream) {
    entry.stream = std::make_unique<LiveStream>(name, environment_.vhosts.find(name.vhost),
                                                segment_file_, now());
    waiting_.add(entry.stream->name().path().size());
  }
  return *entry.stream;
}

void RelayHub::begin_publishing(LiveStream& stream, RelayClient& publisher) {
  if (stream.publisher() == nullptr) waiting_.remove(stream.name().path().size());
  stream.begin_publishing(publisher, now());
}

void RelayHub::end_publishing(LiveStream& stream) {
  stream.end_publishing(now());
  waiting_.add(stream.name().path().size());
}

bool RelayHub::may_play(const std::string& path, std::size_t waits) const {
  const LiveStream* known = find(path);
  if (known != nullptr && known->publisher() != nullptr) return true;
  return waiting_.admits(waits, known != nullptr ? 0 : WaitingStreams::cost(path.size()));
}

void RelayHub::release(LiveStream& stream) {
  if (stream.publisher() != nullptr || !stream.players().empty()) return;
  if (stream.delivery == LiveStream::Delivery::kDue) std::erase(due_, &stream);
  memory_.change(stream.accounted, 0);
  const std::string vhost = stream.name().vhost;
  const std::string path = stream.name().path();
  waiting_.remove(path.size());
  streams_.erase(path);
  const Usage used = usage(vhost);
  if (used.players == 0 && used.publishers == 0) usage_.erase(vhost);
}

RelayHub::Usage RelayHub::usage(const std::string& vhost) const {
  const auto found = usage_.find(vhost);
  return found == usage_.end() ? Usage{} : found->second;
}

void RelayHub::forget(RelayClient& client) {
  to_flush_.erase(&client);
  to_finish_.erase(&client);
  watched_.erase(&client);
}

void RelayHub::make_due(LiveStream& stream) {
  if (stream.delivery == LiveStream::Delivery::kDue) return;
  stream.delivery = LiveStream::Delivery::kDue;
  due_.push_back(&stream);
}

Duration RelayHub::time_to_delivery(const LiveStream& stream) const {
  const Duration merge = stream.settings().merge;
  if (merge.count() > 0) return merge;
  return std::max(Duration{0}, std::chrono::ceil<Duration>(stream.pause_ends - now()));
}

void RelayHub::published(LiveStream& stream) {
  if (stream.delivery != LiveStream::Delivery::kNone) return;
  const Duration wait = time_to_delivery(stream);
  if (wait.count() == 0) return make_due(stream);
  stream.delivery = LiveStream::Delivery::kScheduled;
  environment_.loop.after(wait, [this, path = stream.name().path()] {
    if (LiveStream* still = find(path)) make_due(*still);
  });
}

void RelayHub::deliver(LiveStream& stream) {
  const Duration queue = stream.settings().queue;
  const TimePoint at = now();
  const std::chrono::nanoseconds began = cpu_time();
  for (Player* player : stream.players()) {
    RelayClient& client = player->client();
    if (player->waiting()) client.begin_if_possible(*player);
    if (client.blocked()) {
      client.drop_if_late(*player, at, queue);
    } else if (!client.flush()) {
      finish_later(client);
    }
  }
  const Duration pause = pause_after(cpu_time() - began);
  stream.pause_ends = pause.count() > 0 ? Clock::now() + pause : TimePoint{};
}

void RelayHub::end_turn() {
  memory_.set_limit(environment_.gop_memory);
  while (!due_.empty() || !to_flush_.empty() || !to_finish_.empty()) {
    while (!due_.empty()) {
      LiveStream* stream = due_.back();
      due_.pop_back();
      stream->delivery = LiveStream::Delivery::kNone;
      if (!stream->players().empty()) deliver(*stream);
      stream->trim();
      account(*stream);
    }
    if (memory_.is_full()) make_room();
    for (RelayClient* client : std::exchange(to_flush_, {})) {
      if (client->blocked()) continue;
      if (client->flush()) {
        client->move_if_written();
      } else {
        finish_later(*client);
      }
    }
    // Closing or moving one may make others due, but never frees another.
    while (!to_finish_.empty()) {
      RelayClient* client = *to_finish_.begin();
      to_finish_.erase(to_finish_.begin());
      client->finish();
    }
  }
}

void RelayHub::account(LiveStream& stream) {
  const std::uint64_t bytes = stream.log().memory();
  memory_.change(std::exchange(stream.accounted, bytes), bytes);
}

void RelayHub::make_room() {
  std::vector<LiveStream*> streams;
  std::vector<std::uint64_t> spare;
  for (const auto& [path, entry] : streams_) {
    streams.push_back(entry.stream.get());
    spare.push_back(entry.stream->spare_bytes());
  }
  const std::uint64_t before = memory_.used();
  const std::vector<std::size_t> chosen = memory_.choose(spare);
  for (const std::size_t number : chosen) {
    streams[number]->give_up_spare();
    account(*streams[number]);
  }
  memory_.gave_up();
  given_up_untold_ += chosen.size();
  if (now() < next_memory_line_) return;
  next_memory_line_ = now() + kMemoryLineInterval;
  log_warning("gop_memory.full")("limit", environment_.gop_memory)("bytes", before)(
      "left", memory_.used())("given_up", std::exchange(given_up_untold_, 0))(
      "help", "players of these streams wait for the next key frame; raise gop-memory");
}

std::size_t RelayHub::kick(const std::string& path) {
  auto found = streams_.find(path);
  // Or as it is told where it is not UTF-8, or very long.
  if (found == streams_.end() && path.find_first_of("%#") != std::string::npos) {
    found = std::find_if(streams_.begin(), streams_.end(), [&path](const auto& entry) {
      return told(entry.second.stream->name()) == path;
    });
  }
  if (found == streams_.end()) return 0;
  const LiveStream* stream = found->second.stream.get();
  KeyedSet<RelayClient*> clients;
  if (stream->publisher() != nullptr) clients.insert(stream->publisher());
  for (const Player* player : stream->players()) clients.insert(&player->client());
  for (RelayClient* client : clients) {
    client->set_end_reason(Reason::kKicked);
    finish_later(*client);
  }
  log_info("kick")("stream", path)("clients", clients.size());
  return clients.size();
}

void RelayHub::measure(Entry& entry, double seconds) {
  LiveStream& stream = *entry.stream;
  const auto rate = [seconds](std::uint64_t total, std::uint64_t& before, double& kbps) {
    const double last = static_cast<double>(total - before) * 8 / 1000 / seconds;
    kbps += (last - kbps) * kRateWeight;
    before = total;
    return last;
  };
  const double in = rate(stream.counters.bytes_in, entry.in_before, entry.in_kbps);
  rate(stream.counters.bytes_out, entry.out_before, entry.out_kbps);
  const std::uint64_t limit = stream.settings().max_bitrate;
  const bool over = limit > 0 && in * 1000 > static_cast<double>(limit);
  const bool same = std::exchange(entry.publisher_came, stream.began()) == stream.began();
  entry.seconds_over = over && same ? entry.seconds_over + 1 : 0;
  if (entry.seconds_over < kSecondsOver || stream.publisher() == nullptr) return;
  log_warning("publisher.bitrate")("stream", told(stream.name()))("kbps", std::llround(in))(
      "limit_kbps", limit / 1000);
  entry.seconds_over = 0;
  stream.publisher()->tell_refused(Reason::kMaxBitrate);
  finish_later(*stream.publisher());
}

void RelayHub::tick() {
  const TimePoint at = now();
  const double seconds = std::chrono::duration<double>(at - measured_at_).count();
  const bool reloaded =
      std::exchange(vhosts_version_, environment_.vhosts.version()) != vhosts_version_;
  for (auto& [path, entry] : streams_) {
    if (reloaded) entry.stream->set_settings(environment_.vhosts.find(entry.stream->name().vhost));
    if (seconds > 0) measure(entry, seconds);
  }
  measured_at_ = at;
  for (RelayClient* client : watched_) {
    const Reason reason = client->silent_too_long(at);
    if (reason == Reason::kNone) continue;
    client->tell_refused(reason);
    finish_later(*client);
  }
  if (waiting_.too_many()) thin_waiting();
  environment_.loop.after(kTick, [this] { tick(); });
}

void RelayHub::thin_waiting() {
  for (std::size_t keep = WaitingStreams::kMostOfClient; keep > 0; keep /= 2) {
    for (RelayClient* client : watched_) {
      if (!waiting_.too_many()) return;
      client->wait_for_at_most(keep);
    }
  }
}

std::string RelayHub::describe_streams() const {
  boost::json::array streams;
  for (const auto& [path, entry] : streams_) {
    const LiveStream& stream = *entry.stream;
    const RelayClient* publisher = stream.publisher();
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(now() - stream.began());
    streams.push_back(boost::json::object{
        {"vhost", told(stream.name().vhost)},
        {"app", told(stream.name().app)},
        {"stream", told(stream.name().stream)},
        {"publisher", publisher != nullptr ? publisher->address() : std::string()},
        {"video", stream.video_codec()},
        {"audio", stream.audio_codec()},
        {"width", stream.size().width},
        {"height", stream.size().height},
        {"fps", rounded(stream.frame_rate())},
        {"kbps_in", rounded(entry.in_kbps)},
        {"kbps_out", rounded(entry.out_kbps)},
        {"players", stream.players().size()},
        {"drops", stream.counters.drops},
        {"cut", stream.counters.cut},
        {"kept_bytes", stream.log().memory()},
        {"given_up", stream.counters.given_up},
        {"age_s", age.count()},
    });
  }
  return boost::json::serialize(
      boost::json::object{{"streams", std::move(streams)}, {"ignored", ignored.total()}});
}

}  // namespace mpb::rtmp
