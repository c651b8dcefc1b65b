// RelayClient: what it is sent, and when it is too slow for it.
#include <algorithm>
#include <utility>

#include "worker/rtmp/relay/relay_client.hpp"
#include "worker/rtmp/relay/relay_hub.hpp"

namespace mpb::rtmp {
namespace {

constexpr std::size_t kMaxSlices = 64;             // of one sendmsg(2)
constexpr std::size_t kLent = 4UL * 1024;          // bytes that are better lent than copied
constexpr std::size_t kOwnBurst = 256UL * 1024;    // messages written for one client at once
constexpr std::size_t kMaxReplies = 256UL * 1024;  // answers that may wait for a client
// A client is ended that has so many bytes of its own to read, or so many in all.
constexpr std::size_t kMaxOwn = 1024UL * 1024;
constexpr std::size_t kMaxOutgoing = 40UL * 1024 * 1024;  // two of the longest messages and more
// Times that a client begins with pictures of before, which it gets as fast as it can take them:
// one that asks for them again and again begins with what comes.
constexpr RateLimit kBeginnings{32, Duration{5'000}};

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
  own_.own() += bytes;
  unread_replies_ += bytes.size();
  if (unread_replies_ > kMaxReplies || has_too_much()) cut();
}

bool RelayClient::has_too_much() const {
  return own_.own_size() > kMaxOwn || own_.size() > kMaxOutgoing;
}

void RelayClient::note_memory() {
  const std::size_t held = held_ ? held_->payload.capacity() : 0;
  noted_own_ = own_.memory();
  connection_->note_memory(sizeof *this + reader_.memory() + noted_own_ + held);
}

void RelayClient::give_up_memory() {
  own_.clear();
  reader_ = ChunkReader(0);
  held_.reset();
  note_memory();
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

/// Sends bytes of the log that lie in one piece, without a copy of them if that can be.
std::optional<std::size_t> RelayClient::send_shared(std::optional<off_t> place,
                                                    std::string_view bytes) {
  if (place) {
    const auto taken = connection_->send_file(hub_.segment_file().fd(), *place, bytes.size());
    if (taken) return taken;
  }
  const iovec slice{const_cast<char*>(bytes.data()), bytes.size()};
  return connection_->send({&slice, 1});  // which tells whether the connection is broken
}

RelayClient::Sent RelayClient::send_some(Player* sharing) {
  static std::vector<iovec> slices;  // one thread
  const Loan* const lent = own_.first();
  if (lent != nullptr && lent->place && lent->bytes.size() >= kLent) {
    return {lent->bytes.size(), 0, send_shared(lent->place, lent->bytes)};
  }
  slices.clear();
  const std::size_t own = own_.collect(slices, kMaxSlices, kLent);
  std::size_t shared = 0;
  if (sharing != nullptr && own == own_.size()) shared = sharing->collect(slices, kMaxSlices);
  if (slices.empty()) return {0, 0, 0};
  if (own > 0 || slices.size() > 1 || shared < kLent) {
    return {own, shared, connection_->send(slices)};
  }
  const iovec& only = slices.front();
  const std::string_view bytes(static_cast<const char*>(only.iov_base), only.iov_len);
  return {own, shared, send_shared(sharing->file_offset(), bytes)};
}

bool RelayClient::flush() {
  while (!blocked_) {
    Player* const sharing = sharing_player();
    // Nothing may come between the parts of a message.
    if (sharing == nullptr || !sharing->mid_message()) {
      for (NetStream& stream : streams_) {
        if (stream.player) stream.player->write_own(own_, kOwnBurst);
      }
    }
    const Sent some = send_some(sharing);
    if (!some.taken) return false;
    if (some.own + some.shared == 0) break;
    const std::size_t taken = *some.taken;
    blocked_ = taken < some.own + some.shared;
    sent_ += taken;
    if (some.own > 0) own_.advance(std::min(taken, some.own));
    if (own_.empty()) unread_replies_ = 0;
    if (sharing != nullptr) {
      sharing->stream().counters.bytes_out += taken;
      if (taken > some.own) sharing->advance(taken - some.own);
    }
    if (has_too_much()) {
      cut();
      return false;
    }
  }
  // Sending changes no other memory, and that of most players not at all.
  if (own_.memory() != noted_own_) note_memory();
  return true;
}

void RelayClient::begin_if_possible(Player& player) {
  if (player.paused()) return;
  const auto entrance = player.stream().entrance();
  if (!entrance) {
    Outgoing told;
    player.tell_publisher(told);
    if (told.empty()) return;
    append_own(told.own());
    return hub_.flush_later(*this);
  }
  append_own({});
  if (cut_) return;
  const StreamLog& log = player.stream().log();
  std::uint64_t first = *entrance;
  if (log.key_frame() == first) {
    if (beginnings_.ready(hub_.now(), kBeginnings)) {
      beginnings_.take(hub_.now(), kBeginnings);
    } else {
      first = log.end();
    }
  }
  player.begin(first, own_, hub_.now());
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

void RelayClient::skip(Player& player) {
  const std::uint64_t end = player.stream().log().end();
  player.stream().counters.drops += end - player.position();
  append_own({});
  player.begin(end, own_, hub_.now());
}

}  // namespace mpb::rtmp
