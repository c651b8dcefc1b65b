// RelayClient: what it is sent, and when it is too slow for it.
#include <algorithm>
#include <utility>

#include "worker/rtmp/relay_client.hpp"
#include "worker/rtmp/relay_hub.hpp"

namespace mpb::rtmp {
namespace {

constexpr std::size_t kMaxSlices = 64;               // of one sendmsg(2)
constexpr std::size_t kLent = 4UL * 1024;            // bytes that are better lent than copied
constexpr std::size_t kOwnBurst = 256UL * 1024;      // messages written for one client at once
constexpr std::size_t kMaxReplies = 256UL * 1024;    // answers that may wait for a client
constexpr std::size_t kMaxOwn = 20UL * 1024 * 1024;  // a client that reads none of it is ended
constexpr std::size_t kOwnKept = 4UL * 1024;         // memory that an empty own_ may keep

}  // namespace

/// Behind what is on its way: a client that plays gets it between two messages of its streams.
void RelayClient::reply(std::string_view bytes, std::string& out) {
  const bool plays = std::any_of(streams_.begin(), streams_.end(),
                                 [](const NetStream& s) { return s.player != nullptr; });
  if (!plays && own_.empty()) {
    out += bytes;
    return;
  }
  append_own(bytes);
  hub_.flush_later(*this);
}

void RelayClient::append_own(std::string_view bytes) {
  if (Player* sharing = sharing_player()) sharing->finish_message(own_);
  own_ += bytes;
  unread_replies_ += bytes.size();
  if (unread_replies_ > kMaxReplies || own_.size() - own_sent_ > kMaxOwn) cut();
}

void RelayClient::note_slow() {
  if (std::exchange(cut_, true)) return;
  end_reason_ = Reason::kSendTimeout;
  for (const NetStream& stream : streams_) {
    if (stream.player) ++stream.player->stream().counters.cut;
  }
}

void RelayClient::cut() {
  note_slow();
  hub_.finish_later(*this);
}

Player* RelayClient::sharing_player() const {
  for (const NetStream& stream : streams_) {
    if (stream.player && stream.player->shares()) return stream.player.get();
  }
  return nullptr;
}

/// Sends the player's first slice, without a copy of it if that can be.
std::optional<std::size_t> RelayClient::lend(const Player& player, const iovec& slice) {
  if (const auto place = player.file_offset()) {
    const auto taken = connection_->send_file(hub_.segment_file().fd(), *place, slice.iov_len);
    if (taken) return taken;
  }
  return connection_->send({&slice, 1});  // which tells whether the connection is broken
}

bool RelayClient::flush() {
  static std::vector<iovec> slices;  // one thread
  while (!blocked_) {
    Player* const sharing = sharing_player();
    // Nothing may come between the parts of a message.
    if (sharing == nullptr || !sharing->mid_message()) {
      for (NetStream& stream : streams_) {
        if (stream.player) stream.player->write_own(own_, kOwnBurst);
      }
    }
    slices.clear();
    const std::size_t own = own_.size() - own_sent_;
    if (own > 0) slices.push_back({own_.data() + own_sent_, own});
    const std::size_t shared = sharing != nullptr ? sharing->collect(slices, kMaxSlices) : 0;
    if (slices.empty()) return true;
    const auto taken = own == 0 && slices.size() == 1 && shared >= kLent
                           ? lend(*sharing, slices.front())
                           : connection_->send(slices);
    if (!taken) return false;
    blocked_ = *taken < own + shared;
    sent_ += *taken;
    own_sent_ += std::min(*taken, own);
    if (own_sent_ == own_.size()) {
      own_.clear();
      own_sent_ = unread_replies_ = 0;
      if (own_.capacity() > kOwnKept) own_ = std::string();
    }
    if (sharing != nullptr) {
      sharing->stream().counters.bytes_out += *taken;
      if (*taken > own) sharing->advance(*taken - own);
    }
    if (own_.size() - own_sent_ > kMaxOwn) {
      cut();
      return false;
    }
  }
  return true;
}

void RelayClient::begin_if_possible(Player& player) {
  if (player.paused()) return;
  const auto entrance = player.stream().entrance();
  if (!entrance) {
    std::string told;
    player.tell_publisher(told);
    if (told.empty()) return;
    append_own(told);
    return hub_.flush_later(*this);
  }
  append_own({});
  if (cut_) return;
  player.begin(*entrance, own_, hub_.now());
  if (NetStream* stream = find_stream(player.stream_id())) stream->waits_since.reset();
}

void RelayClient::drop_if_late(Player& player, TimePoint now, Duration limit) {
  if (!player.late(now, limit)) return;
  LiveStream& stream = player.stream();
  if (sent_ == player.sent_at_drop) return cut();  // not a byte was read since the last time
  player.sent_at_drop = sent_;
  const std::uint64_t before = player.position();
  append_own({});
  player.drop(own_, now);
  const std::uint64_t after = player.waiting() ? stream.log().end() : player.position();
  stream.counters.drops += after - before;
}

}  // namespace mpb::rtmp
