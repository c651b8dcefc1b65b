// RelayClient: what travels with a client that names a stream of another worker's after its connect
// was answered.
#include <optional>
#include <utility>

#include "proto/base/byte_order.hpp"
#include "proto/channel/message.hpp"
#include "worker/rtmp/relay/relay_client.hpp"
#include "worker/rtmp/relay/relay_hub.hpp"

namespace mpb::rtmp {
namespace {

constexpr char kAddressTag = 'A';  // as rtmp::Classifier gives it
constexpr char kClientTag = 'S';
constexpr unsigned kPublishedFlag = 1;
constexpr unsigned kManyPublishedFlag = 2;
constexpr unsigned kManyPlayedFlag = 4;

void put(std::string& out, std::string_view text) {
  append_le(out, static_cast<std::uint32_t>(text.size()));
  out += text;
}

std::string_view get(ByteReader& in) {
  const auto size = in.number<std::uint32_t>();
  return in.bytes(size);
}

/// Where parameters stand in a URL that has all of them in a row: behind its "?", or at its end.
/// Not wherever they can be found: texts can be chosen for which that takes very long.
std::size_t find_part(std::string_view whole, std::string_view part) {
  if (whole.ends_with(part)) return whole.size() - part.size();
  const auto mark = whole.find('?');
  if (mark == std::string_view::npos || !whole.substr(mark + 1).starts_with(part)) {
    return std::string_view::npos;
  }
  return mark + 1;
}

/// `part`, which often stands in `whole`: tokens are long, and there is not room for any number.
void put_part(std::string& out, std::string_view whole, std::string_view part) {
  const auto at = find_part(whole, part);
  append_le(out, static_cast<std::uint8_t>(at != std::string_view::npos));
  if (at == std::string_view::npos) return put(out, part);
  append_le(out, static_cast<std::uint32_t>(at));
  append_le(out, static_cast<std::uint32_t>(part.size()));
}

std::optional<std::string_view> get_part(ByteReader& in, std::string_view whole) {
  if (in.number<std::uint8_t>() == 0) return get(in);
  const auto at = in.number<std::uint32_t>();
  const auto size = in.number<std::uint32_t>();
  if (at > whole.size() || size > whole.size() - at) return std::nullopt;
  return whole.substr(at, size);
}

}  // namespace

std::string RelayClient::export_state() const {
  std::string out(1, kClientTag);
  put(out, address_);
  put(out, target_.vhost);
  put(out, target_.app);
  put(out, target_.tc_url);
  put_part(out, target_.tc_url, target_.parameters);
  append_le(out, static_cast<std::uint8_t>(target_.object_encoding == 3 ? 3 : 0));
  put(out, vhost_);
  append_le(out, ack_window_);
  append_le(out, received_);
  append_le(out, acknowledged_);
  append_le(out, last_stream_id_);
  append_le(out, static_cast<std::uint8_t>((has_published_ ? kPublishedFlag : 0U) |
                                           (many_published_ ? kManyPublishedFlag : 0U) |
                                           (many_played_ ? kManyPlayedFlag : 0U)));
  append_le(out, static_cast<std::uint8_t>(streams_.size()));
  for (const NetStream& stream : streams_) {
    append_le(out, stream.id);
    append_le(out, static_cast<std::uint8_t>(stream.past));
  }
  const Held held = held_.value_or(Held{});
  append_le(out, static_cast<std::uint8_t>(held.type));
  append_le(out, held.stream);
  put(out, held.payload);
  reader_.save(out);
  return out;
}

/// Whether what it has to take along fits into the message that it travels in.
bool RelayClient::can_move(std::size_t unconsumed) const {
  const std::size_t state = export_state().size();
  return key_.size() <= channel::kMaxKey && unconsumed <= channel::kMaxUnconsumed &&
         state <= channel::kMaxState && key_.size() + state + unconsumed <= channel::kMaxClient;
}

bool RelayClient::import_state(std::string_view state) {
  if (state.empty()) return false;
  const char tag = state.front();
  state.remove_prefix(1);
  if (tag == kAddressTag) {
    if (connection_->believes_peer()) address_ = state;
    return true;
  }
  if (tag != kClientTag) return false;
  ByteReader in(state);
  const std::string_view address = get(in);
  if (connection_->believes_peer()) address_ = address;
  target_.vhost = get(in);
  target_.app = get(in);
  target_.tc_url = get(in);
  const auto parameters = get_part(in, target_.tc_url);
  if (!parameters) return false;
  target_.parameters = *parameters;
  target_.object_encoding = in.number<std::uint8_t>();
  vhost_ = get(in);
  ack_window_ = in.number<std::uint32_t>();
  received_ = in.number<std::uint64_t>();
  acknowledged_ = in.number<std::uint64_t>();
  last_stream_id_ = in.number<std::uint32_t>();
  const auto flags = in.number<std::uint8_t>();
  has_published_ = (flags & kPublishedFlag) != 0;
  many_published_ = (flags & kManyPublishedFlag) != 0;
  many_played_ = (flags & kManyPlayedFlag) != 0;
  const auto count = in.number<std::uint8_t>();
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    NetStream& stream = streams_.emplace_back();
    stream.id = in.number<std::uint32_t>();
    stream.past = static_cast<Past>(in.number<std::uint8_t>());
  }
  Held held;
  held.type = static_cast<MessageType>(in.number<std::uint8_t>());
  held.stream = in.number<std::uint32_t>();
  held.payload = get(in);
  if (!in.ok()) return false;
  connected_ = true;
  held_ = std::move(held);
  handshake_left_ = 0;
  bound_messages();
  return reader_.restore(in.rest());
}

std::string RelayClient::refusal_of_move(std::string_view why) const {
  std::string out;
  if (!held_) return out;
  const auto command =
      read_command({held_->type, kCommandChunkStream, held_->stream, 0, held_->payload});
  const bool publishes = command && (command->name == "publish" || command->name == "FCPublish" ||
                                     command->name == "releaseStream");
  append_status(out, held_->stream, "error",
                publishes ? "NetStream.Publish.Denied" : "NetStream.Play.Failed", why);
  return out;
}

}  // namespace mpb::rtmp
