// A worker's end of the channel: checks what the broker says, gathers what the worker has to say
// during a turn, and sends it at the turn's end.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/io/channel.hpp"
#include "common/io/event_loop.hpp"
#include "proto/channel/message.hpp"
#include "worker/link/answers.hpp"
#include "worker/link/handoffs.hpp"
#include "worker/link/load_reporter.hpp"
#include "worker/talk/worker_bus.hpp"

namespace mpb {

struct WorkerContext;

/// What the broker may ask of a worker; Worker implements it.
class BrokerCommands {
 public:
  virtual void on_configure(const channel::Configure& message) = 0;
  virtual void on_listen(const channel::Listen& message, UniqueFd socket) = 0;
  virtual void on_unlisten(std::uint16_t listener) = 0;
  virtual void on_vhosts(const channel::Vhosts& message) = 0;
  virtual void on_start() = 0;
  virtual void on_drain(Duration deadline) = 0;
  /// The first client, or one more, was sent here.
  virtual void on_client(std::string_view key) = 0;
  /// Null: there is no such listener here.
  virtual ServedListener* find_listener(std::uint16_t listener) = 0;
  /// See PostOffice.
  [[nodiscard]] virtual std::optional<std::uint16_t> space_of(std::string_view listener) const = 0;
  /// Appends `blocks` of counters, as Pong has them.
  virtual void read_counters(std::string& blocks) = 0;
  /// To a Query.
  virtual AnswerContent answer(std::string_view question, std::string_view argument) = 0;
  /// Another broker has taken the channel over. What was begun with the one before is void.
  virtual void on_resync() = 0;
  virtual void on_broker_gone(const Error& why) = 0;

 protected:
  ~BrokerCommands() = default;
};

class BrokerLink final : private ChannelHandler, public PostOffice {
 public:
  BrokerLink(WorkerContext& worker, UniqueFd socket, BrokerCommands& commands);

  Status open() { return channel_.open(); }
  [[nodiscard]] bool is_open() const { return channel_.is_open(); }
  /// Nothing is offered any more: the broker is gone.
  void abandon() { handoffs_.abandon(); }
  [[nodiscard]] Handoffs& handoffs() { return handoffs_; }
  [[nodiscard]] const Channel& channel() const { return channel_; }

  void send_ready();
  /// This process is about to end with this exit code.
  void send_bye(std::uint32_t code, std::string_view why);
  /// Another broker has taken the channel over.
  [[nodiscard]] bool was_resynced() const { return resynced_; }
  /// This worker no longer has clients of the key and gives it up.
  void release(const KeyState& key);
  /// Sends a datagram that is as the channel has it.
  void send(std::string_view datagram);
  /// False: the broker cannot be told.
  bool tell(const Notice& notice);
  bool post(std::string_view datagram, int descriptor) override;
  [[nodiscard]] std::optional<std::uint16_t> space_of(std::string_view listener) const override {
    return commands_.space_of(listener);
  }
  /// The end of a turn: Acks first, then the clients they were for, then everything else.
  void flush();

 private:
  void on_datagram(Datagram& datagram) override;
  void on_channel_broken(const Error& why) override;

  void on_message(const channel::Message& message, Datagram& datagram);
  template <class F>
  void take_tables(F&& take);
  void handle(const channel::Deliver& message, Datagram& datagram);
  /// False: there is no memory for it.
  bool adopt(const channel::Deliver& message, ServedListener& listener, UniqueFd fd);
  void handle(const channel::Keep& message);
  void handle(const channel::Own& message);
  void handle(const channel::Disown& message);
  void send_pong(std::uint64_t nonce);
  void resync(std::uint64_t round);
  void send_resync_report(std::uint64_t round);

  /// Whether a client that comes has a descriptor here, as far as room can be made for it.
  bool fit_in(UniqueFd& client);
  void refuse(const channel::Deliver& message, channel::NackReason reason);
  void remember_adoption(const channel::Deliver& message);
  void flush_acks();

  WorkerContext& worker_;
  BrokerCommands& commands_;
  Channel channel_;
  LoadReporter load_;
  Handoffs handoffs_;
  Answers answers_;
  std::vector<std::uint64_t> acks_;
  std::vector<channel::NackEntry> nacks_;
  std::vector<HeldClient> to_start_;  // adopted or kept in this turn, not Acked yet
  std::string idle_keys_;             // entries of an Idle message
  struct Adoption {
    std::uint64_t handoff = 0;
    std::uint64_t delivery = 0;
  };
  // For Resync, by origin the last ones. Verdicts come to an origin in the order in which its
  // clients were adopted here, and no more than a window of its handoffs is without one: so what it
  // has no verdict of is among as many.
  std::map<std::uint16_t, std::deque<Adoption>> adoptions_;
  std::size_t adoptions_kept_ = 0;
  bool ready_ = false;
  bool resynced_ = false;
  std::string scratch_;
};

}  // namespace mpb
