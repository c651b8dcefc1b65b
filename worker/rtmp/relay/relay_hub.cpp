#include "worker/rtmp/relay/relay_hub.hpp"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <new>
#include <utility>

#include "common/answers/record.hpp"
#include "common/base/utf8.hpp"
#include "common/log/log.hpp"
#include "worker/clients/memory_reserve.hpp"
#include "worker/rtmp/relay/relay_client.hpp"

namespace mpb::rtmp {
namespace {

constexpr Duration kTick{1'000};        // between two looks at silent clients and rates
constexpr double kRateWeight = 0.4;     // of the last second in a rate
constexpr Duration kGoOnTime{20};       // that those take up at once
constexpr Duration kPaceInterval{100};  // between two looks at clients that are held up
constexpr Duration kBriskDelivery{8};   // needs no pause
constexpr int kPauseFactor = 3;         // times what a delivery took beyond that
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

RelayHub::RelayHub(WorkerEnvironment& environment)
    : environment_(environment), measured_at_(now()) {
  if (!segment_file_.why_not().empty()) {
    log_warning("relay.copies")("why", segment_file_.why_not())(
        "help", "each player gets a copy of all media, which costs CPU");
  }
  environment_.loop.at_turn_end([this] { end_turn(); });
  environment_.answer("streams",
                      [this](std::string_view) { return content_of(describe_streams()); });
  environment_.answer("kick", [this](std::string_view path) {
    return content_of(Listing<KickEntry>{.totals = {kick(std::string(path))}});
  });
  environment_.memory_keepers.push_back(this);
  tick();
}

RelayHub::~RelayHub() {
  std::erase(environment_.memory_keepers, static_cast<MemoryKeeper*>(this));
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
  gop_memory_.change(stream.accounted, 0);
  apart_ -= stream.accounted_apart;
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
  paced_.erase(&client);
  going_on_.erase(&client);
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

template <class F>
void RelayHub::work_for(RelayClient& client, F&& what) {
  try {
    const MemoryReserve::ClientWork at_work;
    return what();
  } catch (const std::bad_alloc&) {
    // Below, where the reserve is there for what an end needs.
  }
  end_for(client, Reason::kMediaMemory);
}

void RelayHub::deliver(LiveStream& stream) {
  const Duration queue = stream.settings().queue;
  const TimePoint at = now();
  const std::chrono::nanoseconds began = cpu_time();
  for (Player* player : stream.players()) {
    RelayClient& client = player->client();
    work_for(client, [&] {
      if (player->waiting()) client.begin_if_possible(*player);
      if (client.blocked()) {
        client.drop_if_late(*player, at, queue);
      } else if (!client.flush()) {
        finish_later(client);
      }
    });
  }
  const Duration pause = pause_after(cpu_time() - began);
  stream.pause_ends = pause.count() > 0 ? Clock::now() + pause : TimePoint{};
}

void RelayHub::deliver_due() {
  while (!due_.empty()) {
    LiveStream* stream = due_.back();
    due_.pop_back();
    stream->delivery = LiveStream::Delivery::kNone;
    if (!stream->players().empty()) deliver(*stream);
    stream->trim();
    account(*stream);
    bound_publisher(*stream);
  }
}

void RelayHub::flush_due() {
  for (RelayClient* client : std::exchange(to_flush_, {})) {
    if (client->blocked()) continue;
    work_for(*client, [&] {
      if (client->flush()) {
        client->move_if_written();
      } else {
        finish_later(*client);
      }
    });
  }
}

void RelayHub::end_turn() {
  gop_memory_.set_limit(environment_.gop_memory);
  while (!due_.empty() || !to_flush_.empty() || !to_finish_.empty()) {
    deliver_due();
    if (gop_memory_.is_full()) make_room();
    flush_due();
    // Closing or moving one may make others due, but never frees another.
    while (!to_finish_.empty()) {
      RelayClient* client = *to_finish_.begin();
      to_finish_.erase(to_finish_.begin());
      client->finish();
    }
  }
  const std::uint64_t held = segment_file_.memory() + apart_;
  environment_.memory.change(std::exchange(charged_, held), held);
}

void RelayHub::account(LiveStream& stream) {
  const std::uint64_t bytes = stream.memory();
  const std::uint64_t apart = stream.bookkeeping();
  gop_memory_.change(std::exchange(stream.accounted, bytes), bytes);
  apart_ += apart - std::exchange(stream.accounted_apart, apart);
}

void RelayHub::bound_publisher(const LiveStream& stream) {
  const RelayClient* publisher = stream.publisher();
  if (publisher == nullptr || stream.memory() == 0) return;
  for (;;) {
    std::uint64_t kept = 0;
    LiveStream* largest = nullptr;
    publisher->for_each_publication([&](LiveStream& other) {
      const std::uint64_t spare = other.spare_bytes();
      kept += spare;
      if (largest == nullptr || spare > largest->spare_bytes()) largest = &other;
    });
    // One by itself has bounds of its own.
    if (kept <= kMaxKept || largest == nullptr || kept == largest->spare_bytes()) return;
    largest->give_up_spare();
    account(*largest);
  }
}

void RelayHub::list_memory(std::vector<MemoryShare>& shares) {
  for (const auto& [path, entry] : streams_) {
    LiveStream& stream = *entry.stream;
    const RelayClient* publisher = stream.publisher();
    MemoryShare share;
    share.vhost = stream.name().vhost;
    share.client = publisher != nullptr ? publisher->connection() : nullptr;
    share.bytes = stream.memory();
    share.spare = std::min(stream.spare_bytes(), share.bytes);
    share.due = stream.players().empty() ? 0 : share.bytes - share.spare;
    share.keeper = this;
    share.item = &stream;
    if (share.bytes > 0) shares.push_back(std::move(share));
  }
}

void RelayHub::relieve(const MemoryShare& share, Relief relief) {
  LiveStream& stream = *static_cast<LiveStream*>(share.item);
  if (relief == Relief::kClose) return end_for(*stream.publisher(), Reason::kMediaMemory);
  if (relief == Relief::kSkip) skip(stream);
  stream.give_up_spare();
  account(stream);
  const std::uint64_t held = segment_file_.memory() + apart_;
  environment_.memory.change(std::exchange(charged_, held), held);
}

/// Its players go on at what comes next.
void RelayHub::skip(LiveStream& stream) {
  for (Player* player : stream.players()) {
    if (player->position() >= stream.log().end()) continue;
    work_for(player->client(), [&] { player->client().skip(*player); });
  }
}

void RelayHub::make_room() {
  std::vector<MemoryShare> shares;
  list_memory(shares);
  const std::uint64_t before = gop_memory_.used();
  const auto orders = gop_memory_.plan(shares, Relief::kTrim);
  for (const MemoryBudget::Order& order : orders) relieve(shares[order.share], order.relief);
  gop_memory_.relieved();
  given_up_untold_ += orders.size();
  if (now() < next_memory_line_) return;
  next_memory_line_ = now() + kMemoryLineInterval;
  log_warning("gop_memory.full")("limit", environment_.gop_memory)("bytes", before)(
      "left", gop_memory_.used())("given_up", std::exchange(given_up_untold_, 0))(
      "help", "players of these streams wait for the next key frame; raise gop-memory");
}

void RelayHub::go_on_later(RelayClient& client) {
  paced_.insert(&client);
  if (!go_on_armed_) look_later(kPaceInterval);
}

void RelayHub::look_later(Duration delay) {
  environment_.loop.after(delay, [this] { let_go_on(); });
  go_on_armed_ = true;  // not before: there may be no memory for it
}

void RelayHub::let_go_on() {
  if (going_on_.empty()) going_on_.swap(paced_);
  const TimePoint until = Clock::now() + kGoOnTime;
  while (!going_on_.empty() && Clock::now() < until) {
    RelayClient* client = *going_on_.begin();
    going_on_.erase(going_on_.begin());
    client->go_on();
  }
  go_on_armed_ = false;
  // Whoever else has come has a turn before those that are left.
  if (!going_on_.empty()) return look_later(Duration{0});
  if (!paced_.empty()) look_later(kPaceInterval);
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
  if (stream.publisher() != nullptr) stream.publisher()->charge_rest(stream);
  const auto rate = [seconds](std::uint64_t total, std::uint64_t& before, double& kbps) {
    const double last = static_cast<double>(total - std::exchange(before, total)) * 8 / 1000;
    kbps += (last / seconds - kbps) * kRateWeight;
  };
  rate(stream.counters.bytes_in, entry.in_before, entry.in_kbps);
  rate(stream.counters.bytes_out, entry.out_before, entry.out_kbps);
  const std::uint64_t charged = stream.counters.charged;
  const std::uint64_t bytes = charged - std::exchange(entry.charged_before, charged);
  if (std::exchange(entry.publisher_came, stream.began()) != stream.began()) entry.charged.clear();
  entry.charged.add(bytes, seconds);
  const std::uint64_t limit = stream.settings().max_bitrate;
  if (limit == 0 || !entry.charged.exceeds(static_cast<double>(limit) / 8)) return;
  entry.charged.clear();
  if (stream.publisher() == nullptr) return;
  log_warning("publisher.bitrate")("stream", told(stream.name()))(
      "kbps", std::llround(static_cast<double>(bytes) * 8 / 1000 / seconds))("limit_kbps",
                                                                             limit / 1000);
  end_for(*stream.publisher(), Reason::kMaxBitrate);
}

void RelayHub::end_for(RelayClient& client, Reason reason) {
  client.tell_refused(reason);
  finish_later(client);
}

void RelayHub::tick() {
  environment_.loop.after(kTick, [this] { tick(); });
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
    if (to_finish_.contains(client)) continue;
    const Reason reason = client->silent_too_long(at);
    if (reason != Reason::kNone) {
      end_for(*client, reason);
    } else if (seconds > 0 && client->exceeds_bitrate(seconds)) {
      log_warning("publisher.bitrate")("client", client->address());
      end_for(*client, Reason::kMaxBitrate);
    }
  }
  if (waiting_.too_many()) thin_waiting();
}

void RelayHub::thin_waiting() {
  for (std::size_t keep = WaitingStreams::kMostOfClient; keep > 0; keep /= 2) {
    for (RelayClient* client : watched_) {
      if (!waiting_.too_many()) return;
      client->wait_for_at_most(keep);
    }
  }
}

Listing<StreamEntry> RelayHub::describe_streams() const {
  Listing<StreamEntry> streams{.totals = {ignored.total()}};
  for (const auto& [path, entry] : streams_) {
    const LiveStream& stream = *entry.stream;
    const RelayClient* publisher = stream.publisher();
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(now() - stream.began());
    streams.entries.push_back({
        .vhost = told(stream.name().vhost),
        .app = told(stream.name().app),
        .stream = told(stream.name().stream),
        .publisher = publisher != nullptr ? publisher->address() : std::string(),
        .video = std::string(stream.video_codec()),
        .audio = std::string(stream.audio_codec()),
        .width = stream.size().width,
        .height = stream.size().height,
        .fps = rounded(stream.frame_rate()),
        .kbps_in = rounded(entry.in_kbps),
        .kbps_out = rounded(entry.out_kbps),
        .players = stream.players().size(),
        .drops = stream.counters.drops,
        .cut = stream.counters.cut,
        .age_s = static_cast<std::uint64_t>(age.count()),
        .kept_bytes = stream.memory(),
        .given_up = stream.counters.given_up,
    });
  }
  return streams;
}

}  // namespace mpb::rtmp
