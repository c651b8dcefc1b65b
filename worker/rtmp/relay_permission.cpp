// RelayClient: where a command leads, and whether the client may go there.
#include <ctime>
#include <utility>

#include "proto/rtmp/ip_address.hpp"
#include "worker/rtmp/handler_choice.hpp"
#include "worker/rtmp/relay_client.hpp"
#include "worker/rtmp/relay_hub.hpp"

namespace mpb::rtmp {

RelayClient::Next RelayClient::locate(const Command& command, const Message& message,
                                      StreamName& name, std::string& parameters, std::string& out) {
  const auto target = read_stream_name(command.text(1));
  const bool publishes =
      command.name == "publish" || command.name == "releaseStream" || command.name == "FCPublish";
  const std::string_view code = publishes ? "NetStream.Publish.BadName" : "NetStream.Play.Failed";
  if (!target) return refuse(message, code, "The stream's name is not one.", out);
  const std::string& named = target->vhost.empty() ? target_.vhost : target->vhost;
  name.vhost = hub_.environment().vhosts.resolve(named);
  if (name.vhost.empty()) {
    return refuse(message, code, "There is no vhost " + named + " here.", out);
  }
  if (name.vhost != vhost_ && forwards(hub_.environment(), traits_, name.vhost)) {
    return refuse(message, code,
                  "Vhost " + name.vhost +
                      " is served by another server: name it in connect (rtmp://" + name.vhost +
                      "/...).",
                  out);
  }
  name.app = target_.app;
  name.stream = target->stream;
  parameters = target->parameters;
  if (!parameters.empty() && !target_.parameters.empty()) parameters += '&';
  parameters += target_.parameters;
  const std::string wanted = traits_.key_is_stream ? name.path() : name.vhost;
  if (wanted != key_) {
    if (in_use()) {
      return refuse(message, code, "It belongs elsewhere than the streams in use.", out);
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
RelayClient::Next RelayClient::refuse(const Message& message, std::string_view code,
                                      std::string_view why, std::string& out) {
  consent_ = Consent::kNotAsked;
  std::string status;
  append_status(status, message.stream, "error", code, why);
  reply(status, out);
  return in_use() ? Next::kContinue : Next::kClose;
}

std::string RelayClient::refusal(Right right, const StreamName& name,
                                 std::string_view parameters) const {
  const AccessRules& rules = right == Right::kPublish ? settings_->publish : settings_->play;
  const AccessRequest request{right,       address_,   name.vhost,        name.app,
                              name.stream, parameters, std::time(nullptr)};
  return std::string(check_access(rules, request));
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
                             [this](bool allowed, std::string_view why) {
                               ticket_.reset();
                               consent_ = allowed ? Consent::kGiven : Consent::kRefused;
                               consent_text_ = why;
                               connection_->proceed();
                             });
  return Next::kWait;
}

}  // namespace mpb::rtmp
