// RelayClient: which of its message streams is meant, and what ends one. Many clients use the ids
// that createStream gave out; some have one stream and take no care of its id. Where only one can
// be meant, it is.
#include <algorithm>
#include <utility>

#include "common/log/log.hpp"
#include "worker/rtmp/relay/relay_client.hpp"
#include "worker/rtmp/relay/relay_hub.hpp"

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

/// publish and play without a name: false, null or an empty text in its place.
bool names_nothing(const Command& command) {
  if (command.arguments.size() < 2) return !command.cut_short;
  const amf0::Value& name = command.arguments[1];
  if (const bool* flag = name.boolean()) return !*flag;
  if (const std::string* text = name.string()) return text->empty();
  return std::holds_alternative<amf0::Null>(name) || std::holds_alternative<amf0::Undefined>(name);
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

/// That of `id`, if `is_used` is true of it; else, unless the client has used several, the only one
/// of which it is.
template <class IsUsed>
RelayClient::NetStream* RelayClient::meant(std::uint32_t id, IsUsed is_used, bool many) {
  NetStream* const named = find_stream(id);
  if (named != nullptr && is_used(*named)) return named;
  if (many) return nullptr;
  const auto only = std::find_if(streams_.begin(), streams_.end(), is_used);
  if (only == streams_.end()) return nullptr;
  return std::find_if(only + 1, streams_.end(), is_used) == streams_.end() ? &*only : nullptr;
}

RelayClient::NetStream* RelayClient::publication(std::uint32_t id) {
  const auto publishes = [](const NetStream& stream) { return stream.publishing != nullptr; };
  return meant(id, publishes, many_published_);
}

RelayClient::NetStream* RelayClient::playing(std::uint32_t id) {
  const auto plays = [](const NetStream& stream) { return stream.player != nullptr; };
  return meant(id, plays, many_played_);
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

std::size_t RelayClient::waits() const {
  return static_cast<std::size_t>(std::ranges::count_if(streams_, &NetStream::waits));
}

void RelayClient::wait_for_at_most(std::size_t streams) {
  std::size_t waiting = waits();
  for (auto stream = streams_.rbegin(); stream != streams_.rend() && waiting > streams; ++stream) {
    if (!stream->waits()) continue;
    --waiting;
    const StreamName name = stream->player->stream().name();
    tell({Reason::kWaiting, kNotPlayed, kWaitsForTooMany, &name});
    stop_playing(*stream);
    std::string status;
    append_status(status, stream->id, "error", kNotPlayed, kWaitsForTooMany);
    append_own(status);
    hub_.flush_later(*this);
  }
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

/// Whether publish or play names nothing and so ends what its message stream does. If that does
/// nothing, the command may mean a stream that has no name.
bool RelayClient::end_use(const Command& command, const Message& message, std::string& out) {
  if (!names_nothing(command)) return false;
  const bool publishes = command.name == "publish";
  NetStream* used = publishes ? publication(message.stream) : playing(message.stream);
  if (used != nullptr) {
    close_stream(*used, out);
    return true;
  }
  const NetStream* stream = find_stream(message.stream);
  if (stream != nullptr && stream->in_use()) return false;
  const bool has_argument = command.arguments.size() > 1;
  const bool is_empty = has_argument && command.arguments[1].string() != nullptr;
  const bool is_false = has_argument && command.arguments[1].boolean() != nullptr;
  const Past past = stream != nullptr ? stream->past : Past::kNothing;
  const bool ended = past == Past::kNamed || (past == Past::kNameless && !is_empty) || is_false;
  if (!ended) return false;
  std::string status;
  append_status(status, message.stream, "status",
                publishes ? "NetStream.Unpublish.Success" : "NetStream.Play.Stop",
                "There is nothing to end.");
  reply(status, out);
  return true;
}

void RelayClient::on_fc_unpublish(const Command& command, std::string& out) {
  const auto target = read_stream_name(command.text(1));
  std::string answer;
  append_fc_status(answer, "onFCUnpublish", "NetStream.Unpublish.Success", command.text(1));
  append_result(answer, command.transaction, std::nullopt);
  reply(answer, out);
  bool found = false;
  for (NetStream& stream : streams_) {
    if (!target || stream.publishing == nullptr ||
        stream.publishing->name().stream != target->stream) {
      continue;
    }
    found = true;
    close_stream(stream, out);
  }
  if (found || !names_nothing(command)) return;
  if (NetStream* only = publication(0)) close_stream(*only, out);
}

/// Ends what the stream does, and says so.
void RelayClient::close_stream(NetStream& stream, std::string& out) {
  std::string status;
  if (stream.publishing != nullptr) {
    append_status(status, stream.id, "status", "NetStream.Unpublish.Success", "Unpublished.");
  }
  if (stream.player) {
    append_status(status, stream.id, "status", "NetStream.Play.Stop", "Stopped playing.");
  }
  end_stream(stream);
  if (!status.empty()) reply(status, out);
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
