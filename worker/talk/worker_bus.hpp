// The Bus of a worker: through its broker, or, in a single process, to itself.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/unique_fd.hpp"
#include "common/io/event_loop.hpp"
#include "mpbroker/bus.hpp"
#include "proto/channel/message.hpp"
#include "worker/talk/post_credit.hpp"
#include "worker/talk/roster.hpp"

namespace mpb {

/// The way to the broker.
class PostOffice {
 public:
  /// False: it cannot be sent.
  virtual bool post(std::string_view datagram, int descriptor) = 0;
  /// Of the keys of a listener; empty: of the first one. None: there is no such listener.
  [[nodiscard]] virtual std::optional<std::uint16_t> space_of(std::string_view listener) const = 0;

 protected:
  ~PostOffice() = default;
};

class WorkerBus final : public Bus {
 public:
  /// Letters count up from `first_letter`: nobody whom a worker has not asked is to guess the
  /// number of its request.
  explicit WorkerBus(EventLoop& loop, std::uint64_t first_letter = random_number())
      : loop_(loop), next_letter_(first_letter) {}
  WorkerBus(const WorkerBus&) = delete;
  WorkerBus& operator=(const WorkerBus&) = delete;
  ~WorkerBus();

  /// Letters go this way; it outlives the bus, or leaves it by on_broker_gone(). Nothing is sent
  /// before the broker has given credit.
  void go_by(PostOffice& office, std::uint16_t slot);
  /// Letters go to this worker alone.
  void be_alone();

  // What the broker says.
  void on_letter(const channel::Letter& message, UniqueFd descriptor);
  void on_undeliverable(const channel::Undeliverable& message);
  void on_credit(const channel::Credit& message);
  void on_told(const channel::Event& message);
  /// Another broker follows: credit comes anew, and behind it it is told what this worker wants.
  void on_resync();
  void on_broker_gone();

  [[nodiscard]] WorkerId self() const override { return self_; }
  void on(std::string topic, std::function<void(Letter&)> take) override;
  Sent send(const To& to, std::string_view topic, std::string_view payload,
            int descriptor = -1) override;
  Sent request(const To& to, std::string_view topic, std::string_view payload, Time timeout,
               std::function<void(const Reply&)> done) override;
  Sent reply(const Asked& asked, std::string_view payload, int descriptor = -1) override;
  void on_room(std::function<void()> told) override { on_room_ = std::move(told); }
  void on_loss(std::function<void(const LostLetter&)> told) override { on_loss_ = std::move(told); }
  void gather(std::string_view topic, std::string_view payload, Time timeout,
              std::function<void(const Gathered&)> done) override;
  void ring(std::string_view topic, std::string_view payload, Time timeout,
            std::function<void(const Ring&)> done) override;
  void join(const std::string& group) override;
  void leave(const std::string& group) override;
  void on_event(std::function<void(const WorkerEvent&)> told) override;

 private:
  using Kind = channel::Content::Kind;
  /// A request that is not answered yet, by its letter's id.
  struct Pending {
    /// True: nothing more is wanted.
    std::function<bool(const Reply&)> take;
    To::Kind kind;  // whom it asked: one worker's or slot's answer alone counts
    WorkerId id{};
    EventLoop::TimerId timer{};
  };
  /// Something to be done when what it waits for is there, or with why it does not come.
  struct Wait {
    std::function<void(Loss)> action;
    EventLoop::TimerId timer{};
  };
  using Waits = std::map<std::uint64_t, Wait>;
  struct Refusal {
    WorkerId to{};
    std::uint64_t correlation = 0;
  };
  struct Gathering;
  struct Round;

  static std::uint64_t random_number();
  /// Throws std::length_error.
  static void check(const To& to, std::string_view topic, std::string_view payload);
  Sent post(const To& to, const channel::Content& content, int descriptor);
  Sent ask(const To& to, std::string_view topic, std::string_view payload, Time timeout,
           std::function<bool(const Reply&)> take);
  bool post(const Refusal& refusal);
  /// When there is room.
  void refuse(const Refusal& refusal);
  void post_refusals();
  /// Of a single process.
  void post_to_self(const channel::Post& post, std::size_t size, UniqueFd descriptor);
  void answer(std::uint64_t correlation, const Reply& reply);
  void give_up_requests();
  void lose(const LostLetter& lost);
  void give_credit(std::uint32_t letters, std::uint32_t bytes);
  void tell(const WorkerEvent& event);
  void subscribe();
  /// Calls it when all workers are known, kNone; at once, if they are.
  void with_roster(Time timeout, std::function<void(Loss)> action);
  /// Never from within, kNoBroker if the broker is gone.
  void wait(Waits& waits, Time timeout, std::function<void(Loss)> action);
  void end_waits(Waits& waits, Loss why);
  void begin(const std::shared_ptr<Gathering>& gathering);
  void ask_all(const std::shared_ptr<Gathering>& gathering);
  void finish(const std::shared_ptr<Gathering>& gathering);
  /// Nobody waits for the answer of one that has ended.
  void note_gone(const WorkerEvent& event);
  void go_on(const std::shared_ptr<Round>& round);
  void step(const std::shared_ptr<Round>& round, WorkerId next, const Reply& reply);
  void send_join(const std::string& group, std::uint16_t flags);

  EventLoop& loop_;
  PostOffice* office_ = nullptr;
  bool alone_ = false;
  bool online_ = false;    // the broker has given credit
  bool orphaned_ = false;  // the broker is gone
  WorkerId self_{0, 0};
  std::uint64_t next_letter_;
  std::uint64_t next_number_ = 1;  // of a single process
  PostCredit credit_;
  bool wants_room_ = false;
  std::map<std::string, std::function<void(Letter&)>, std::less<>> takers_;
  std::map<std::uint64_t, Pending> pending_;
  std::set<std::string, std::less<>> groups_;
  Roster roster_;
  bool subscribed_ = false;
  std::vector<std::shared_ptr<Gathering>> gatherings_;
  Waits for_roster_;
  Waits for_room_;
  std::uint64_t next_wait_ = 0;
  std::deque<Refusal> refusals_;  // that found no room
  std::function<void()> on_room_;
  std::function<void(const LostLetter&)> on_loss_;
  std::function<void(const WorkerEvent&)> on_event_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();  // for what the loop calls later
};

}  // namespace mpb
