#include "tests/support/relay_fixture.hpp"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "proto/rtmp/handshake.hpp"
#include "worker/rtmp/relay/relay_client.hpp"

namespace mpb::rtmp {

namespace {

void burn(Duration cpu_time) {
  const std::clock_t clocks = cpu_time.count() * CLOCKS_PER_SEC / 1000;
  for (const std::clock_t began = std::clock(); std::clock() - began < clocks;) continue;
}

}  // namespace

RelayPeer::RelayPeer(Handler& handler, std::string key) : handler_(handler), key_(std::move(key)) {
  client.key = key_;
  client.connection = this;
}

Step::Next RelayPeer::say(std::string_view bytes) {
  unread_ += bytes;
  std::string out;
  const Step step = handler_.on_bytes(client, unread_, out);
  unread_.erase(0, step.consumed);
  wire_ += out;
  wanted_key_ = step.key;
  return next_ = step.next;
}

bool RelayPeer::adopt(std::string_view state) {
  append_set_chunk_size(wire_, kOutChunkSize);
  received();
  return handler_.import_state(client, state);
}

Step::Next RelayPeer::command(std::string_view name, std::uint32_t stream,
                              const std::vector<amf0::Value>& arguments) {
  std::string payload;
  amf0::write_string(payload, name);
  amf0::write_number(payload, 0);
  amf0::write_null(payload);
  for (const amf0::Value& argument : arguments) amf0::write(payload, argument);
  std::string bytes;
  append_message(bytes, {MessageType::kCommandAmf0, kCommandChunkStream, stream, 0, payload},
                 kDefaultChunkSize);
  return say(bytes);
}

void RelayPeer::enter(std::string_view app, std::string_view tc_url) {
  std::string bytes(kHandshakeBlock, 'c');
  append_connect(bytes, app, tc_url);
  append_create_stream(bytes, 2);
  say(bytes);
}

Step::Next RelayPeer::publish(std::string_view name) {
  std::string bytes;
  append_publish(bytes, 1, name);
  return say(bytes);
}

Step::Next RelayPeer::play(std::string_view name) {
  std::string bytes;
  append_play(bytes, 1, name);
  return say(bytes);
}

void RelayPeer::send_media(MessageType type, std::uint32_t timestamp, std::string_view payload) {
  std::string bytes;
  append_message(bytes, {type, type == MessageType::kAudio ? 4U : 6U, 1, timestamp, payload},
                 kDefaultChunkSize);
  say(bytes);
}

std::optional<std::size_t> RelayPeer::send(std::span<const iovec> slices) {
  std::size_t taken = 0;
  burn(cost_);
  for (const iovec& slice : slices) {
    const std::size_t size = std::min(slice.iov_len, room_ - taken);
    wire_.append(static_cast<const char*>(slice.iov_base), size);
    taken += size;
    if (size < slice.iov_len) blocked_ = true;
  }
  room_ -= taken;
  return taken;
}

std::optional<std::size_t> RelayPeer::send_file(int file, off_t place, std::size_t size) {
  std::string bytes(size, '\0');
  if (::pread(file, bytes.data(), size, place) != static_cast<ssize_t>(size)) return std::nullopt;
  const iovec slice{bytes.data(), size};
  const auto taken = send({&slice, 1});
  lent_ += taken.value_or(0);
  return taken;
}

void RelayPeer::drain(std::size_t bytes) {
  room_ = bytes;
  if (std::exchange(blocked_, false)) handler_.on_writable(client);
}

RelayClient& RelayPeer::relay_client() const {
  return static_cast<RelayClient&>(*client.state);  // NOLINT(*-downcast): no other is put there
}

void RelayPeer::leave() {
  if (!std::exchange(gone_, true)) handler_.on_close(client);
}

std::vector<Received> RelayPeer::received() {
  std::vector<Received> messages;
  std::string_view rest = wire_;
  Message message;
  ChunkReader::Result result{};
  while ((result = reader_.read(rest, message)) == ChunkReader::Result::kMessage) {
    messages.push_back({message.type, message.chunk_stream, message.stream, message.timestamp,
                        std::string(message.payload)});
  }
  if (result == ChunkReader::Result::kError) {
    messages.push_back({MessageType::kAbort, 0, 0, 0, "broken: " + std::string(reader_.why())});
  }
  wire_.erase(0, wire_.size() - rest.size());
  return messages;
}

std::vector<Received> RelayPeer::received(MessageType type) {
  std::vector<Received> messages = received();
  std::erase_if(messages, [type](const Received& message) { return message.type != type; });
  return messages;
}

std::vector<std::string> RelayPeer::statuses() {
  std::vector<std::string> codes;
  for (const Received& message : received(MessageType::kCommandAmf0)) {
    const auto command = read_command(
        {message.type, message.chunk_stream, message.stream, message.timestamp, message.payload});
    if (!command || command->name != "onStatus" || command->arguments.size() < 2) continue;
    const amf0::Object* info = command->arguments[1].object();
    if (info != nullptr) codes.emplace_back(amf0::text(*info, "code"));
  }
  return codes;
}

std::unique_ptr<RelayPeer> RelayFixture::publisher(std::string_view name) {
  auto peer = this->peer();
  peer->enter();
  peer->publish(name);
  return peer;
}

std::unique_ptr<RelayPeer> RelayFixture::player(std::string_view name) {
  auto peer = this->peer();
  peer->enter();
  peer->play(name);
  turn();
  return peer;
}

std::vector<std::string> payloads(const std::vector<Received>& messages) {
  std::vector<std::string> texts;
  for (const Received& message : messages) texts.push_back(message.payload);
  return texts;
}

std::string avc_header(char variant) {
  return std::string("\x17\0\0\0\0", 5) + "config" + variant;
}

std::string avc_key_frame(std::string_view content) {
  return std::string("\x17\1\0\0\0", 5).append(content);
}

std::string avc_frame(std::string_view content) {
  return std::string("\x27\1\0\0\0", 5).append(content);
}

std::string aac_header() {
  return std::string("\xaf\0", 2) + "config";
}

std::string aac_frame(std::string_view content) {
  return std::string("\xaf\1", 2).append(content);
}

}  // namespace mpb::rtmp
