// One client that is classified or served here: reads, asks the classifier or the handler what the
// bytes mean, writes, and gives the client away when it is somebody else's.
#pragma once

#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/io/deadline_list.hpp"
#include "common/io/event_loop.hpp"
#include "mpbroker/classifier.hpp"
#include "mpbroker/handler.hpp"
#include "worker/clients/held_client.hpp"
#include "worker/clients/memory_budget.hpp"
#include "worker/clients/memory_reserve.hpp"

namespace mpb {

class ClientTable;

class Session final : private EventHandler, public Deadline, private Connection, private Peer {
 public:
  enum class State : std::uint8_t {
    kFree,         // in the pool
    kClassifying,  // whose it is is not known yet
    kServing,      // with its handler
    kMoving,       // its last answers are being written, then it is given away
    kClosing,      // its last answer is being written
    kLingering,    // answered for the last time; reads on so that the answer is not reset away
    kLeaving,      // its handler lets go of it, or has: that can do nothing with it any more
  };

  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Goes on with a client, which nobody else may serve: it is served if it was entered
  /// (HeldClient::enter), else classified. Not from within a session's work.
  static void start(HeldClient client);
  /// Nobody takes the client, for this reason. One that only waited for a place (kBusy,
  /// kClientsPerSource) is told so in its protocol's words. Not from within a session's work.
  static void turn_away(HeldClient client, Reason why);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] int fd() const { return held_.fd.get(); }
  /// It has said nothing since it was accepted.
  [[nodiscard]] bool is_silent() const { return silent_ && state_ == State::kClassifying; }
  [[nodiscard]] TimePoint silent_since() const { return since_; }
  /// Of a silent client: looks once more, and closes it for this reason unless it has spoken.
  void close_silent(Reason reason);
  /// What is held for the client, for MemoryBudget.
  [[nodiscard]] MemoryShare memory_share();
  /// There is no memory for it: tells so, and closes it at once.
  void close_for_memory();

  /// A deadline has passed: what that means depends on the state.
  void expire();
  /// Gives the descriptor and all else back; the peer sees EOF.
  void close();

 private:
  friend class ClientTable;

  std::optional<std::size_t> send(std::span<const iovec> slices) override;
  bool write(std::string_view text) override;
  std::optional<std::size_t> send_file(int file, off_t place, std::size_t size) override;
  [[nodiscard]] bool wary() const override;
  bool endure_interruption() override;
  void proceed() override;
  void finish() override;
  void close_slow() override;
  void exempt_from_idle(bool exempt) override;
  void note_progress(bool unread) override;
  void note_memory(std::size_t bytes) override;
  [[nodiscard]] int descriptor() const override { return held_.fd.get(); }
  [[nodiscard]] std::string address() const override;
  ssize_t receive(std::span<char> buffer);
  [[nodiscard]] bool believes_peer() const override;

  void on_events(std::uint32_t events) override;
  void handle(std::uint32_t events);
  /// Does what the client wants. Is there no memory for it, the client is closed.
  template <class F>
  void work(F&& what);
  void account_memory();
  void read_once(std::uint32_t events = 0);
  /// Before the first call that has no MSG_DONTWAIT: O_NONBLOCK may be missing from a socket that
  /// comes from another process.
  void mend_once();
  /// With MSG_DONTWAIT nothing waits that a signal could interrupt, but for what others do.
  [[nodiscard]] bool is_momentary(int error) const {
    return error == EAGAIN || (error == EINTR && !held_.exposed);
  }
  void consume(std::string_view fresh);
  void set_aside(std::string& joined, std::string_view rest);
  void go_on();
  /// Each false: the session has left this kind of work (moved, gave the client away, closed),
  /// stop.
  bool classify(std::string_view& bytes);
  bool serve(std::string_view& bytes);
  bool route(std::string key, std::string_view rest);
  bool write_reply(const Verdict& verdict);
  bool refuse_prefix();
  /// Of the one that counts: what a proxy told, else the peer's. Looks once, when that is known.
  [[nodiscard]] bool is_refused_by_address();
  bool refuse_address();

  void begin(HeldClient client, State state);
  /// As turn_away().
  void end_for(Reason why);
  /// As soon as its answers are written. Always false.
  bool leave(std::string key, std::string_view rest);
  void give_away();
  /// Calls on_close: what the handler does with the connection in there does nothing.
  void let_go();
  /// Nobody is here any more.
  void forget();
  /// Whether a handler may be asked about it.
  [[nodiscard]] bool has_handler() const;
  /// Its key, or the one that it is to come to.
  [[nodiscard]] std::string_view asked_for() const;
  /// Counts and tells why the client is refused. `key`: what it asked for; views need not last.
  void tell_refused(Reason reason, std::string_view key);
  void count_slow();    // as one that does not read what it is sent
  void reject_input();  // counts it as one that broke its protocol
  void reject(std::string_view text);
  /// `otherwise` is sent where the handler has no words for it.
  void dismiss(std::string_view why, std::string_view otherwise);
  bool reply(std::string_view text);
  /// Writes what the socket takes, if nothing waits before it, and keeps the rest. False: the
  /// connection is broken.
  bool write_or_keep(std::string_view text);
  /// The client sends no more.
  void end_input();
  /// Whether the handler may write now.
  bool may_send();
  /// What came of a system call that was to send `size` bytes, as send() gives it.
  std::optional<std::size_t> sent(ssize_t count, std::size_t size);
  void on_writable();
  void finish_writing();
  /// False: the client was closed, since the handler wants that or did not understand the state
  /// that came along.
  bool begin_serving(std::string_view key);
  bool open();
  bool import_state();
  bool watch(std::uint32_t events);
  /// Watches for what the client and its handler wait for.
  bool watch_what_matters();
  void unwatch();
  void set_deadline();
  void linger();
  /// Discards what a lingering client sends; false when it has ended, and is closed.
  bool discard_input(std::uint32_t events = 0);

  HeldClient held_;
  std::string output_;     // answered, not written
  Classification so_far_;  // while it is classified
  Client client_;          // for its handler
  Watch watch_;
  std::uint32_t watched_ = 0;
  // When it was accepted; once it has spoken, when the first byte came of what is not classified
  // yet.
  TimePoint since_{};
  std::size_t handler_bytes_ = 0;  // see note_memory()
  State state_ = State::kFree;
  bool silent_ = false;       // nothing was read from it since it was accepted
  bool mended_ = false;       // see mend_once()
  bool blocked_ = false;      // the handler has bytes that the socket did not take
  bool waiting_ = false;      // the handler wants no bytes before proceed()
  bool detached_ = false;     // the handler does the I/O
  bool idle_exempt_ = false;  // see exempt_from_idle()
  bool called_for_ = false;   // the handler is to be called, even if no bytes are there
  bool yielded_ = false;  // the handler has more to do with what was read, once output_ is written
  bool ended_ = false;    // the client sends no more, and is served on
  bool address_due_ = false;  // see is_refused_by_address()
  bool header_due_ = false;   // the header deadline runs and must not be restarted
};

template <class F>
void Session::work(F&& what) {
  try {
    const MemoryReserve::ClientWork at_work;
    what();
    if (state_ != State::kFree) account_memory();
  } catch (const std::bad_alloc&) {
    close_for_memory();
  }
}

}  // namespace mpb
