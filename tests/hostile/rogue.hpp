// A worker that speaks docs/channel-protocol.md well enough to be let in, and then says what an
// attack wants. Blocking, single-threaded; it shares only the message formats with the programs.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/unique_fd.hpp"
#include "proto/channel/message.hpp"

namespace mpb::hostile {

/// A client that came with a Deliver.
struct Delivery {
  std::uint64_t id = 0;
  std::uint16_t listener = 0;
  std::string key;
  UniqueFd client;
};

/// A stream connection of our own: `client` is what a client would hold, `server` what is offered.
struct Connection {
  UniqueFd client;
  UniqueFd server;
};
Connection unix_connection();
Connection tcp_connection();

/// A header as section 3 has it, whether or not its fields make sense.
std::string raw_header(std::uint8_t version, std::uint8_t type, std::uint16_t flags,
                       std::uint32_t length, std::uint64_t id);

class Rogue {
 public:
  /// `folder`: where the test and this process tell each other how far they are, by files.
  Rogue(std::uint16_t slot, std::string folder) : slot_(slot), folder_(std::move(folder)) {}

  /// Receives what comes before Ready.
  void await_start();
  void say_ready();
  /// Writes the file "here-SLOT"; behaves, or sleeps, until the test has written "go"; then
  /// writes "begun-SLOT".
  void await_go(bool behaves);
  /// A file in the common folder.
  [[nodiscard]] std::string file(const std::string& name) const { return folder_ + "/" + name; }
  /// Sleeps until the test has written the file.
  void await_file(const std::string& name) const;
  /// Writes the file "done-SLOT".
  void tell_done() const { tell("done"); }

  /// Answers pings and Keeps, and collects deliveries and verdicts until `enough`.
  void behave_until(const std::function<bool()>& enough);
  /// The same for ever; exits with 0 on Drain. What is left of a worker that was cut off sleeps.
  [[noreturn]] void behave();
  /// Handles one datagram, if one comes within `wait_ms`; false: none.
  bool handle_one(int wait_ms);
  /// Takes the next Deliver, unanswered.
  Delivery await_delivery();

  /// Waits for room, without reading. False: the broker has closed the channel.
  bool send(std::string_view datagram, std::span<const int> descriptors = {});
  bool send(std::string_view datagram, int descriptor) { return send(datagram, {&descriptor, 1}); }
  bool send_ack(std::span<const std::uint64_t> deliveries, channel::Load load = {});
  bool send_nack(std::uint64_t delivery, std::uint8_t reason);
  bool send_load(std::uint32_t clients, std::uint32_t held);
  /// Offers a client with the next handoff id, the first listener's number and `message`'s rest.
  bool hand_off(channel::Handoff message, int descriptor);

  [[nodiscard]] std::uint64_t next_handoff() { return next_handoff_++; }
  [[nodiscard]] std::uint16_t first_listener() const { return first_listener_; }
  [[nodiscard]] int listening_socket() const { return listening_.get(); }
  [[nodiscard]] std::uint32_t window() const { return window_; }
  [[nodiscard]] bool cut_off() const { return cut_off_; }
  [[nodiscard]] static int channel_fd() { return 3; }

  // What behaving does, for attacks to change.
  bool obeys_drain = true;
  std::function<void(Delivery)> on_delivery;          // else they stay in `deliveries`, unanswered
  std::function<void(std::uint64_t nonce)> on_query;  // else a Query is never answered
  std::string pong_blocks;
  std::uint64_t last_ping = 0;

  std::deque<Delivery> deliveries;
  std::map<std::uint64_t, channel::NackReason> refused;  // by handoff
  std::size_t settled = 0;
  std::size_t kept = 0;
  [[nodiscard]] std::size_t verdicts() const { return refused.size() + settled + kept; }

 private:
  void handle(const channel::Message& message, UniqueFd descriptor);
  void take_delivery(const channel::Deliver& message, UniqueFd client);
  void take_keeps(const channel::Keep& message);
  [[nodiscard]] bool told_to_go() const;
  void tell(const std::string& what) const;

  std::uint16_t slot_;
  std::string folder_;
  UniqueFd listening_;
  std::uint16_t first_listener_ = 0;
  std::uint32_t window_ = 0;
  std::uint64_t next_handoff_ = 0;
  bool started_ = false;
  bool cut_off_ = false;
};

}  // namespace mpb::hostile
