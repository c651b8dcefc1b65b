// A relay without sockets: clients whose bytes a test gives, and whose socket takes as much as the
// test says.
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/io/event_loop.hpp"
#include "proto/rtmp/chunk.hpp"
#include "proto/rtmp/command.hpp"
#include "worker/rtmp/relay/relay_handler.hpp"
#include "worker/worker_environment.hpp"

namespace mpb::rtmp {

/// A message with a payload of its own.
struct Received {
  MessageType type{};
  std::uint32_t chunk_stream = 0;
  std::uint32_t stream = 0;
  std::uint32_t timestamp = 0;
  std::string payload;
};

class RelayPeer final : private Connection {
 public:
  RelayPeer(Handler& handler, std::string key);
  ~RelayPeer() { leave(); }
  RelayPeer(const RelayPeer&) = delete;
  RelayPeer& operator=(const RelayPeer&) = delete;

  /// The client sends `bytes`; gives what the handler wants next.
  Step::Next say(std::string_view bytes);
  /// The client comes from another worker, and was answered there.
  bool adopt(std::string_view state);
  /// What the handler wanted last, also after it went on by itself (Connection::proceed).
  [[nodiscard]] Step::Next next() const { return next_; }
  /// The key that it wanted to move to (Step::kMove).
  [[nodiscard]] const std::string& wanted_key() const { return wanted_key_; }
  /// A command of message stream `stream`: its arguments are those behind the null.
  Step::Next command(std::string_view name, std::uint32_t stream,
                     const std::vector<amf0::Value>& arguments = {});
  /// C2 and connect to rtmp://a.test/live, then createStream.
  void enter(std::string_view app = "live", std::string_view tc_url = "rtmp://a.test/live");
  Step::Next publish(std::string_view name);
  Step::Next play(std::string_view name);
  void send_media(MessageType type, std::uint32_t timestamp, std::string_view payload);

  /// The messages that have arrived since the last call.
  std::vector<Received> received();
  /// Those of `type` only.
  std::vector<Received> received(MessageType type);
  /// The codes of the onStatus among what has arrived.
  std::vector<std::string> statuses();

  /// How many more bytes the socket takes.
  void set_room(std::size_t bytes) { room_ = bytes; }
  /// The socket takes bytes again: tells the handler if it waits for that.
  void drain(std::size_t bytes);
  /// How much CPU time it takes to send something.
  void set_cost(Duration each) { cost_ = each; }
  /// How many of its bytes came from a file.
  [[nodiscard]] std::size_t lent() const { return lent_; }
  /// Bytes of memory that the handler says it holds for the client.
  [[nodiscard]] std::size_t held() const { return held_; }
  /// The connection ends.
  void leave();
  [[nodiscard]] bool finished() const { return finished_; }
  [[nodiscard]] bool cut() const { return cut_; }
  /// What the handler made of the client.
  [[nodiscard]] RelayClient& relay_client() const;
  Client client;
  int socket = -1;       // for what the handler sets there; nothing is read or written
  bool believed = true;  // see Connection::believes_peer()

 private:
  std::optional<std::size_t> send(std::span<const iovec> slices) override;
  bool write(std::string_view) override { return false; }
  std::optional<std::size_t> send_file(int file, off_t place, std::size_t size) override;
  void proceed() override { say({}); }
  void finish() override { finished_ = true; }
  void close_slow() override { cut_ = true; }
  void exempt_from_idle(bool) override {}
  void note_progress(bool) override {}
  void note_memory(std::size_t bytes) override { held_ = bytes; }
  [[nodiscard]] int descriptor() const override { return socket; }
  [[nodiscard]] bool believes_peer() const override { return believed; }

  Handler& handler_;
  std::string key_;
  std::string unread_;  // by the handler
  std::string wire_;    // from the server, not yet taken apart
  ChunkReader reader_{64UL * 1024 * 1024};
  std::size_t room_ = std::numeric_limits<std::size_t>::max();
  std::size_t lent_ = 0;
  std::size_t held_ = 0;
  Duration cost_{0};
  Step::Next next_{};
  std::string wanted_key_;
  bool blocked_ = false;
  bool finished_ = false;
  bool cut_ = false;
  bool gone_ = false;
};

class RelayFixture {
 public:
  RelayFixture() : environment(loop), handler(environment, {}) {}
  std::unique_ptr<RelayPeer> peer(std::string key = "a.test") {
    return std::make_unique<RelayPeer>(handler, std::move(key));
  }
  /// Publishes live/NAME of a.test.
  std::unique_ptr<RelayPeer> publisher(std::string_view name = "s");
  /// Plays live/NAME of a.test, and has got what there was.
  std::unique_ptr<RelayPeer> player(std::string_view name = "s");
  /// One turn of the loop: what was published goes out.
  void turn() { loop.turn(Duration{0}); }
  RelayHub& hub() { return environment.shared<RelayHub>(); }

  EventLoop loop;
  WorkerEnvironment environment;
  RelayHandler handler;
};

std::vector<std::string> payloads(const std::vector<Received>& messages);

// Payloads as encoders make them: AVC sequence header, key frame, other frame; AAC likewise.
std::string avc_header(char variant = 'v');
std::string avc_key_frame(std::string_view content);
std::string avc_frame(std::string_view content);
std::string aac_header();
std::string aac_frame(std::string_view content);

}  // namespace mpb::rtmp
