// One RTMP client of the relay: what it has said, what it publishes and plays, and what it is still
// to be sent.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/io/rate_bucket.hpp"
#include "mpbroker/handler.hpp"
#include "proto/rtmp/chunk.hpp"
#include "proto/rtmp/command.hpp"
#include "proto/rtmp/location.hpp"
#include "worker/rtmp/access/access.hpp"
#include "worker/rtmp/access/hooks.hpp"
#include "worker/rtmp/relay/ignored.hpp"
#include "worker/rtmp/relay/live_stream.hpp"
#include "worker/rtmp/relay/message_pace.hpp"
#include "worker/rtmp/relay/outgoing.hpp"
#include "worker/rtmp/relay/player.hpp"
#include "worker/rtmp/relay/rate_window.hpp"
#include "worker/worker_environment.hpp"

namespace mpb::rtmp {

class RelayHub;

inline constexpr std::string_view kNotPlayed = "NetStream.Play.Failed";
inline constexpr std::string_view kWaitsForTooMany =
    "Too many streams are waited for that nobody publishes.";

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
  /// As Handler::refusal: told of the command that it wanted to move for.
  [[nodiscard]] std::string refusal_of_move(std::string_view why) const;
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
  /// The player gives up what it has yet to get, and goes on at what comes next.
  void skip(Player& player);
  /// The time limit of its vhost that has passed; kNone: none.
  [[nodiscard]] Reason silent_too_long(TimePoint now);
  /// Ends what it plays beyond so many streams that nobody publishes, the latest first.
  void wait_for_at_most(std::size_t streams);
  /// Tells why what it publishes is about to end; unless this is called, by its own wish.
  void set_end_reason(Reason reason) { end_reason_ = reason; }
  /// Tells the operator that it is refused, what it does or asks for.
  void tell_refused(Reason reason);
  /// It is about to be closed since it reads too little: counts the players it has.
  void note_slow();
  /// As Handler has it.
  void describe(Notice& notice) const;
  /// Ends the connection.
  void finish();
  /// Charges what came and belongs to no message of a stream to this one.
  void charge_rest(LiveStream& stream) { charge(stream, 0); }
  /// Asked each time that `seconds` are over: whether it sends more than it may for all that it
  /// publishes, whatever names it gives that.
  bool exceeds_bitrate(double seconds);
  /// Calls `visit(LiveStream&)` for each stream that it publishes.
  template <class F>
  void for_each_publication(F&& visit) const {
    for (const NetStream& stream : streams_) {
      if (stream.publishing != nullptr) visit(*stream.publishing);
    }
  }
  /// What is held for it besides the streams' logs is given up: it is about to go.
  void give_up_memory();
  [[nodiscard]] const Connection* connection() const { return connection_; }
  /// Goes on with a client that sent messages faster than they are taken. It may be gone
  /// afterwards.
  void go_on() { connection_->proceed(); }
  /// Goes on with a client that waited for its last bytes to be on their way before it moves. It
  /// may be gone afterwards. Not from within on_bytes.
  void move_if_written();

 private:
  using Next = Step::Next;

  /// What a message stream was last used for.
  enum class Past : std::uint8_t { kNothing, kNamed, kNameless };
  /// A message stream of the client's: createStream gave it out, or the client just used it.
  struct NetStream {
    std::uint32_t id = 0;
    Past past = Past::kNothing;  // of a use that has ended
    LiveStream* publishing = nullptr;
    std::string publishing_parameters;  // the stream's own, without those of connect
    std::unique_ptr<Player> player;
    std::string playing_parameters;        // likewise
    std::optional<TimePoint> waits_since;  // for a publisher
    [[nodiscard]] bool in_use() const { return publishing != nullptr || player != nullptr; }
    [[nodiscard]] bool waits() const {
      return player != nullptr && player->stream().publisher() == nullptr;
    }
  };
  /// A command that cannot be carried out now: elsewhere, or after a hook's answer.
  struct Held {
    MessageType type = MessageType::kCommandAmf0;
    std::uint32_t stream = 0;
    std::string payload;
  };
  enum class Consent : std::uint8_t { kNotAsked, kGiven, kRefused };
  /// Why a command is not carried out, for the operator and for the client.
  struct Refusal {
    Reason reason = Reason::kProtocol;
    std::string_view code;  // of onStatus
    std::string_view why;
    const StreamName* name = nullptr;  // null: not known
  };

  // relay_client.cpp
  Next on_message(const Message& message, std::string& out);
  void on_control(const Message& message, std::string& out);
  void on_media(const Message& message);
  void charge(LiveStream& stream, std::uint64_t to_each_player);
  void acknowledge(std::size_t bytes, std::string& out);
  void end_streams();
  /// What the client publishes or plays is another than before: other limits hold for it.
  void use_changed();
  /// Who has ever published may have a long message on its way, whatever it does now.
  void bound_messages();
  [[nodiscard]] const VhostSettings& settings();

  // relay_commands.cpp
  Next on_command(const Message& message, std::string& out);
  Next on_connect(const Command& command, const Message& message, std::string& out);
  Next on_publish(const Command& command, const Message& message, std::string& out);
  Next on_play(const Command& command, const Message& message, std::string& out);
  void on_receive(const Command& command, Player& player);
  void on_pause(const Command& command, NetStream& stream, std::string& out);
  void on_fc_unpublish(const Command& command, std::string& out);
  void on_other_command(const Command& command, const Message& message, std::string& out);
  bool end_use(const Command& command, const Message& message, std::string& out);
  void close_stream(NetStream& stream, std::string& out);
  void end_stream(NetStream& stream);
  void stop_publishing(NetStream& stream);
  /// Counts and tells that the stream is no longer published from here.
  LiveStream* leave_publication(NetStream& stream);
  void stop_playing(NetStream& stream);
  void on_seek(const Command& command, const Message& message, std::string& out);
  void hold(const Message& message);
  [[nodiscard]] bool can_move(std::size_t unconsumed) const;

  // relay_streams.cpp
  NetStream* find_stream(std::uint32_t id);
  /// Null: the client has too many.
  NetStream* find_or_make_stream(std::uint32_t id);
  NetStream* make_stream();
  /// The publication, or what is played, that a message of stream `id` is of: that stream's, or the
  /// only one there is if the client has never had several at a time. Null: none.
  NetStream* publication(std::uint32_t id);
  NetStream* playing(std::uint32_t id);
  template <class IsUsed>
  NetStream* meant(std::uint32_t id, IsUsed is_used, bool many);
  /// Likewise for what ends a stream.
  NetStream* stream_to_end(std::uint32_t id);
  [[nodiscard]] bool in_use() const;
  [[nodiscard]] std::size_t waits() const;
  void create_stream(const Command& command, std::string& out);
  void delete_stream(const Command& command);
  void ignore(Ignored cause, const Message& message);

  // relay_permission.cpp
  /// Where a command wants to go that names a stream: kMove when that is not here. `parameters`: of
  /// the stream's name alone.
  Next locate(const Command& command, const Message& message, StreamName& name,
              std::string& parameters, std::string& out);
  /// The client comes to a vhost that did not answer its connect: that is asked now. kReject: it
  /// was refused, and told so.
  Next enter_vhost(const std::string& vhost, const Message& message, std::string_view code,
                   std::string& out);
  /// The partition that the stream is of.
  [[nodiscard]] std::string key_of(const StreamName& name) const;
  [[nodiscard]] Reason check(Right right, const StreamName& name,
                             const std::string& parameters) const;
  /// kWait while the hook is asked; else whether it consents is in consent_.
  Next ask(const std::string& url, std::string_view action, const std::string& stream,
           const std::string& parameters, const Message& message);
  [[nodiscard]] HookEvent hook_event(std::string_view action, const std::string& stream,
                                     const std::string& parameters) const;
  Next refuse(const Message& message, const Refusal& refusal, std::string& out);
  void tell(const Refusal& refusal) const;
  /// Those of a stream's name, and of connect.
  [[nodiscard]] std::string with_those_of_connect(const std::string& parameters) const;
  void tell_published(Notice::Kind kind, Reason reason, const StreamName& name) const;
  /// With the code for a name that cannot be had.
  Next refuse_held(std::string_view why, std::string& out);

  // relay_sending.cpp
  void reply(std::string_view bytes, std::string& out);
  void append_own(std::string_view bytes);
  /// Bytes that were given to the socket, its own and of the log, and how many it took.
  struct Sent {
    std::size_t own = 0;
    std::size_t shared = 0;
    std::optional<std::size_t> taken;  // nothing: the connection is broken
  };
  Sent send_some(Player* sharing);
  std::optional<std::size_t> send_shared(std::optional<off_t> place, std::string_view bytes);
  [[nodiscard]] bool has_too_much() const;
  void note_memory();
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
  bool connected_ = false;  // connect was answered
  std::string vhost_;       // that serves it; empty: none yet, a stream's name is to say
  std::shared_ptr<const VhostSettings> settings_;
  std::uint64_t settings_version_ = 0;
  std::vector<NetStream> streams_;
  std::uint32_t last_stream_id_ = 0;
  bool has_published_ = false;   // ever
  bool many_published_ = false;  // several at a time, ever: it knows what ids are for
  bool many_played_ = false;     // likewise
  std::array<bool, kIgnored> told_ignored_{};

  Consent consent_ = Consent::kNotAsked;
  Reason consent_reason_ = Reason::kNone;  // of a refusal
  std::string consent_text_;
  std::optional<std::uint64_t> ticket_;  // of the hook that is asked

  std::uint32_t ack_window_ = 0;  // the client's; 0: it wants no Acknowledgements
  std::uint64_t received_ = 0;
  std::uint64_t acknowledged_ = 0;

  Outgoing own_;                    // comes before what is next in the log
  std::size_t noted_own_ = 0;       // of its memory, by note_memory()
  std::size_t unread_replies_ = 0;  // bytes of answers put into own_ since it was empty
  bool blocked_ = false;
  Reason end_reason_ = Reason::kEnded;
  bool cut_ = false;        // it reads too little: is about to be closed
  bool leaving_ = false;    // it moves when own_ is written
  bool replaced_ = false;   // another one publishes in its place: is about to be closed
  std::uint64_t sent_ = 0;  // bytes, ever
  std::size_t unread_ = 0;  // bytes that on_bytes() was given and left
  // Bytes that count against max-bitrate: of no message of a stream yet, and since the last look.
  std::uint64_t uncharged_ = 0;
  std::uint64_t charged_ = 0;
  RateWindow charged_window_;
  MessagePace pace_;
  std::uint32_t taken_ = 0;  // at once: see MessagePace::kPiece
  RateBucket beginnings_;    // of players with what was sent before
  TimePoint heard_at_{};     // when the last byte came
  TimePoint active_at_{};    // when it last did something that counts against silence
};

}  // namespace mpb::rtmp
