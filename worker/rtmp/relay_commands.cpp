// RelayClient: what the client asks for.
#include <algorithm>
#include <utility>

#include "worker/rtmp/relay_client.hpp"
#include "worker/rtmp/relay_hub.hpp"

namespace mpb::rtmp {
namespace {

constexpr std::size_t kMaxStreams = 32;  // message streams of one client
constexpr std::string_view kServerId = "mpbroker";
constexpr std::uint16_t kStreamBegin = 0;
constexpr std::uint16_t kStreamEof = 1;

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

}  // namespace

RelayClient::NetStream* RelayClient::find_stream(std::uint32_t id) {
  const auto found = std::find_if(streams_.begin(), streams_.end(),
                                  [id](const NetStream& stream) { return stream.id == id; });
  return found == streams_.end() ? nullptr : &*found;
}

bool RelayClient::in_use() const {
  return std::any_of(streams_.begin(), streams_.end(), [](const NetStream& stream) {
    return stream.publishing != nullptr || stream.player != nullptr;
  });
}

void RelayClient::hold(const Message& message) {
  held_ = Held{message.type, message.stream, std::string(message.payload)};
}

RelayClient::Next RelayClient::on_command(const Message& message, std::string& out) {
  const auto command = read_command(message);
  if (!command) return Next::kReject;
  if (vhost_.empty() || command->name == "connect") return on_connect(*command, message, out);
  if (command->name == "publish") return on_publish(*command, message, out);
  if (command->name == "play") return on_play(*command, message, out);
  NetStream* stream = find_stream(message.stream);
  if (names_stream(command->name)) {
    StreamName name;
    std::string parameters;
    const Next next = locate(*command, message, name, parameters, out);
    if (next != Next::kContinue) return next;
  }
  std::string answer;
  if (command->name == "createStream") {
    create_stream(*command, out);
  } else if (command->name == "deleteStream") {
    delete_stream(*command);
  } else if (command->name == "closeStream") {
    if (stream != nullptr) end_stream(*stream);
  } else if (command->name == "FCUnpublish") {
    on_fc_unpublish(*command, out);
  } else if (command->name == "pause") {
    if (stream != nullptr && stream->player) on_pause(*command, *stream, out);
  } else if (command->name == "receiveAudio" || command->name == "receiveVideo") {
    if (stream != nullptr && stream->player) on_receive(*command, *stream->player);
  } else if (command->name == "FCPublish" || command->name == "FCSubscribe") {
    answer_fc(*command, answer);
  } else if (command->name == "getStreamLength") {
    append_result(answer, command->transaction, 0.0);
  } else if (command->transaction != 0) {
    append_result(answer, command->transaction, std::nullopt);
  }
  if (!answer.empty()) reply(answer, out);
  return Next::kContinue;
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
  if (!target || !vhost_.empty()) return Next::kReject;
  const std::string vhost = hub_.environment().vhosts.resolve(target->vhost);
  const auto reject = [&](std::string_view why) {
    append_connect_rejected(out, target->transaction, why);
    return Next::kClose;
  };
  if (vhost.empty()) return reject("There is no vhost " + target->vhost + " here.");
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
    return reject(consent_text_);
  }
  vhost_ = vhost;
  append_connect_success(out, target_.transaction, target_.object_encoding, kServerId);
  use_changed();
  return Next::kContinue;
}

void RelayClient::create_stream(const Command& command, std::string& out) {
  std::string answer;
  if (streams_.size() < kMaxStreams) {
    streams_.emplace_back().id = ++last_stream_id_;
    append_result(answer, command.transaction, last_stream_id_);
  } else {
    append_error(answer, command.transaction, "NetConnection.Call.Failed", "Too many streams.");
  }
  reply(answer, out);
}

void RelayClient::delete_stream(const Command& command) {
  const auto number = command.number(1);
  if (!number || !(*number >= 0) || !(*number <= UINT32_MAX)) return;
  const auto id = static_cast<std::uint32_t>(*number);
  if (NetStream* stream = find_stream(id)) end_stream(*stream);
  std::erase_if(streams_, [id](const NetStream& stream) { return stream.id == id; });
}

RelayClient::Next RelayClient::on_publish(const Command& command, const Message& message,
                                          std::string& out) {
  StreamName name;
  std::string parameters;
  const Next located = locate(command, message, name, parameters, out);
  if (located != Next::kContinue) return located;
  NetStream* stream = find_stream(message.stream);
  if (stream == nullptr || stream->publishing != nullptr || stream->player) {
    return refuse(message, "NetStream.Publish.BadName", "The message stream is not free.", out);
  }
  const VhostSettings& limits = settings();
  if (const std::string why = refusal(Right::kPublish, name, parameters); !why.empty()) {
    return refuse(message, "NetStream.Publish.Denied", why, out);
  }
  if (name.stream.empty()) {
    return refuse(message, "NetStream.Publish.BadName", "The stream has no name.", out);
  }
  LiveStream* live = hub_.find(name.path());
  RelayClient* const before = live != nullptr ? live->publisher() : nullptr;
  const auto yields = limits.publisher_yields;
  if (before != nullptr && !(yields && before->silent_for(*yields))) {
    return refuse(message, "NetStream.Publish.BadName", "The stream is published already.", out);
  }
  const std::uint32_t others = hub_.usage(name.vhost).publishers - (before != nullptr ? 1 : 0);
  if (limits.max_publishers > 0 && others >= limits.max_publishers) {
    return refuse(message, "NetStream.Publish.Denied", "The vhost has too many publishers.", out);
  }
  const Next asked = ask(limits.hooks.on_publish, "on_publish", name.stream, parameters, message);
  if (asked == Next::kWait) return asked;
  if (asked == Next::kReject) {
    return refuse(message, "NetStream.Publish.Denied", consent_text_, out);
  }
  ++hub_.use(name.vhost).publishers;
  if (before != nullptr) before->give_way(*live, *this);
  stream->publishing = &hub_.find_or_make(name);
  stream->publishing->set_settings(settings_);
  stream->publishing->begin_publishing(*this, hub_.now());
  stream->publishing_parameters = parameters;
  use_changed();
  std::string status;
  append_status(status, stream->id, "status", "NetStream.Publish.Start",
                "Publishing " + name.stream + ".");
  reply(status, out);
  return Next::kContinue;
}

RelayClient::Next RelayClient::on_play(const Command& command, const Message& message,
                                       std::string& out) {
  StreamName name;
  std::string parameters;
  const Next located = locate(command, message, name, parameters, out);
  if (located != Next::kContinue) return located;
  NetStream* stream = find_stream(message.stream);
  if (stream == nullptr || stream->publishing != nullptr || name.stream.empty()) {
    return refuse(message, "NetStream.Play.Failed", "The message stream is not free.", out);
  }
  const VhostSettings& limits = settings();
  if (const std::string why = refusal(Right::kPlay, name, parameters); !why.empty()) {
    return refuse(message, "NetStream.Play.Failed", why, out);
  }
  stop_playing(*stream);
  if (limits.max_players > 0 && hub_.usage(name.vhost).players >= limits.max_players) {
    return refuse(message, "NetStream.Play.Failed", "The vhost has too many players.", out);
  }
  const Next asked = ask(limits.hooks.on_play, "on_play", name.stream, parameters, message);
  if (asked == Next::kWait) return asked;
  if (asked == Next::kReject) return refuse(message, "NetStream.Play.Failed", consent_text_, out);
  std::string answer;
  append_user_control(answer, kStreamBegin, stream->id);
  append_status(answer, stream->id, "status", "NetStream.Play.Reset",
                "Playing and resetting " + name.stream + ".");
  append_status(answer, stream->id, "status", "NetStream.Play.Start",
                "Started playing " + name.stream + ".");
  append_sample_access(answer, stream->id);
  reply(answer, out);

  std::uint32_t ordinal = 0;
  const auto taken = [this](std::uint32_t number) {
    return std::any_of(streams_.begin(), streams_.end(), [number](const NetStream& other) {
      return other.player && other.player->ordinal() == number;
    });
  };
  while (taken(ordinal)) ++ordinal;
  LiveStream& live = hub_.find_or_make(name);
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

void RelayClient::on_fc_unpublish(const Command& command, std::string& out) {
  const auto target = read_stream_name(command.text(1));
  std::string answer;
  append_fc_status(answer, "onFCUnpublish", "NetStream.Unpublish.Success", command.text(1));
  append_result(answer, command.transaction, std::nullopt);
  for (NetStream& stream : streams_) {
    if (!target || stream.publishing == nullptr ||
        stream.publishing->name().stream != target->stream) {
      continue;
    }
    stop_publishing(stream);
    append_status(answer, stream.id, "status", "NetStream.Unpublish.Success", "Unpublished.");
  }
  reply(answer, out);
}

LiveStream* RelayClient::leave_publication(NetStream& stream) {
  LiveStream* live = std::exchange(stream.publishing, nullptr);
  if (live == nullptr) return nullptr;
  const std::shared_ptr<const VhostSettings> held = settings_;
  --hub_.use(live->name().vhost).publishers;
  const HookSettings& hooks = settings().hooks;
  if (!hooks.on_unpublish.empty()) {
    hub_.hooks().tell(hooks.on_unpublish,
                      hook_event("on_unpublish", live->name().stream, stream.publishing_parameters),
                      hooks);
  }
  return live;
}

void RelayClient::stop_publishing(NetStream& stream) {
  LiveStream* const live = leave_publication(stream);
  if (live == nullptr) return;
  live->end_publishing();
  // What was kept for players to begin with goes.
  if (!live->players().empty()) hub_.published(*live);
  hub_.release(*live);
  use_changed();
}

void RelayClient::give_way(LiveStream& live, const RelayClient& successor) {
  const auto stream = std::ranges::find(streams_, &live, &NetStream::publishing);
  if (stream == streams_.end()) return;
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
  --hub_.use(live.name().vhost).players;
  const HookSettings& hooks = settings().hooks;
  if (!hooks.on_stop.empty()) {
    hub_.hooks().tell(hooks.on_stop,
                      hook_event("on_stop", live.name().stream, stream.playing_parameters), hooks);
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
