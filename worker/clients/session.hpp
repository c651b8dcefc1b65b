// One client connection in a worker: reads, asks the classifier or the handler what the bytes mean,
// writes, and parks while the broker decides who gets it.
#pragma once

#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/unique_fd.hpp"
#include "common/io/deadline_list.hpp"
#include "common/io/event_loop.hpp"
#include "common/io/foreign_descriptor.hpp"
#include "mpbroker/classifier.hpp"
#include "mpbroker/handler.hpp"
#include "proto/channel/message.hpp"
#include "worker/clients/key_table.hpp"
#include "worker/clients/memory_budget.hpp"
#include "worker/clients/memory_reserve.hpp"

namespace mpb {

class ClientTable;
struct Service;
struct WorkerContext;

class Session final : private EventHandler, public Deadline, private Connection, private Peer {
 public:
  enum class State : std::uint8_t {
    kFree,         // in the pool
    kClassifying,  // whose it is is not known yet
    kServing,      // with its handler
    kMoving,       // its last answers are being written, then it is offered to the broker
    kParked,       // offered to the broker; its descriptor is left alone
    kWaiting,      // in a single process that is full: for a place
    kHeldBack,     // too many from its address: for one of them to leave
    kAdopted,      // delivered here; not to be touched before its Ack is out
    kClosing,      // its last answer is being written
    kLingering,    // answered for the last time; reads on so that the answer is not reset away
  };

  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] Service& service() const { return *service_; }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] std::uint64_t handoff_id() const { return handoff_; }
  void set_handoff_id(std::uint64_t id) { handoff_ = id; }

  /// A client that was just accepted: reads at once what is already there, unless too many from
  /// its address are here.
  void begin(WorkerContext& worker, Service& service, ForeignDescriptor client, bool held_back);
  /// A client that the broker delivered: waits for resume().
  void adopt(WorkerContext& worker, Service& service, UniqueFd fd,
             const channel::Deliver& delivery);
  /// One that was taken for such a client, which is not told and stays where it was.
  void disown();
  /// The Ack of an adopted, or the Keep of a parked client is out: goes on with its bytes.
  void resume();

  /// An adopted client that has too many from its address here: held back once it may be spoken to.
  void hold_back() { too_many_ = true; }
  /// Of one that is held back: it goes on if another has left meanwhile.
  void try_source();

  /// There is a place for one that waits: it is served, beginning with its bytes.
  void admit();

  /// Whether it can be served here: it has its place already, or the worker's limit leaves one.
  [[nodiscard]] bool has_room() const;

  /// The broker's verdicts on a parked client.
  void keep(std::uint32_t epoch);
  void settle();
  void refuse();  // nobody can take it: says so in the protocol's words
  /// It has said nothing since it was accepted.
  [[nodiscard]] bool is_silent() const { return silent_ && state_ == State::kClassifying; }
  [[nodiscard]] TimePoint accepted_at() const { return accepted_at_; }
  /// Of a silent client: looks once more, and closes it for this reason unless it has spoken.
  void close_silent(Reason reason);
  /// No verdict comes: another worker may have it already, and it must not hear two voices.
  void close_unsettled();

  /// What the next worker must know of this client; views into the session.
  [[nodiscard]] channel::Traveller describe() const;
  void count_attempt() {
    if (attempts_ < UINT8_MAX) ++attempts_;
    exposed_ = true;  // whoever refused it may have kept it
  }

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
  [[nodiscard]] int descriptor() const override { return fd_.get(); }
  [[nodiscard]] std::string address() const override;
  ssize_t receive(std::span<char> buffer);
  [[nodiscard]] bool believes_peer() const override;

  void on_events(std::uint32_t events) override;
  void handle(std::uint32_t events);
  /// Does what the client wants. Is there no memory for it, the client is closed.
  template <class F>
  void work(F&& what);
  [[nodiscard]] std::size_t memory() const;
  void account_memory();
  void read_once(std::uint32_t events = 0);
  /// Before the first call that has no MSG_DONTWAIT: O_NONBLOCK may be missing from a socket that
  /// comes from another process.
  void mend_once();
  /// With MSG_DONTWAIT nothing waits that a signal could interrupt, but for what others do.
  [[nodiscard]] bool is_momentary(int error) const {
    return error == EAGAIN || (error == EINTR && !exposed_);
  }
  void consume(std::string_view fresh);
  void set_aside(std::string& joined, std::string_view rest);
  void go_on();
  /// Each false: the session has left this kind of work (moved, parked, closed), stop.
  bool classify(std::string_view& bytes);
  bool serve(std::string_view& bytes);
  bool route(std::string key, std::string_view rest);
  bool serve_here(std::string_view rest);
  bool write_reply(const Verdict& verdict);
  bool refuse_prefix();

  void park();
  void wait_for_source();
  void leave_source_wait();
  void refuse_source();
  /// An adopted client is served from now on.
  void take_over();
  /// In a single process, which has nobody else for it.
  void wait_for_room(std::string key, std::string_view rest);
  /// Counts and tells why the client is refused. `key`: what it asked for; views need not last.
  void tell_refused(Reason reason, std::string_view key);
  void count_slow();    // as one that does not read what it is sent
  void reject_input();  // counts it as one that broke its protocol
  void reject(std::string_view text);
  /// `otherwise` is sent where the handler has no words for it.
  void dismiss(std::string_view why, std::string_view otherwise);
  bool answer(std::string_view text);
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
  void attach(KeyState& key);
  void detach();
  /// False: the client was closed, since the handler wants that or did not understand the state
  /// that came along.
  bool begin_serving();
  bool open();
  bool import_state();
  void count_as_routed();
  bool watch(std::uint32_t events);
  /// Watches for what the client and its handler wait for.
  bool watch_what_matters();
  void unwatch();
  void set_deadline();
  void linger();
  /// Discards what a lingering client sends; false when it has ended, and is closed.
  bool discard_input(std::uint32_t events = 0);

  WorkerContext* worker_ = nullptr;
  Service* service_ = nullptr;
  KeyState* key_ = nullptr;
  std::string wanted_;             // the key it is offered under while moving or parked
  std::string state_on_the_move_;  // from the last handler, or for the next (Handler::export_state)
  std::string input_;              // read, not consumed
  std::string output_;             // answered, not written
  Classification so_far_;          // while it is classified
  Client client_;
  UniqueFd fd_;
  Watch watch_;
  std::uint32_t watched_ = 0;
  TimePoint accepted_at_{};        // of a client that was accepted here
  TimePoint header_began_{};       // when the first byte of what is not classified yet came
  std::size_t handler_bytes_ = 0;  // see note_memory()
  std::size_t accounted_ = 0;      // in the worker's budget
  std::uint64_t handoff_ = 0;      // its id while parked; see Handoffs
  State state_ = State::kFree;
  StreamKind kind_ = StreamKind::kOther;  // of fd_
  std::uint8_t attempts_ = 0;
  bool silent_ = false;       // accepted here, and nothing was read from it yet
  bool counted_ = false;      // among the worker's routed clients
  bool shared_ = false;       // it came from another worker
  bool exposed_ = false;      // another process may hold a copy of the descriptor
  bool mended_ = false;       // see mend_once()
  bool blocked_ = false;      // the handler has bytes that the socket did not take
  bool waiting_ = false;      // the handler wants no bytes before proceed()
  bool detached_ = false;     // the handler does the I/O
  bool idle_exempt_ = false;  // see exempt_from_idle()
  bool called_for_ = false;   // the handler is to be called, even if no bytes are there
  bool yielded_ = false;      // the handler has more to do with input_ once the output is written
  bool too_many_ = false;     // see hold_back()
  bool ended_ = false;        // the client sends no more, and is served on
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
