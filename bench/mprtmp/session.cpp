#include "bench/mprtmp/session.hpp"

#include <algorithm>

#include "proto/rtmp/command.hpp"
#include "proto/rtmp/handshake.hpp"

namespace mpb::rtmp_load {
namespace {

constexpr std::uint16_t kPingRequest = 6;
constexpr std::uint16_t kPingResponse = 7;
constexpr double kCreateStreamTransaction = 2;

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

/// Of the info object behind the command object.
std::string_view info(const rtmp::Command& command, std::string_view name) {
  if (command.arguments.size() < 2) return {};
  const amf0::Object* object = command.arguments[1].object();
  return object == nullptr ? std::string_view() : amf0::text(*object, name);
}

std::string reason(const rtmp::Command& command) {
  std::string text(info(command, "code"));
  const std::string_view description = info(command, "description");
  if (!description.empty()) text += (text.empty() ? "" : ": ") + std::string(description);
  return text.empty() ? command.name : text;
}

}  // namespace

bool Session::receive(std::string_view bytes, std::string& out, SessionObserver& observer) {
  acknowledge(bytes.size(), out);
  if (stage_ == Stage::kHandshake && !take_handshake(bytes, out)) return why_.empty();
  Skimmed message;
  for (;;) {
    switch (skimmer_.next(bytes, message)) {
      case ChunkSkimmer::Event::kNeedMore:
        return true;
      case ChunkSkimmer::Event::kBegun:
        if (message.is_media()) observer.on_media_begun();
        break;
      case ChunkSkimmer::Event::kMessage:
        on_message(message, out, observer);
        break;
      case ChunkSkimmer::Event::kError:
        why_ = skimmer_.why();
        return false;
    }
  }
}

/// True once the handshake is over. Else it waits, or why_ says what is wrong.
bool Session::take_handshake(std::string_view& bytes, std::string& out) {
  const std::size_t more = std::min(bytes.size(), rtmp::kAnswerSize - handshake_.size());
  handshake_ += bytes.substr(0, more);
  bytes.remove_prefix(more);
  if (!handshake_.empty() && static_cast<std::uint8_t>(handshake_[0]) != rtmp::kVersion) {
    why_ = "the handshake's version is not 3";
    return false;
  }
  if (handshake_.size() < rtmp::kAnswerSize) return false;
  out += rtmp::answer_server(std::string_view(handshake_).substr(1, rtmp::kHandshakeBlock));
  handshake_ = {};
  rtmp::append_connect(out, address_->app, address_->tc_url);
  stage_ = Stage::kConnect;
  return true;
}

void Session::on_message(const Skimmed& message, std::string& out, SessionObserver& observer) {
  switch (message.type) {
    case rtmp::MessageType::kAudio:
    case rtmp::MessageType::kVideo:
      return observer.on_media(message);
    case rtmp::MessageType::kCommandAmf0:
    case rtmp::MessageType::kCommandAmf3:
      return on_command(message, out, observer);
    case rtmp::MessageType::kWindowAckSize:
      if (message.front.size() >= 4) window_ = big_endian(message.front.substr(0, 4));
      return;
    case rtmp::MessageType::kUserControl:
      if (message.front.size() >= 6 && big_endian(message.front.substr(0, 2)) == kPingRequest) {
        rtmp::append_user_control(out, kPingResponse, big_endian(message.front.substr(2, 4)));
      }
      return;
    default:
      return;
  }
}

void Session::on_command(const Skimmed& message, std::string& out, SessionObserver& observer) {
  rtmp::Message whole;
  whole.type = message.type;
  whole.stream = message.stream;
  whole.payload = message.front;
  const auto command = rtmp::read_command(whole);
  if (!command || stage_ == Stage::kStarted) return;
  if (command->name == "_error") return observer.on_refused(reason(*command));
  if (command->name == "_result") {
    return on_result(command->number(1).value_or(0), out, observer);
  }
  if (command->name != "onStatus" || stage_ != Stage::kStart) return;
  if (info(*command, "level") == "error") return observer.on_refused(reason(*command));
  const std::string_view code = info(*command, "code");
  if (code != "NetStream.Publish.Start" && code != "NetStream.Play.Start") return;
  stage_ = Stage::kStarted;
  observer.on_started();
}

void Session::on_result(double number, std::string& out, SessionObserver& observer) {
  if (stage_ == Stage::kConnect) {
    stage_ = Stage::kCreateStream;
    rtmp::append_create_stream(out, kCreateStreamTransaction);
    return observer.on_accepted();
  }
  if (stage_ != Stage::kCreateStream) return;
  stage_ = Stage::kStart;
  stream_ = number > 0 && number < 1e9 ? static_cast<std::uint32_t>(number) : 1;
  if (role_ == Role::kPublish) {
    rtmp::append_publish(out, stream_, address_->stream);
  } else {
    rtmp::append_play(out, stream_, address_->stream);
  }
}

void Session::acknowledge(std::size_t bytes, std::string& out) {
  received_ += bytes;
  if (window_ == 0 || received_ - acknowledged_ < window_) return;
  acknowledged_ = received_;
  rtmp::append_acknowledgement(out, static_cast<std::uint32_t>(received_));
}

}  // namespace mpb::rtmp_load
