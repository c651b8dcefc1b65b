// Letters between the workers of one broker, and what happens to workers. A letter is a topic, up
// to 32 KiB, and perhaps a descriptor:
//
//   bus.on("stock", [&](mpb::Letter& letter) { stock = letter.payload; });
//   bus.send(mpb::To::all(), "stock", "7 apples");
//
//   bus.on("memory", [&bus](mpb::Letter& letter) { bus.reply(*letter.asked, memory_in_use()); });
//   bus.request(mpb::To::slot(3), "memory", {}, 1s, [](const mpb::Reply& reply) { ... });
//
// Letters from one worker to another arrive in the order in which they were sent, those to many
// (all, a group) in one order for all receivers, none twice. What does not arrive is told
// (on_loss), but for what its receiver had not read when it ended: request() tells of that, too.
// docs/channel-protocol.md, section 12, has the rules.
#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mpb {

/// The process that has a slot: its successor has another generation.
struct WorkerId {
  std::uint16_t slot = 0xffff;
  std::uint32_t generation = 0;
  friend auto operator<=>(const WorkerId&, const WorkerId&) = default;
};
/// `mpctl send` and `mpctl ask`.
inline constexpr WorkerId kOperator{};

/// Why a letter does not arrive.
enum class Loss : std::uint8_t {
  kNone = 0,
  kNoWorker = 1,      // there is no such worker, or not any more
  kGone = 2,          // it ended before the letter was sent to it
  kFull = 3,          // too much waits for it
  kNoOwner = 4,       // nobody owns the key
  kNobody = 5,        // nobody is in the group
  kNoDescriptor = 6,  // the descriptor was lost on its way to the broker
  kRefused = 7,       // of a request: nobody there takes requests of its topic
  kTimeout = 8,       // of a request: no answer came in time
  kNoBroker = 9,      // of a request, gather() and ring(): the broker is gone
};
inline constexpr std::array<std::string_view, 10> kLossNames{"none",
                                                             "no such worker",
                                                             "it is gone",
                                                             "too much waits for it",
                                                             "nobody owns the key",
                                                             "nobody is in the group",
                                                             "the descriptor was lost",
                                                             "it takes no such requests",
                                                             "no answer in time",
                                                             "the broker is gone"};
constexpr std::string_view to_string(Loss why) {
  const auto index = static_cast<std::size_t>(why);
  return index < kLossNames.size() ? kLossNames[index] : "unknown";
}

/// To whom a letter goes.
struct To {
  enum class Kind : std::uint8_t { kWorker, kSlot, kAll, kOwner, kGroup, kOperators };
  Kind kind = Kind::kSlot;
  WorkerId id{};
  std::string name{};
  std::string listener{};

  static To worker(WorkerId id) { return {Kind::kWorker, id}; }
  /// Whoever has it.
  static To slot(std::uint16_t slot) { return {Kind::kSlot, {slot, 0}}; }
  /// Every worker, the sender too.
  static To all() { return {Kind::kAll}; }
  /// The worker that has the key. `listener`: one of those that share the key; empty: the first.
  static To owner(std::string key, std::string listener = {}) {
    return {Kind::kOwner, {}, std::move(key), std::move(listener)};
  }
  /// Every worker that has joined it.
  static To group(std::string name) { return {Kind::kGroup, {}, std::move(name)}; }
  /// Whoever watches `mpctl events`.
  static To operators() { return {Kind::kOperators}; }
};

/// A request, as it is answered.
struct Asked {
  WorkerId by{};
  std::uint64_t correlation = 0;
};

/// As it arrives: valid during the call.
struct Letter {
  WorkerId from{};
  std::uint64_t number = 0;  // of a letter to many: its place in their order; else 0
  std::string_view topic;
  std::string_view payload;
  std::optional<Asked> asked{};  // it is a request: see Bus::reply()
  int descriptor = -1;           // closed after the call, unless it was taken: set it to -1 then
};

/// What became of a request.
struct Reply {
  Loss loss = Loss::kNone;  // kNone: it was answered
  WorkerId from{};
  std::string payload{};
  [[nodiscard]] bool answered() const { return loss == Loss::kNone; }
};

struct Gathered {
  std::vector<std::pair<WorkerId, std::string>> answers;
  std::vector<std::pair<WorkerId, Loss>> missing;
};

struct Ring {
  std::string payload;            // as the last one left it
  std::vector<WorkerId> visited;  // in this order
  std::vector<std::pair<WorkerId, Loss>> skipped;
};

/// A letter that was sent and does not arrive at one of its receivers.
struct LostLetter {
  std::uint64_t letter = 0;  // see Sent
  WorkerId to{};
  Loss why{};
};

struct WorkerEvent {
  enum class Kind : std::uint8_t {
    kCurrent = 0,     // all that letters to all go to were told
    kSetup = 1,       // the broker has its configuration; count: workers
    kFork = 2,        // count: process id
    kOnline = 3,      // the same
    kListening = 4,   // detail: the address of a listener
    kMessage = 5,     // count: letters since the last
    kDrain = 6,       // it takes no more clients
    kDisconnect = 7,  // detail: why
    kExit = 8,        // detail: how
    kOwner = 9,       // it has lost its keys; count: how many; detail: why, or the key
    kLost = 10,       // events were not told: too much waited for this worker
  };
  Kind kind = Kind::kCurrent;
  WorkerId worker{};  // whom it happened to; kOperator: to the broker
  std::uint64_t count = 0;
  std::string_view detail{};
};

/// Whether a letter is on its way. Full: on_room() tells when there is room again.
struct Sent {
  bool queued = false;
  std::uint64_t letter = 0;  // as on_loss() names it
  explicit operator bool() const { return queued; }
};

/// One for each worker (Environment::bus()); for its thread alone. A single process has one as
/// well: it is worker 0 and everybody. Callbacks never come from within the call that they are
/// about. Texts that are too long, an owner's key beyond 1,024 bytes too: std::length_error.
class Bus {
 public:
  static constexpr std::size_t kMaxTopic = 64;  // also of a group's name
  static constexpr std::size_t kMaxPayload = 32 * 1024;
  static constexpr std::size_t kMaxGroups = 64;  // that a worker is in
  using Time = std::chrono::milliseconds;

  [[nodiscard]] virtual WorkerId self() const = 0;

  /// Letters of this topic go to `take`, which takes the place of what was set before.
  virtual void on(std::string topic, std::function<void(Letter& letter)> take) = 0;
  /// `descriptor`: a socket, a pipe or a file in memory (memfd_create(2)), a copy of which goes
  /// along; it stays the caller's.
  virtual Sent send(const To& to, std::string_view topic, std::string_view payload,
                    int descriptor = -1) = 0;
  /// `done` gets the first answer, or why there is none. Full: it is not called.
  virtual Sent request(const To& to, std::string_view topic, std::string_view payload, Time timeout,
                       std::function<void(const Reply& reply)> done) = 0;
  /// Answers a request, at once or later.
  virtual Sent reply(const Asked& asked, std::string_view payload, int descriptor = -1) = 0;

  /// There is room for letters again, after one that found none.
  virtual void on_room(std::function<void()> told) = 0;
  virtual void on_loss(std::function<void(const LostLetter& lost)> told) = 0;

  /// Asks all workers at once, this one too; who is missing is named (kOperator: nobody is known).
  virtual void gather(std::string_view topic, std::string_view payload, Time timeout,
                      std::function<void(const Gathered& gathered)> done) = 0;
  /// Asks one worker after the other, by slot, this one last: each gets what the one before has
  /// answered. Those that are gone, are replaced or do not answer within `timeout` are skipped.
  virtual void ring(std::string_view topic, std::string_view payload, Time timeout,
                    std::function<void(const Ring& ring)> done) = 0;

  /// Letters to the group come here, too: 1 to 64 bytes; a worker is in at most kMaxGroups.
  virtual void join(const std::string& group) = 0;
  virtual void leave(const std::string& group) = 0;

  /// What happens to workers; of those that are online now `kOnline` comes first, then `kCurrent`.
  virtual void on_event(std::function<void(const WorkerEvent& event)> told) = 0;

 protected:
  ~Bus() = default;
};

/// A file in memory with these bytes that nobody can change: for what is too long for a payload.
/// The caller closes it. -1: errno says why not.
int make_sealed(std::string_view bytes);
/// What such a file has. None: it is not sealed, so that its sender might change it while it is
/// read, or longer than `most`.
std::optional<std::string> read_sealed(int descriptor, std::size_t most);

}  // namespace mpb
