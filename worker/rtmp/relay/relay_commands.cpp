// RelayClient: what the client asks for.
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <utility>

#include "worker/rtmp/relay/relay_client.hpp"
#include "worker/rtmp/relay/relay_hub.hpp"

namespace mpb::rtmp {
namespace {

constexpr std::size_t kToldName = 255;  // bytes of a client's name in an answer
constexpr std::string_view kServerId = "mpbroker";
constexpr std::string_view kBadName = "NetStream.Publish.BadName";
constexpr std::string_view kDenied = "NetStream.Publish.Denied";

/// "|RtmpSampleAccess", which Flash players wait for. Not in the chunk stream of data: what a
/// player takes from the log there counts on the header before. Nothing else as data: FFmpeg makes
/// a stream without packets of it, and waits for them.
void append_sample_access(std::string& out, std::uint32_t stream) {
  Message message;
  message.type = MessageType::kDataAmf0;
  message.chunk_stream = kCommandChunkStream;
  message.stream = stream;
  std::string payload;
  amf0::write_string(payload, "|RtmpSampleAccess");
  amf0::write(payload, amf0::Value(true));
  amf0::write(payload, amf0::Value(true));
  message.payload = payload;
  append_message(out, message, kOutChunkSize);
}

/// FCPublish, FCSubscribe.
void answer_fc(const Command& command, std::string& answer) {
  append_result(answer, command.transaction, std::nullopt);
  const bool publishes = command.name == "FCPublish";
  append_fc_status(answer, publishes ? "onFCPublish" : "onFCSubscribe",
                   publishes ? "NetStream.Publish.Start" : "NetStream.Play.Start", command.text(1));
}

/// play2 names its stream in an object. How the one before it is to go over into the new one is not
/// asked for: a live stream begins when its next key frame comes.
void play_of(Command& play2) {
  if (play2.arguments.size() < 2) return;
  const amf0::Object* options = play2.arguments[1].object();
  if (options == nullptr) return;
  const amf0::Value* name = amf0::find(*options, "streamName");
  if (name == nullptr || name->string() == nullptr) return;
  play2.name = "play";
  amf0::Value named = *name;
  play2.arguments[1] = std::move(named);
}

/// Whether the client has ended its side, or the connection is broken.
bool has_hung_up(int socket) {
  pollfd poll{socket, POLLRDHUP, 0};
  return ::poll(&poll, 1, 0) == 1 && (poll.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/// What a client is told of its stream.
std::string_view title(const StreamName& name) {
  return std::string_view(name.stream.empty() ? name.app : name.stream).substr(0, kToldName);
}

/// Calls that want no more than an answer; what a client answers itself wants none.
bool is_courtesy(std::string_view command) {
  return names_stream(command) || command == "_checkbw" || command == "checkBandwidth" ||
         command == "FCUnsubscribe";
}
bool is_answer(std::string_view command) {
  return command == "_result" || command == "_error" || command == "onStatus";
}

/// What some send as a command and is data: @setDataFrame and the like. Its payload as data; empty:
/// it is none.
std::string data_in(const Command& command) {
  const bool directs = command.name == "@setDataFrame" || command.name == "@clearDataFrame";
  if (!directs && command.name != "onMetaData") return {};
  std::string payload;
  amf0::write_string(payload, command.name);
  for (const amf0::Value& argument : command.arguments) {
    // A command object, which data does not have.
    if (std::holds_alternative<amf0::Null>(argument)) continue;
    amf0::write(payload, argument);
  }
  return payload;
}

}  // namespace

void RelayClient::hold(const Message& message) {
  held_ = Held{message.type, message.stream, std::string(message.payload)};
}

RelayClient::Next RelayClient::on_command(const Message& message, std::string& out) {
  auto command = read_command(message);
  if (!command) {
    ignore(Ignored::kCommand, message);
    return Next::kContinue;
  }
  if (command->name == "play2") play_of(*command);
  if (command->name == "connect") return on_connect(*command, message, out);
  if (!connected_) return ends_opening(command->name) ? Next::kReject : Next::kContinue;
  const bool publishes = command->name == "publish";
  if (publishes || command->name == "play") {
    if (end_use(*command, message, out)) return Next::kContinue;
    return publishes ? on_publish(*command, message, out) : on_play(*command, message, out);
  }
  if (names_stream(command->name)) {
    StreamName name;
    std::string parameters;
    const Next next = locate(*command, message, name, parameters, out);
    if (next != Next::kContinue) return next;
  }
  if (const std::string data = data_in(*command); !data.empty()) {
    on_media(
        {MessageType::kDataAmf0, message.chunk_stream, message.stream, message.timestamp, data});
  } else {
    on_other_command(*command, message, out);
  }
  return Next::kContinue;
}

void RelayClient::on_other_command(const Command& command, const Message& message,
                                   std::string& out) {
  std::string answer;
  if (command.name == "createStream") {
    create_stream(command, out);
  } else if (command.name == "deleteStream") {
    delete_stream(command);
  } else if (command.name == "closeStream") {
    if (NetStream* stream = stream_to_end(message.stream)) close_stream(*stream, out);
  } else if (command.name == "FCUnpublish") {
    on_fc_unpublish(command, out);
  } else if (command.name == "pause") {
    if (NetStream* stream = playing(message.stream)) on_pause(command, *stream, out);
  } else if (command.name == "receiveAudio" || command.name == "receiveVideo") {
    if (NetStream* stream = playing(message.stream)) on_receive(command, *stream->player);
  } else if (command.name == "seek") {
    on_seek(command, message, out);
  } else if (command.name == "FCPublish" || command.name == "FCSubscribe") {
    answer_fc(command, answer);
  } else if (command.name == "getStreamLength") {
    append_result(answer, command.transaction, 0.0);
  } else if (command.transaction != 0 && is_courtesy(command.name)) {
    append_result(answer, command.transaction, std::nullopt);
  } else if (command.transaction != 0 && !is_answer(command.name)) {
    append_error(answer, command.transaction, "NetConnection.Call.Failed",
                 "There is no method " + command.name.substr(0, kToldName) + " here.");
  }
  if (!answer.empty()) reply(answer, out);
}

/// receiveAudio, receiveVideo.
void RelayClient::on_receive(const Command& command, Player& player) {
  const bool* wanted = command.arguments.size() > 1 ? command.arguments[1].boolean() : nullptr;
  if (wanted == nullptr) return;
  append_own({});
  if (cut_) return;
  player.receive(command.name == "receiveAudio" ? Track::kAudio : Track::kVideo, *wanted, own_);
  hub_.flush_later(*this);
}

RelayClient::Next RelayClient::on_connect(const Command& command, const Message& message,
                                          std::string& out) {
  auto target = read_connect(command);
  if (!target || connected_) return Next::kReject;
  const std::string vhost = hub_.environment().vhosts.resolve(target->vhost);
  const auto reject = [&](Reason reason, std::string_view why) {
    Notice notice;
    notice.reason = reason;
    describe(notice);
    notice.vhost = target->vhost;
    notice.app = target->app;
    hub_.environment().tell(notice, connection_->descriptor());
    append_connect_rejected(out, target->transaction, why);
    return Next::kClose;
  };
  if (vhost.empty() && target->names_vhost) {
    return reject(Reason::kVhost, "There is no vhost " + target->vhost + " here.");
  }
  settings_ = hub_.environment().vhosts.find(vhost);
  settings_version_ = hub_.environment().vhosts.version();
  std::swap(target_, *target);
  const Next asked =
      ask(settings_->hooks.on_connect, "on_connect", {}, target_.parameters, message);
  if (asked == Next::kWait) {
    settings_.reset();
    return asked;
  }
  if (asked == Next::kReject) {
    std::swap(target_, *target);
    return reject(consent_reason_, consent_text_);
  }
  connected_ = true;
  vhost_ = vhost;
  append_connect_success(out, target_.transaction, target_.object_encoding, kServerId,
                         target_.enhanced);
  use_changed();
  return Next::kContinue;
}

RelayClient::Next RelayClient::on_publish(const Command& command, const Message& message,
                                          std::string& out) {
  StreamName name;
  std::string parameters;
  const Next located = locate(command, message, name, parameters, out);
  if (located != Next::kContinue) return located;
  NetStream* stream = find_or_make_stream(message.stream);
  if (stream == nullptr || stream->in_use()) {
    return refuse(message, {Reason::kProtocol, kBadName, "The message stream is not free.", &name},
                  out);
  }
  const VhostSettings& limits = settings();
  if (const Reason why = check(Right::kPublish, name, parameters); why != Reason::kNone) {
    return refuse(message, {why, kDenied, access_text(why), &name}, out);
  }
  LiveStream* live = hub_.find(name.path());
  RelayClient* const before = live != nullptr ? live->publisher() : nullptr;
  const auto yields = limits.publisher_yields;
  if (before != nullptr && !(yields && before->silent_for(*yields))) {
    return refuse(message, {Reason::kTaken, kBadName, "The stream is published already.", &name},
                  out);
  }
  const MemoryBudget& memory = hub_.environment().memory;
  if (memory.is_over() && !memory.is_full()) {  // and nobody could give up enough
    return refuse(message, {Reason::kMediaMemory, kDenied, "The server has no memory left.", &name},
                  out);
  }
  const std::uint32_t others = hub_.usage(name.vhost).publishers - (before != nullptr ? 1 : 0);
  if (limits.max_publishers > 0 && others >= limits.max_publishers) {
    return refuse(message,
                  {Reason::kMaxPublishers, kDenied, "The vhost has too many publishers.", &name},
                  out);
  }
  const Next asked = ask(limits.hooks.on_publish, "on_publish", name.stream,
                         with_those_of_connect(parameters), message);
  if (asked == Next::kWait) return asked;
  if (asked == Next::kReject) {
    return refuse(message, {consent_reason_, kDenied, consent_text_, &name}, out);
  }
  // A client that went away, perhaps while the hook was asked, takes nobody's place.
  if (before != nullptr && has_hung_up(connection_->descriptor())) return Next::kClose;
  ++hub_.use(name.vhost).publishers;
  if (before != nullptr) before->give_way(*live, *this);
  stream->publishing = &hub_.find_or_make(name);
  stream->publishing->set_settings(settings_);
  hub_.begin_publishing(*stream->publishing, *this);
  // Its players are told.
  if (!stream->publishing->players().empty()) hub_.published(*stream->publishing);
  stream->publishing_parameters = parameters;
  end_reason_ = Reason::kEnded;
  tell_published(Notice::Kind::kPublish, Reason::kNone, name);
  use_changed();
  std::string status;
  append_status(status, stream->id, "status", "NetStream.Publish.Start",
                fmt::format("Publishing {}.", title(name)));
  reply(status, out);
  return Next::kContinue;
}

RelayClient::Next RelayClient::on_play(const Command& command, const Message& message,
                                       std::string& out) {
  StreamName name;
  std::string parameters;
  const Next located = locate(command, message, name, parameters, out);
  if (located != Next::kContinue) return located;
  NetStream* stream = find_or_make_stream(message.stream);
  if (stream == nullptr || stream->publishing != nullptr) {
    const Reason reason = name.stream.empty() ? Reason::kName : Reason::kProtocol;
    return refuse(message, {reason, kNotPlayed, "The message stream is not free.", &name}, out);
  }
  const VhostSettings& limits = settings();
  if (const Reason why = check(Right::kPlay, name, parameters); why != Reason::kNone) {
    return refuse(message, {why, kNotPlayed, access_text(why), &name}, out);
  }
  stop_playing(*stream);
  if (limits.max_players > 0 && hub_.usage(name.vhost).players >= limits.max_players) {
    return refuse(message,
                  {Reason::kMaxPlayers, kNotPlayed, "The vhost has too many players.", &name}, out);
  }
  if (!hub_.may_play(name.path(), waits())) {
    return refuse(message, {Reason::kWaiting, kNotPlayed, kWaitsForTooMany, &name}, out);
  }
  const Next asked =
      ask(limits.hooks.on_play, "on_play", name.stream, with_those_of_connect(parameters), message);
  if (asked == Next::kWait) return asked;
  if (asked == Next::kReject) {
    return refuse(message, {consent_reason_, kNotPlayed, consent_text_, &name}, out);
  }
  std::string answer;
  append_user_control(answer, kStreamBegin, stream->id);
  append_status(answer, stream->id, "status", "NetStream.Play.Reset",
                fmt::format("Playing and resetting {}.", title(name)));
  append_status(answer, stream->id, "status", "NetStream.Play.Start",
                fmt::format("Started playing {}.", title(name)));
  append_sample_access(answer, stream->id);
  LiveStream& live = hub_.find_or_make(name);
  if (live.publisher() != nullptr && live.settings().publish_notify) {
    append_publish_notify(answer, stream->id, name.stream, true);
  }
  reply(answer, out);

  std::uint32_t ordinal = 0;
  const auto taken = [this](std::uint32_t number) {
    return std::any_of(streams_.begin(), streams_.end(), [number](const NetStream& other) {
      return other.player && other.player->ordinal() == number;
    });
  };
  while (taken(ordinal)) ++ordinal;
  ++hub_.use(name.vhost).players;
  stream->player = std::make_unique<Player>(live, *this, stream->id, ordinal);
  stream->playing_parameters = parameters;
  stream->waits_since = hub_.now();
  live.add_player(*stream->player);
  use_changed();
  begin_if_possible(*stream->player);
  hub_.flush_later(*this);
  return Next::kContinue;
}

void RelayClient::on_pause(const Command& command, NetStream& stream, std::string& out) {
  const bool* wanted = command.arguments.size() > 1 ? command.arguments[1].boolean() : nullptr;
  if (wanted == nullptr || *wanted == stream.player->paused()) return;
  append_own({});
  stream.player->pause(*wanted);
  std::string answer;
  append_user_control(answer, *wanted ? kStreamEof : kStreamBegin, stream.id);
  append_status(answer, stream.id, "status",
                *wanted ? "NetStream.Pause.Notify" : "NetStream.Unpause.Notify",
                *wanted ? "Paused." : "Playing again.");
  reply(answer, out);
  begin_if_possible(*stream.player);
}

/// A live stream has one place to be at: a player that asks for another is told that it is there,
/// since some take what comes only then.
void RelayClient::on_seek(const Command& command, const Message& message, std::string& out) {
  std::string answer;
  if (const NetStream* stream = playing(message.stream)) {
    append_status(answer, stream->id, "status", "NetStream.Seek.Notify",
                  "The stream is live, and goes on where it is.");
    if (command.transaction != 0) append_result(answer, command.transaction, std::nullopt);
  } else {
    append_status(answer, message.stream, "error", "NetStream.Seek.Failed", "Nothing is played.");
    if (command.transaction != 0) {
      append_error(answer, command.transaction, "NetStream.Seek.Failed", "Nothing is played.");
    }
  }
  reply(answer, out);
}

LiveStream* RelayClient::leave_publication(NetStream& stream) {
  LiveStream* live = std::exchange(stream.publishing, nullptr);
  if (live == nullptr) return nullptr;
  const std::shared_ptr<const VhostSettings> held = settings_;
  stream.past = live->name().stream.empty() ? Past::kNameless : Past::kNamed;
  --hub_.use(live->name().vhost).publishers;
  tell_published(Notice::Kind::kUnpublish, end_reason_, live->name());
  const HookSettings& hooks = settings().hooks;
  if (!hooks.on_unpublish.empty()) {
    hub_.hooks().tell(hooks.on_unpublish,
                      hook_event("on_unpublish", live->name().stream,
                                 with_those_of_connect(stream.publishing_parameters)),
                      hooks);
  }
  return live;
}

void RelayClient::stop_publishing(NetStream& stream) {
  LiveStream* const live = leave_publication(stream);
  if (live == nullptr) return;
  hub_.end_publishing(*live);
  // What was kept for players to begin with goes.
  if (!live->players().empty()) hub_.published(*live);
  hub_.release(*live);
  use_changed();
}

void RelayClient::give_way(LiveStream& live, const RelayClient& successor) {
  const auto stream = std::ranges::find(streams_, &live, &NetStream::publishing);
  if (stream == streams_.end()) return;
  end_reason_ = Reason::kReplaced;
  leave_publication(*stream);
  use_changed();
  std::string status;
  append_status(status, stream->id, "status", "NetStream.Unpublish.Success",
                "Another publisher has taken over.");
  append_own(status);
  hub_.flush_later(*this);
  if (in_use() || held_ || &successor == this) return;
  replaced_ = true;
  hub_.finish_later(*this);
}

void RelayClient::stop_playing(NetStream& stream) {
  if (!stream.player) return;
  if (stream.player->shares()) stream.player->finish_message(own_);
  LiveStream& live = stream.player->stream();
  stream.past = live.name().stream.empty() ? Past::kNameless : Past::kNamed;
  --hub_.use(live.name().vhost).players;
  const HookSettings& hooks = settings().hooks;
  if (!hooks.on_stop.empty()) {
    hub_.hooks().tell(
        hooks.on_stop,
        hook_event("on_stop", live.name().stream, with_those_of_connect(stream.playing_parameters)),
        hooks);
  }
  live.remove_player(*stream.player);
  stream.player.reset();
  stream.waits_since.reset();
  hub_.release(live);
  use_changed();
}

void RelayClient::end_stream(NetStream& stream) {
  stop_publishing(stream);
  stop_playing(stream);
}

}  // namespace mpb::rtmp
