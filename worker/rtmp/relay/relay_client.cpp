#include "worker/rtmp/relay/relay_client.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "common/io/endpoint.hpp"
#include "proto/rtmp/big_endian.hpp"
#include "proto/rtmp/handshake.hpp"
#include "worker/rtmp/relay/relay_hub.hpp"

namespace mpb::rtmp {
namespace {

constexpr std::size_t kMaxCommand = 128UL * 1024;      // bytes of a message before publishing
constexpr std::size_t kLastWords = 128UL * 1024;       // bytes that a client may get at its end
constexpr std::size_t kMaxMedia = 16UL * 1024 * 1024;  // and then

/// Encoders write small pieces, and with Nagle's algorithm (RFC 896) each waits for the
/// acknowledgement of the one before, which the kernel would hold back for 40 ms.
void acknowledge_at_once(int socket) {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

}  // namespace

RelayClient::RelayClient(RelayHub& hub, const ListenerTraits& traits, Client& client)
    : hub_(hub),
      traits_(traits),
      connection_(client.connection),
      id_(hub.next_client_id()),
      address_(peer_text(client.connection->descriptor())),
      key_(client.key),
      reader_(kMaxCommand),
      handshake_left_(kHandshakeBlock),
      heard_at_(hub.now()),
      active_at_(hub.now()) {
  hub_.watch(*this);
}

RelayClient::~RelayClient() {
  if (ticket_) hub_.hooks().cancel(*ticket_);
  end_streams();
  hub_.forget(*this);
}

void RelayClient::end_streams() {
  for (NetStream& stream : streams_) end_stream(stream);
}

Step RelayClient::on_bytes(Client& client, std::string_view bytes, std::string& out) {
  key_ = client.key;
  const std::size_t given = bytes.size();
  // Bytes, not messages: a slow link may need long for one.
  if (given > std::exchange(unread_, given)) heard_at_ = hub_.now();
  if (replaced_) return {Next::kWait, given};
  Step step;
  if (bytes.size() < handshake_left_) return step;
  bytes.remove_prefix(std::exchange(handshake_left_, 0));
  if (held_) {
    const Held held = *std::exchange(held_, std::nullopt);
    step.next = on_command({held.type, kCommandChunkStream, held.stream, 0, held.payload}, out);
  }
  taken_ = 0;
  while (step.next == Next::kContinue) {
    if (taken_ >= MessagePace::kPiece || !pace_.ready(hub_.now())) {
      step.next = Next::kWait;
      hub_.go_on_later(*this);
      break;
    }
    Message message;
    const std::size_t before = bytes.size();
    const ChunkReader::Result result = reader_.read(bytes, message);
    uncharged_ += before - bytes.size();
    if (result == ChunkReader::Result::kNeedMore) break;
    step.next = result == ChunkReader::Result::kError ? Next::kReject : on_message(message, out);
  }
  if (step.next == Next::kMove && !can_move(bytes.size())) {
    step.next = refuse_held("Too much was said to take it along to where the stream is.", out);
  }
  step.consumed = given - bytes.size();
  unread_ = bytes.size();
  if (step.next == Next::kMove) {
    step.key = key_;
    if (own_.empty()) return step;
    // What is left of the streams it has ended; only this worker can send it.
    step.next = Next::kWait;
    leaving_ = true;
    hub_.flush_later(*this);
    return step;
  }
  if (step.next == Next::kReject) end_reason_ = Reason::kProtocol;
  if (step.next == Next::kClose || step.next == Next::kReject) {
    // The name is free for another publisher at once, not when the client has hung up.
    end_streams();
    if (step.next == Next::kClose) own_.append_to(out, kLastWords);
    give_up_memory();
    return step;
  }
  acknowledge(step.consumed, out);
  if (sharing_player() == nullptr) acknowledge_at_once(connection_->descriptor());
  note_memory();
  return step;
}

RelayClient::Next RelayClient::on_message(const Message& message, std::string& out) {
  const bool command =
      message.type == MessageType::kCommandAmf0 || message.type == MessageType::kCommandAmf3;
  const std::uint32_t cost = command ? MessagePace::kCommand : 1;
  taken_ += cost;
  pace_.take(cost, hub_.now());
  switch (message.type) {
    case MessageType::kAudio:
    case MessageType::kVideo:
    case MessageType::kAggregate:
    case MessageType::kDataAmf0:
    case MessageType::kDataAmf3:
      on_media(message);
      return Next::kContinue;
    case MessageType::kCommandAmf0:
    case MessageType::kCommandAmf3:
      return on_command(message, out);
    default:
      on_control(message, out);
      return Next::kContinue;
  }
}

void RelayClient::on_control(const Message& message, std::string& out) {
  constexpr std::uint16_t kPingRequest = 6;
  constexpr std::uint16_t kPingResponse = 7;
  const char* const fields = message.payload.data();
  if (message.type == MessageType::kWindowAckSize && message.payload.size() >= 4) {
    ack_window_ = load_be(fields, 4);
  }
  if (message.type == MessageType::kUserControl && message.payload.size() >= 6 &&
      load_be(fields, 2) == kPingRequest) {
    std::string pong;
    append_user_control(pong, kPingResponse, load_be(fields + 2, 4));
    reply(pong, out);
  }
}

void RelayClient::on_media(const Message& message) {
  const NetStream* stream = publication(message.stream);
  if (stream == nullptr) return ignore(Ignored::kMedia, message);
  if (message.type == MessageType::kDataAmf0 || message.type == MessageType::kDataAmf3) {
    std::string converted;
    if (!data_in_amf0(message.payload, converted)) return ignore(Ignored::kData, message);
  }
  active_at_ = hub_.now();
  LiveStream& live = *stream->publishing;
  const std::uint64_t before = live.log().appended();
  pace_.take(live.publish(message, hub_.now()), hub_.now());
  charge(live, live.log().appended() - before);
  hub_.published(live);
}

void RelayClient::charge(LiveStream& stream, std::uint64_t to_each_player) {
  const std::uint64_t came = std::exchange(uncharged_, 0);
  const std::uint64_t cost = std::max(came, to_each_player);
  stream.counters.bytes_in += came;
  stream.counters.charged += cost;
  charged_ += cost;
}

bool RelayClient::exceeds_bitrate(double seconds) {
  if (!has_published_) return false;
  charged_ += std::exchange(uncharged_, 0);
  charged_window_.add(std::exchange(charged_, 0), seconds);
  std::uint64_t allowed = 0;
  bool limited = true;
  for_each_publication([&](const LiveStream& stream) {
    allowed += stream.settings().max_bitrate;
    limited = limited && stream.settings().max_bitrate > 0;
  });
  if (allowed == 0) allowed = settings().max_bitrate;  // it has just ended what it published
  return limited && allowed > 0 && charged_window_.exceeds(static_cast<double>(allowed) / 8);
}

/// Publishers such as librtmp wait for it once they have sent a window's worth.
void RelayClient::acknowledge(std::size_t bytes, std::string& out) {
  received_ += bytes;
  if (ack_window_ == 0 || received_ - acknowledged_ < ack_window_ / 2) return;
  acknowledged_ = received_;
  std::string message;
  append_acknowledgement(message, static_cast<std::uint32_t>(received_));
  reply(message, out);
}

bool RelayClient::silent_for(Duration silence) const {
  if (silence.count() == 0) return true;
  if (hub_.now() - heard_at_ < silence) return false;
  // A worker that could not run for a while has yet to read what came meanwhile.
  int unread = 0;
  return ::ioctl(connection_->descriptor(), FIONREAD, &unread) != 0 || unread == 0;
}

Reason RelayClient::silent_too_long(TimePoint now) {
  if (held_)
    return Reason::kNone;  // it is on its way, or a hook is asked: those have limits of their own
  const VhostSettings& limits = settings();
  bool publishes = false;
  bool plays = false;
  for (NetStream& stream : streams_) {
    publishes = publishes || stream.publishing != nullptr;
    plays = plays || stream.player != nullptr;
    if (limits.play_wait.count() > 0 && stream.waits_since &&
        stream.player->stream().publisher() == nullptr &&
        now - *stream.waits_since > limits.play_wait) {
      std::string status;
      append_status(status, stream.id, "error", "NetStream.Play.StreamNotFound",
                    "Nobody publishes this stream.");
      append_own(status);
      flush();
      return Reason::kPlayWait;
    }
  }
  const Duration limit = publishes ? limits.publish_timeout : limits.standby_timeout;
  const bool over = (publishes || !plays) && limit.count() > 0 && now - active_at_ > limit;
  if (!over) return Reason::kNone;
  return publishes ? Reason::kPublishTimeout : Reason::kStandbyTimeout;
}

const VhostSettings& RelayClient::settings() {
  const VhostTable& vhosts = hub_.environment().vhosts;
  if (!settings_ || settings_version_ != vhosts.version()) {
    settings_ = vhosts.find(vhost_);
    settings_version_ = vhosts.version();
  }
  return *settings_;
}

void RelayClient::finish() {
  end_streams();
  hub_.forget(*this);
  give_up_memory();
  if (cut_) return connection_->close_slow();
  connection_->finish();
}

void RelayClient::move_if_written() {
  if (!own_.empty() || !std::exchange(leaving_, false)) return;
  connection_->proceed();
}

void RelayClient::use_changed() {
  std::size_t published = 0;
  std::size_t played = 0;
  for (const NetStream& stream : streams_) {
    published += stream.publishing != nullptr ? 1 : 0;
    played += stream.player ? 1 : 0;
  }
  has_published_ = has_published_ || published > 0;
  many_published_ = many_published_ || published > 1;
  many_played_ = many_played_ || played > 1;
  bound_messages();
  connection_->exempt_from_idle(in_use());
  active_at_ = hub_.now();
}

void RelayClient::bound_messages() {
  reader_.set_max_message(has_published_ ? kMaxMedia : kMaxCommand);
}

}  // namespace mpb::rtmp
