// RelayClient: where a command leads, and whether the client may go there.
#include <ctime>
#include <utility>

#include "proto/rtmp/ip_address.hpp"
#include "worker/rtmp/relay_client.hpp"
#include "worker/rtmp/relay_hub.hpp"

namespace mpb::rtmp {

RelayClient::Next RelayClient::locate(const Command& command, const Message& message,
                                      StreamName& name, std::string& parameters, std::string& out) {
  const auto target = read_stream_name(command.text(1));
  const bool publishes =
      command.name == "publish" || command.name == "releaseStream" || command.name == "FCPublish";
  const std::string_view code = publishes ? "NetStream.Publish.BadName" : "NetStream.Play.Failed";
  if (!target) {
    return refuse(message, {Reason::kName, code, "The stream's name is not one."}, out);
  }
  const std::string& named = target->vhost.empty() ? target_.vhost : target->vhost;
  name = {named, target_.app, target->stream};
  const std::string vhost = hub_.environment().vhosts.resolve(named);
  if (vhost.empty()) {
    return refuse(message, {Reason::kVhost, code, "There is no vhost " + named + " here.", &name},
                  out);
  }
  name.vhost = vhost;
  parameters = target->parameters;
  if (!parameters.empty() && !target_.parameters.empty()) parameters += '&';
  parameters += target_.parameters;
  const std::string wanted = traits_.key_is_stream ? name.path() : name.vhost;
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
  if (name.vhost != vhost_) {
    vhost_ = name.vhost;
    settings_.reset();
  }
  return Next::kContinue;
}

/// Ends the client, unless it does something else as well.
RelayClient::Next RelayClient::refuse(const Message& message, const Refusal& refusal,
                                      std::string& out) {
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

Reason RelayClient::check(Right right, const StreamName& name, std::string_view parameters) const {
  const AccessRules& rules = right == Right::kPublish ? settings_->publish : settings_->play;
  return check_access(
      rules, {right, address_, name.vhost, name.app, name.stream, parameters, std::time(nullptr)});
}

HookEvent RelayClient::hook_event(std::string_view action, const std::string& stream,
                                  const std::string& parameters) const {
  HookEvent event;
  event.action = action;
  event.client_id = id_;
  const auto peer = parse_endpoint(address_);
  if (peer) event.ip = to_text(unmapped(peer->address));
  event.vhost = vhost_.empty() ? hub_.environment().vhosts.resolve(target_.vhost) : vhost_;
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
