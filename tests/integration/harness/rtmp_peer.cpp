#include "tests/integration/harness/rtmp_peer.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "proto/rtmp/command.hpp"
#include "proto/rtmp/handshake.hpp"

namespace mpb::test {

using std::chrono::steady_clock;

std::string rtmp_hello_bytes() {
  std::string bytes(rtmp::kHelloSize, '\0');
  bytes[0] = static_cast<char>(rtmp::kVersion);
  for (std::size_t i = 9; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7);
  return bytes;
}

std::string rtmp_connect_bytes(const std::string& vhost) {
  std::string bytes(rtmp::kHandshakeBlock, '2');
  rtmp::append_connect(bytes, "live", "rtmp://" + vhost + "/live");
  return bytes;
}

std::string rtmp_command_bytes(std::string_view name, double transaction, std::uint32_t stream,
                               const std::string& more) {
  std::string payload;
  amf0::write_string(payload, name);
  amf0::write_number(payload, transaction);
  amf0::write_null(payload);
  payload += more;
  std::string bytes;
  rtmp::append_message(
      bytes, {rtmp::MessageType::kCommandAmf0, rtmp::kCommandChunkStream, stream, 0, payload},
      rtmp::kDefaultChunkSize);
  return bytes;
}

bool RtmpPeer::send_some(std::string_view bytes) {
  return ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
}

RtmpPeer::Arrival RtmpPeer::receive(Duration limit) {
  const auto end = steady_clock::now() + limit;
  while (true) {
    std::array<char, 65536> buffer;  // NOLINT(*-member-init): recv fills it
    const ssize_t count = ::recv(fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count > 0) {
      received_.append(buffer.data(), static_cast<std::size_t>(count));
      return Arrival::kBytes;
    }
    if (count == 0 || (errno != EAGAIN && errno != EINTR)) return Arrival::kEnd;
    const auto left = std::chrono::ceil<Duration>(end - steady_clock::now());
    if (left.count() <= 0) return Arrival::kNothing;
    pollfd entry{fd(), POLLIN, 0};
    ::poll(&entry, 1, static_cast<int>(left.count()));
  }
}

bool RtmpPeer::greet() {
  send(rtmp_hello_bytes());
  while (received_.size() < rtmp::kAnswerSize) {
    if (receive(scaled(kPatience)) != Arrival::kBytes) return false;
  }
  received_.erase(0, rtmp::kAnswerSize);
  return true;
}

bool RtmpPeer::enter(const std::string& vhost) {
  if (!greet()) return false;
  send(rtmp_connect_bytes(vhost));
  const auto answer = next(rtmp::MessageType::kCommandAmf0);
  return answer && answer->find("_result") != std::string::npos;
}

bool RtmpPeer::enter_stream(const std::string& vhost) {
  if (!enter(vhost)) return false;
  send(rtmp_command_bytes("createStream", 2, 0));
  const auto answer = next(rtmp::MessageType::kCommandAmf0);
  return answer && answer->find("_result") != std::string::npos;
}

std::optional<std::string> RtmpPeer::next(rtmp::MessageType type, Duration limit) {
  const auto end = steady_clock::now() + scaled(limit);
  while (true) {
    std::string_view rest = received_;
    rtmp::Message message;
    const auto result = reader_.read(rest, message);
    std::optional<std::string> payload;
    if (result == rtmp::ChunkReader::Result::kMessage && message.type == type) {
      payload = std::string(message.payload);
    }
    received_.erase(0, received_.size() - rest.size());
    if (payload) return payload;
    if (result == rtmp::ChunkReader::Result::kError) return std::nullopt;
    if (result == rtmp::ChunkReader::Result::kMessage) continue;
    const auto left = std::chrono::ceil<Duration>(end - steady_clock::now());
    if (left.count() <= 0 || receive(left) != Arrival::kBytes) return std::nullopt;
  }
}

std::string RtmpPeer::status(Duration limit) {
  while (const auto payload = next(rtmp::MessageType::kCommandAmf0, limit)) {
    const auto command = rtmp::read_command({rtmp::MessageType::kCommandAmf0, 3, 0, 0, *payload});
    if (!command || command->arguments.size() < 2) continue;
    const amf0::Object* info = command->arguments[1].object();
    if (info != nullptr && command->name != "_result") {
      return std::string(amf0::text(*info, "code"));
    }
  }
  return {};
}

bool RtmpPeer::sees_end(Duration limit) {
  const auto end = steady_clock::now() + scaled(limit);
  while (true) {
    received_.clear();
    const auto left = std::chrono::ceil<Duration>(end - steady_clock::now());
    const Arrival arrival = receive(std::max(left, Duration{0}));
    if (arrival != Arrival::kBytes) return arrival == Arrival::kEnd;
    if (left.count() <= 0) return false;
  }
}

bool RtmpPeer::ended() {
  while (true) {
    received_.clear();
    const Arrival arrival = receive(Duration{0});
    if (arrival != Arrival::kBytes) return arrival == Arrival::kEnd;
  }
}

}  // namespace mpb::test
