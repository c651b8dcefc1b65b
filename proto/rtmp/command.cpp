#include "proto/rtmp/command.hpp"

#include <utility>

#include "proto/rtmp/media.hpp"

namespace mpb::rtmp {
namespace {

/// Nobody sends more; it bounds what one message can make us hold.
constexpr std::size_t kMaxArguments = 16;
constexpr std::string_view kServerVersion = "3,5,3,888";
constexpr std::uint8_t kDynamicLimit = 2;  // of SetPeerBandwidth
constexpr double kConnectTransaction = 1;  // the specification fixes it

amf0::Value text_value(std::string_view text) {
  return amf0::Value(std::string(text));
}

void add(amf0::Object& object, std::string_view name, amf0::Value value) {
  object.properties.emplace_back(std::string(name), std::move(value));
}

amf0::Object info(std::string_view level, std::string_view code, std::string_view description) {
  amf0::Object object;
  if (!level.empty()) add(object, "level", text_value(level));
  add(object, "code", text_value(code));
  add(object, "description", text_value(description));
  return object;
}

/// Name and transaction of a command; its arguments are appended to the result.
std::string begin(std::string_view name, double transaction) {
  std::string payload;
  amf0::write_string(payload, name);
  amf0::write_number(payload, transaction);
  return payload;
}

void append_command(std::string& out, std::uint32_t stream, std::string_view payload,
                    std::uint32_t chunk_size) {
  Message message;
  message.type = MessageType::kCommandAmf0;
  message.chunk_stream = kCommandChunkStream;
  message.stream = stream;
  message.payload = payload;
  append_message(out, message, chunk_size);
}

/// What of Enhanced RTMP v2 ("Enhancing NetConnection connect Command") a relay does: it forwards
/// what it is sent, multitrack and modified packets included. v1 knew the list only.
void add_capabilities(amf0::Object& object) {
  constexpr double kCanForward = 4;
  constexpr double kMultitrack = 2;
  constexpr double kModEx = 4;
  constexpr double kTimestampNanoOffset = 8;
  amf0::StrictArray list;
  const auto map = [&](const auto& codecs) {
    amf0::Object codec_map;
    for (const std::string_view codec : codecs) {
      add(codec_map, codec, kCanForward);
      list.values.push_back(text_value(codec));
    }
    return codec_map;
  };
  add(object, "videoFourCcInfoMap", map(kVideoFourCcs));
  add(object, "audioFourCcInfoMap", map(kAudioFourCcs));
  add(object, "fourCcList", std::move(list));
  add(object, "capsEx", kMultitrack + kModEx + kTimestampNanoOffset);
}

/// "publish", null, null, "name": the first null stands for the transaction.
void drop_empty_transaction(std::vector<amf0::Value>& arguments) {
  const auto nothing = [](const amf0::Value& value) {
    return std::holds_alternative<amf0::Null>(value) ||
           std::holds_alternative<amf0::Undefined>(value);
  };
  if (arguments.size() < 2 || !nothing(arguments[0])) return;
  if (!nothing(arguments[1]) && arguments[1].object() == nullptr) return;
  arguments.erase(arguments.begin());
}

}  // namespace

std::string_view Command::text(std::size_t index) const {
  if (index >= arguments.size()) return {};
  const std::string* text = arguments[index].string();
  return text == nullptr ? std::string_view() : *text;
}

std::optional<double> Command::number(std::size_t index) const {
  if (index >= arguments.size()) return std::nullopt;
  const double* number = arguments[index].number();
  return number == nullptr ? std::nullopt : std::optional(*number);
}

std::optional<Command> read_command(const Message& message) {
  if (message.type != MessageType::kCommandAmf0 && message.type != MessageType::kCommandAmf3) {
    return std::nullopt;
  }
  std::string_view rest = message.payload;
  if (rest.starts_with('\0')) rest.remove_prefix(1);  // a name never begins so
  const std::optional<amf0::Value> name = amf0::read(rest);
  if (!name || name->string() == nullptr) return std::nullopt;
  Command command{*name->string(), 0, {}};
  bool numbered = false;
  for (bool first = true; !rest.empty(); first = false) {
    std::optional<amf0::Value> value = amf0::read(rest);
    command.cut_short = !value || command.arguments.size() == kMaxArguments;
    if (command.cut_short) break;
    numbered = numbered || (first && value->number() != nullptr);
    if (first && numbered) {
      command.transaction = *value->number();
    } else {
      command.arguments.push_back(std::move(*value));
    }
  }
  if (!numbered) drop_empty_transaction(command.arguments);
  return command;
}

void append_connect_success(std::string& out, double transaction, double object_encoding,
                            std::string_view server_id, bool enhanced) {
  append_window_ack_size(out, kWindowAckSize);
  append_set_peer_bandwidth(out, kWindowAckSize, kDynamicLimit);
  append_set_chunk_size(out, kOutChunkSize);

  amf0::Object properties;
  add(properties, "fmsVer", text_value("FMS/" + std::string(kServerVersion)));
  add(properties, "capabilities", 127.0);
  add(properties, "mode", 1.0);
  if (enhanced) add_capabilities(properties);
  amf0::Object data;
  data.array = true;
  add(data, "version", text_value(kServerVersion));
  if (!server_id.empty()) add(data, "server_id", text_value(server_id));
  amf0::Object success = info("status", "NetConnection.Connect.Success", "Connection succeeded");
  add(success, "objectEncoding", object_encoding);
  add(success, "data", std::move(data));
  // Clients look for them in either object.
  if (enhanced) add_capabilities(success);

  std::string payload = begin("_result", transaction);
  amf0::write(payload, std::move(properties));
  amf0::write(payload, std::move(success));
  append_command(out, 0, payload, kOutChunkSize);
}

void append_connect_rejected(std::string& out, double transaction, std::string_view description,
                             std::uint32_t chunk_size) {
  append_error(out, transaction, "NetConnection.Connect.Rejected", description, chunk_size);
}

void append_result(std::string& out, double transaction, std::optional<double> value,
                   std::uint32_t chunk_size) {
  std::string payload = begin("_result", transaction);
  amf0::write_null(payload);
  amf0::write(payload, value ? amf0::Value(*value) : amf0::Value(amf0::Undefined{}));
  append_command(out, 0, payload, chunk_size);
}

void append_error(std::string& out, double transaction, std::string_view code,
                  std::string_view description, std::uint32_t chunk_size) {
  std::string payload = begin("_error", transaction);
  amf0::write_null(payload);
  amf0::write(payload, info("error", code, description));
  append_command(out, 0, payload, chunk_size);
}

void append_status(std::string& out, std::uint32_t stream, std::string_view level,
                   std::string_view code, std::string_view description, std::uint32_t chunk_size) {
  std::string payload = begin("onStatus", 0);
  amf0::write_null(payload);
  amf0::write(payload, info(level, code, description));
  append_command(out, stream, payload, chunk_size);
}

void append_publish_notify(std::string& out, std::uint32_t stream, std::string_view name,
                           bool begins) {
  const std::string_view code =
      begins ? "NetStream.Play.PublishNotify" : "NetStream.Play.UnpublishNotify";
  std::string text(name);
  text += begins ? " is published now." : " is no longer published.";
  append_status(out, stream, "status", code, text);
}

void append_fc_status(std::string& out, std::string_view method, std::string_view code,
                      std::string_view description, std::uint32_t chunk_size) {
  std::string payload = begin(method, 0);
  amf0::write_null(payload);
  amf0::write(payload, info({}, code, description));
  append_command(out, 0, payload, chunk_size);
}

void append_connect(std::string& out, std::string_view app, std::string_view tc_url,
                    std::uint32_t chunk_size) {
  amf0::Object object;
  add(object, "app", text_value(app));
  add(object, "type", text_value("nonprivate"));
  add(object, "flashVer", text_value("FMLE/3.0 (compatible; mpbroker)"));
  add(object, "tcUrl", text_value(tc_url));
  std::string payload = begin("connect", kConnectTransaction);
  amf0::write(payload, std::move(object));
  append_command(out, 0, payload, chunk_size);
}

void append_create_stream(std::string& out, double transaction, std::uint32_t chunk_size) {
  std::string payload = begin("createStream", transaction);
  amf0::write_null(payload);
  append_command(out, 0, payload, chunk_size);
}

void append_publish(std::string& out, std::uint32_t stream, std::string_view name,
                    std::uint32_t chunk_size) {
  std::string payload = begin("publish", 0);
  amf0::write_null(payload);
  amf0::write_string(payload, name);
  amf0::write_string(payload, "live");
  append_command(out, stream, payload, chunk_size);
}

void append_play(std::string& out, std::uint32_t stream, std::string_view name,
                 std::uint32_t chunk_size) {
  std::string payload = begin("play", 0);
  amf0::write_null(payload);
  amf0::write_string(payload, name);
  append_command(out, stream, payload, chunk_size);
}

}  // namespace mpb::rtmp
