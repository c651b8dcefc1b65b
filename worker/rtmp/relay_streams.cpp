// RelayClient: which of its message streams is meant. Many clients use the ids that createStream
// gave out; some have one stream and take no care of its id. Where only one can be meant, it is.
#include <algorithm>
#include <utility>

#include "common/log.hpp"
#include "worker/rtmp/relay_client.hpp"
#include "worker/rtmp/relay_hub.hpp"

namespace mpb::rtmp {
namespace {

constexpr std::size_t kMaxStreams = 32;  // message streams of one client
constexpr std::size_t kToldName = 64;    // bytes of a client's name in a line of the log

std::string_view what_is(Ignored cause) {
  switch (cause) {
    case Ignored::kMedia:
      return "audio, video or data of no stream that the client publishes";
    case Ignored::kCommand:
      return "a command that cannot be read";
    case Ignored::kData:
      break;
  }
  return "data that cannot be read";
}

}  // namespace

RelayClient::NetStream* RelayClient::find_stream(std::uint32_t id) {
  const auto found = std::find_if(streams_.begin(), streams_.end(),
                                  [id](const NetStream& stream) { return stream.id == id; });
  return found == streams_.end() ? nullptr : &*found;
}

RelayClient::NetStream* RelayClient::find_or_make_stream(std::uint32_t id) {
  NetStream* known = find_stream(id);
  if (known != nullptr || streams_.size() == kMaxStreams) return known;
  NetStream& made = streams_.emplace_back();
  made.id = id;
  return &made;
}

RelayClient::NetStream* RelayClient::make_stream() {
  if (streams_.size() == kMaxStreams) return nullptr;
  do ++last_stream_id_;
  while (last_stream_id_ == 0 || find_stream(last_stream_id_) != nullptr);
  return find_or_make_stream(last_stream_id_);
}

RelayClient::NetStream* RelayClient::publication(std::uint32_t id) {
  NetStream* only = nullptr;
  for (NetStream& stream : streams_) {
    if (stream.publishing == nullptr) continue;
    if (stream.id == id) return &stream;
    if (only != nullptr) return nullptr;
    only = &stream;
  }
  return many_published_ ? nullptr : only;
}

RelayClient::NetStream* RelayClient::playing(std::uint32_t id) {
  NetStream* only = nullptr;
  for (NetStream& stream : streams_) {
    if (!stream.player) continue;
    if (stream.id == id) return &stream;
    if (only != nullptr) return nullptr;
    only = &stream;
  }
  return many_played_ ? nullptr : only;
}

RelayClient::NetStream* RelayClient::stream_to_end(std::uint32_t id) {
  NetStream* const named = find_stream(id);
  if (named != nullptr && named->in_use()) return named;
  if (many_published_ || many_played_) return named;
  NetStream* only = nullptr;
  for (NetStream& stream : streams_) {
    if (!stream.in_use()) continue;
    if (only != nullptr) return named;
    only = &stream;
  }
  if (only == nullptr) return named;
  // What createStream gave out may have been ended before: then it is that which is meant.
  const auto given_out = [this](std::uint32_t of) { return of > 0 && of <= last_stream_id_; };
  return given_out(id) && given_out(only->id) ? named : only;
}

bool RelayClient::in_use() const {
  return std::any_of(streams_.begin(), streams_.end(),
                     [](const NetStream& stream) { return stream.in_use(); });
}

void RelayClient::create_stream(const Command& command, std::string& out) {
  std::string answer;
  if (const NetStream* made = make_stream()) {
    append_result(answer, command.transaction, made->id);
  } else {
    append_error(answer, command.transaction, "NetConnection.Call.Failed", "Too many streams.");
  }
  reply(answer, out);
}

void RelayClient::delete_stream(const Command& command) {
  const double number = command.number(1).value_or(0);
  const bool is_id = number >= 0 && number <= UINT32_MAX;
  const NetStream* meant = stream_to_end(is_id ? static_cast<std::uint32_t>(number) : 0);
  if (meant == nullptr) return;
  const std::uint32_t id = meant->id;
  end_stream(*find_stream(id));
  std::erase_if(streams_, [id](const NetStream& stream) { return stream.id == id; });
}

void RelayClient::ignore(Ignored cause, const Message& message) {
  IgnoredMessages& ignored = hub_.ignored;
  ignored.count();
  bool& told = told_ignored_[static_cast<std::size_t>(cause)];
  if (std::exchange(told, true)) return;
  const auto untold = ignored.tell(hub_.now());
  if (!untold) return;
  log_info("ignored")("client", address_)("vhost", vhost_)("app", target_.app.substr(0, kToldName))(
      "what", what_is(cause))("message_stream", message.stream)(
      "type", static_cast<int>(message.type))("bytes", message.payload.size())("untold", *untold);
}

}  // namespace mpb::rtmp
