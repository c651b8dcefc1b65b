#include "proto/rtmp/command.hpp"

#include <utility>

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
  std::string_view rest = message.payload;
  if (message.type == MessageType::kCommandAmf3) {
    if (!rest.starts_with('\0')) return std::nullopt;
    rest.remove_prefix(1);
  } else if (message.type != MessageType::kCommandAmf0) {
    return std::nullopt;
  }
  const std::optional<amf0::Value> name = amf0::read(rest);
  if (!name || name->string() == nullptr) return std::nullopt;
  const std::optional<amf0::Value> transaction = amf0::read(rest);
  if (!transaction || transaction->number() == nullptr) return std::nullopt;
  Command command{*name->string(), *transaction->number(), {}};
  while (!rest.empty()) {
    std::optional<amf0::Value> argument = amf0::read(rest);
    if (!argument || command.arguments.size() == kMaxArguments) return std::nullopt;
    command.arguments.push_back(std::move(*argument));
  }
  return command;
}

void append_connect_success(std::string& out, double transaction, double object_encoding,
                            std::string_view server_id) {
  append_window_ack_size(out, kWindowAckSize);
  append_set_peer_bandwidth(out, kWindowAckSize, kDynamicLimit);
  append_set_chunk_size(out, kOutChunkSize);

  amf0::Object properties;
  add(properties, "fmsVer", text_value("FMS/" + std::string(kServerVersion)));
  add(properties, "capabilities", 127.0);
  add(properties, "mode", 1.0);
  amf0::Object data;
  data.array = true;
  add(data, "version", text_value(kServerVersion));
  if (!server_id.empty()) add(data, "server_id", text_value(server_id));
  amf0::Object success = info("status", "NetConnection.Connect.Success", "Connection succeeded");
  add(success, "objectEncoding", object_encoding);
  add(success, "data", std::move(data));

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
