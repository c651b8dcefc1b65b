// RelayClient: where a command leads, and whether the client may go there.
#include <fmt/format.h>

#include <ctime>
#include <utility>

#include "proto/channel/message.hpp"
#include "proto/rtmp/ip_address.hpp"
#include "worker/rtmp/relay/handler_choice.hpp"
#include "worker/rtmp/relay/relay_client.hpp"
#include "worker/rtmp/relay/relay_hub.hpp"

namespace mpb::rtmp {
namespace {

bool is_of_publisher(std::string_view command) {
  return command == "publish" || command == "releaseStream" || command == "FCPublish";
}

/// For a name that cannot be had.
std::string_view refusal_code(std::string_view command) {
  return is_of_publisher(command) ? "NetStream.Publish.BadName" : "NetStream.Play.Failed";
}

}  // namespace

RelayClient::Next RelayClient::locate(const Command& command, const Message& message,
                                      StreamName& name, std::string& parameters, std::string& out) {
  const std::string_view code = refusal_code(command.name);
  const bool announces = command.name != "publish" && command.name != "play";
  if (command.arguments.size() < 2 || command.arguments[1].string() == nullptr) {
    if (announces) return Next::kContinue;
    return refuse(message, {Reason::kName, code, "The stream has no name."}, out);
  }
  const auto target = read_stream_name(command.text(1));
  if (!target) {
    return refuse(
        message,
        {Reason::kName, code, "The stream's name is too long, or has bytes that no name has."},
        out);
  }
  const std::string& named = target->vhost.empty() ? target_.vhost : target->vhost;
  name = {named, target_.app, target->stream};
  const std::string vhost = hub_.environment().vhosts.resolve(named);
  if (vhost.empty()) {
    if (announces && target->vhost.empty()) return Next::kContinue;
    const std::string why = "There is no vhost " + named + " here" +
                            (target->vhost.empty() ? ", and the stream's name names none." : ".");
    return refuse(message, {Reason::kVhost, code, why, &name}, out);
  }
  name.vhost = vhost;
  if (vhost != vhost_ && forwards(hub_.environment(), traits_, vhost)) {
    const std::string why = "Vhost " + vhost +
                            " is served by another server: name it in connect (rtmp://" + vhost +
                            "/...).";
    return refuse(message, {Reason::kVhost, code, why, &name}, out);
  }
  parameters = target->parameters;
  const std::string wanted = key_of(name);
  if (wanted != key_) {
    if (in_use()) {
      return refuse(
          message,
          {Reason::kProtocol, code, "It belongs elsewhere than the streams in use.", &name}, out);
    }
    consent_ = Consent::kNotAsked;  // it was given for the place that it leaves
    hold(message);
    key_ = wanted;
    return Next::kMove;
  }
  return enter_vhost(name.vhost, message,
                     is_of_publisher(command.name) ? "NetStream.Publish.Denied" : code, out);
}

std::string RelayClient::with_those_of_connect(const std::string& parameters) const {
  if (parameters.empty() || target_.parameters.empty()) return parameters + target_.parameters;
  return parameters + '&' + target_.parameters;
}

RelayClient::Next RelayClient::enter_vhost(const std::string& vhost, const Message& message,
                                           std::string_view code, std::string& out) {
  if (vhost == vhost_) return Next::kContinue;
  const std::string before = std::exchange(vhost_, vhost);
  settings_.reset();
  const std::string url = settings().hooks.on_connect;
  const Next asked = ask(url, "on_connect", {}, target_.parameters, message);
  if (asked == Next::kContinue) return asked;
  vhost_ = before;
  settings_.reset();
  return asked == Next::kReject ? refuse(message, {consent_reason_, code, consent_text_}, out)
                                : asked;
}

std::string RelayClient::key_of(const StreamName& name) const {
  static_assert(kMaxPathKey == channel::kMaxKey);
  if (traits_.key_is_stream) return path_key(name.path());
  return traits_.key_is_app ? app_key(name.vhost, name.app) : name.vhost;
}

void RelayClient::tell(const Refusal& refusal) const {
  Notice notice;
  notice.reason = refusal.reason;
  describe(notice);
  notice.action = refusal.code.starts_with("NetStream.Publish") ? Notice::Action::kPublish
                                                                : Notice::Action::kPlay;
  if (refusal.name != nullptr) {
    notice.vhost = refusal.name->vhost;
    notice.app = refusal.name->app;
    notice.stream = refusal.name->stream;
  }
  hub_.environment().tell(notice, connection_->descriptor());
}

/// Ends the client, unless it does something else as well.
RelayClient::Next RelayClient::refuse(const Message& message, const Refusal& refusal,
                                      std::string& out) {
  tell(refusal);
  consent_ = Consent::kNotAsked;
  std::string status;
  append_status(status, message.stream, "error", refusal.code, refusal.why);
  reply(status, out);
  return in_use() ? Next::kContinue : Next::kClose;
}

void RelayClient::describe(Notice& notice) const {
  notice.address = address_;
  notice.vhost = vhost_.empty() ? target_.vhost : vhost_;
  notice.app = target_.app;
  notice.action = vhost_.empty() ? Notice::Action::kConnect : Notice::Action::kNone;
  for (const NetStream& stream : streams_) {
    const LiveStream* live = stream.publishing;
    if (live == nullptr && stream.player) live = &stream.player->stream();
    if (live == nullptr) continue;
    notice.action = stream.publishing != nullptr ? Notice::Action::kPublish : Notice::Action::kPlay;
    notice.vhost = live->name().vhost;
    notice.app = live->name().app;
    notice.stream = live->name().stream;
  }
}

void RelayClient::tell_refused(Reason reason) {
  end_reason_ = reason;
  Notice notice;
  notice.reason = reason;
  describe(notice);
  hub_.environment().tell(notice, connection_->descriptor());
}

void RelayClient::tell_published(Notice::Kind kind, Reason reason, const StreamName& name) const {
  Notice notice;
  notice.kind = kind;
  notice.reason = reason;
  notice.address = address_;
  notice.vhost = name.vhost;
  notice.app = name.app;
  notice.stream = name.stream;
  hub_.environment().tell(notice, connection_->descriptor());
}

RelayClient::Next RelayClient::refuse_held(std::string_view why, std::string& out) {
  const Held held = *std::exchange(held_, std::nullopt);
  const Message message{held.type, kCommandChunkStream, held.stream, 0, held.payload};
  const auto command = read_command(message);
  return refuse(message, {Reason::kName, refusal_code(command ? command->name : ""), why}, out);
}

Reason RelayClient::check(Right right, const StreamName& name,
                          const std::string& parameters) const {
  const AccessRules& rules = right == Right::kPublish ? settings_->publish : settings_->play;
  return check_access(rules, {right, address_, name.vhost, name.app, name.stream,
                              with_those_of_connect(parameters), std::time(nullptr)});
}

HookEvent RelayClient::hook_event(std::string_view action, const std::string& stream,
                                  const std::string& parameters) const {
  HookEvent event;
  event.action = action;
  event.client_id = id_;
  const auto peer = parse_endpoint(address_);
  if (peer) event.ip = to_text(unmapped(peer->address));
  event.vhost = vhost_.empty() ? hub_.environment().vhosts.resolve(target_.vhost) : vhost_;
  if (settings_) event.section = settings_->name;
  event.app = target_.app;
  event.tc_url = target_.tc_url;
  event.stream = stream;
  event.param = parameters;
  return event;
}

RelayClient::Next RelayClient::ask(const std::string& url, std::string_view action,
                                   const std::string& stream, const std::string& parameters,
                                   const Message& message) {
  // Taken in any case: a reload may have removed the hook that was asked.
  const Consent consent = std::exchange(consent_, Consent::kNotAsked);
  if (url.empty()) return Next::kContinue;
  switch (consent) {
    case Consent::kGiven:
      return Next::kContinue;
    case Consent::kRefused:
      return Next::kReject;
    case Consent::kNotAsked:
      break;
  }
  hold(message);
  ticket_ = hub_.hooks().ask(url, hook_event(action, stream, parameters), settings_->hooks,
                             [this](Reason refused, std::string_view why) {
                               ticket_.reset();
                               consent_ =
                                   refused == Reason::kNone ? Consent::kGiven : Consent::kRefused;
                               consent_reason_ = refused;
                               consent_text_ = why;
                               connection_->proceed();
                             });
  return Next::kWait;
}

}  // namespace mpb::rtmp
