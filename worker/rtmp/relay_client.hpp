// One RTMP client of the relay: what it has said, what it publishes and plays, and what it is still
// to be sent.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/rtmp/chunk.hpp"
#include "proto/rtmp/command.hpp"
#include "proto/rtmp/location.hpp"
#include "worker/environment.hpp"
#include "worker/handler.hpp"
#include "worker/rtmp/access.hpp"
#include "worker/rtmp/hooks.hpp"
#include "worker/rtmp/live_stream.hpp"
#include "worker/rtmp/player.hpp"

namespace mpb::rtmp {

class RelayHub;

class RelayClient final : public ClientState {
 public:
  RelayClient(RelayHub& hub, const ListenerTraits& traits, Client& client);
  RelayClient(const RelayClient&) = delete;
  RelayClient& operator=(const RelayClient&) = delete;
  ~RelayClient() override;

  /// As Handler has them.
  Step on_bytes(Client& client, std::string_view bytes, std::string& out);
  [[nodiscard]] std::string export_state() const;
  bool import_state(std::string_view state);
  void on_writable() { blocked_ = false; }

  /// What a proxy told, else the socket's peer: "192.0.2.1:1234"; empty for a unix socket.
  [[nodiscard]] const std::string& address() const { return address_; }

  /// Whether no byte came from it for at least `silence`.
  [[nodiscard]] bool silent_for(Duration silence) const;
  /// `successor` publishes `live` from now on: ends that publication, which its players do not
  /// notice, and the connection unless the client does something else as well.
  void give_way(LiveStream& live, const RelayClient& successor);

  /// Sends what is there until the socket takes no more. False: the connection is broken.
  bool flush();
  /// The socket took less than there was: on_writable comes before the next flush.
  [[nodiscard]] bool blocked() const { return blocked_; }
  /// A player that waits begins, if its stream has something to begin with.
  void begin_if_possible(Player& player);
  /// What the client has not read is too old: drops it, or ends a client that reads nothing at all.
  void drop_if_late(Player& player, TimePoint now, Duration limit);
  /// Whether a time limit of its vhost has passed.
  [[nodiscard]] bool silent_too_long(TimePoint now);
  /// Ends the connection.
  void finish();
  /// Goes on with a client that waited for its last bytes to be on their way before it moves. It
  /// may be gone afterwards. Not from within on_bytes.
  void move_if_written();

 private:
  using Next = Step::Next;

  /// A message stream of the client's (createStream).
  struct NetStream {
    std::uint32_t id = 0;
    LiveStream* publishing = nullptr;
    std::string publishing_parameters;
    std::unique_ptr<Player> player;
    std::string playing_parameters;
    std::optional<TimePoint> waits_since;  // for a publisher
  };
  /// A command that cannot be carried out now: elsewhere, or after a hook's answer.
  struct Held {
    MessageType type = MessageType::kCommandAmf0;
    std::uint32_t stream = 0;
    std::string payload;
  };
  enum class Consent : std::uint8_t { kNotAsked, kGiven, kRefused };

  // relay_client.cpp
  Next on_message(const Message& message, std::string& out);
  void on_control(const Message& message, std::string& out);
  void on_media(const Message& message);
  void acknowledge(std::size_t bytes, std::string& out);
  void end_streams();
  /// What the client publishes or plays is another than before: other limits hold for it.
  void use_changed();
  [[nodiscard]] const VhostSettings& settings();

  // relay_commands.cpp
  Next on_command(const Message& message, std::string& out);
  Next on_connect(const Command& command, const Message& message, std::string& out);
  Next on_publish(const Command& command, const Message& message, std::string& out);
  Next on_play(const Command& command, const Message& message, std::string& out);
  void on_receive(const Command& command, Player& player);
  void on_pause(const Command& command, NetStream& stream, std::string& out);
  void on_fc_unpublish(const Command& command, std::string& out);
  void create_stream(const Command& command, std::string& out);
  void delete_stream(const Command& command);
  void end_stream(NetStream& stream);
  void stop_publishing(NetStream& stream);
  /// Counts and tells that the stream is no longer published from here.
  LiveStream* leave_publication(NetStream& stream);
  void stop_playing(NetStream& stream);
  NetStream* find_stream(std::uint32_t id);
  [[nodiscard]] bool in_use() const;
  void hold(const Message& message);

  // relay_permission.cpp
  /// Where a command wants to go that names a stream: kMove when that is not here.
  Next locate(const Command& command, const Message& message, StreamName& name,
              std::string& parameters, std::string& out);
  [[nodiscard]] std::string refusal(Right right, const StreamName& name,
                                    std::string_view parameters) const;
  /// kWait while the hook is asked; else whether it consents is in consent_.
  Next ask(const std::string& url, std::string_view action, const std::string& stream,
           const std::string& parameters, const Message& message);
  [[nodiscard]] HookEvent hook_event(std::string_view action, const std::string& stream,
                                     const std::string& parameters) const;
  Next refuse(const Message& message, std::string_view code, std::string_view why,
              std::string& out);

  // relay_sending.cpp
  void reply(std::string_view bytes, std::string& out);
  void append_own(std::string_view bytes);
  std::optional<std::size_t> lend(const Player& player, const iovec& slice);
  void cut();
  [[nodiscard]] Player* sharing_player() const;

  RelayHub& hub_;
  ListenerTraits traits_;
  Connection* connection_;
  std::uint64_t id_;
  std::string address_;
  std::string key_;  // the client's, and where it wants to go with kMove

  ChunkReader reader_;
  std::size_t handshake_left_;  // bytes of C2 to come
  std::optional<Held> held_;
  ConnectTarget target_;
  std::string vhost_;  // that serves it; empty before connect was answered
  std::shared_ptr<const VhostSettings> settings_;
  std::uint64_t settings_version_ = 0;
  std::vector<NetStream> streams_;
  std::uint32_t last_stream_id_ = 0;

  Consent consent_ = Consent::kNotAsked;
  std::string consent_text_;
  std::optional<std::uint64_t> ticket_;  // of the hook that is asked

  std::uint32_t ack_window_ = 0;  // the client's; 0: it wants no Acknowledgements
  std::uint64_t received_ = 0;
  std::uint64_t acknowledged_ = 0;

  std::string own_;                 // bytes of this client alone, before those of the log
  std::size_t own_sent_ = 0;        // of own_
  std::size_t unread_replies_ = 0;  // bytes of answers put into own_ since it was empty
  bool blocked_ = false;
  bool cut_ = false;        // it reads too little: is about to be closed
  bool leaving_ = false;    // it moves when own_ is written
  bool prepared_ = false;   // its socket never blocks, and probes a silent peer
  bool replaced_ = false;   // another one publishes in its place: is about to be closed
  std::uint64_t sent_ = 0;  // bytes, ever
  std::size_t unread_ = 0;  // bytes that on_bytes() was given and left
  TimePoint heard_at_{};    // when the last byte came
  TimePoint active_at_{};   // when it last did something that counts against silence
};

}  // namespace mpb::rtmp
