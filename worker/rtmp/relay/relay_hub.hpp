// All live streams of a worker, shared by its listeners: who publishes and plays what, and when
// what was published goes out.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/answers/entries.hpp"
#include "common/base/keyed_map.hpp"
#include "common/io/event_loop.hpp"
#include "worker/clients/memory_budget.hpp"
#include "worker/rtmp/access/hooks.hpp"
#include "worker/rtmp/relay/ignored.hpp"
#include "worker/rtmp/relay/live_stream.hpp"
#include "worker/rtmp/relay/rate_window.hpp"
#include "worker/rtmp/relay/waiting_streams.hpp"
#include "worker/worker_environment.hpp"

namespace mpb::rtmp {

/// The pause that follows a delivery to a stream's players which took so much of the CPU. What
/// sending costs is the number of times: with thousands of players each message by itself would
/// fill the CPU, and wait for the one before anyway.
[[nodiscard]] Duration pause_after(std::chrono::nanoseconds delivery);

class RelayHub final : private MemoryKeeper {
 public:
  explicit RelayHub(WorkerEnvironment& environment);
  RelayHub(const RelayHub&) = delete;
  RelayHub& operator=(const RelayHub&) = delete;
  ~RelayHub();

  [[nodiscard]] WorkerEnvironment& environment() const { return environment_; }
  [[nodiscard]] Hooks& hooks() const { return environment_.shared<Hooks>(); }
  /// What the streams' logs are kept in.
  [[nodiscard]] const SegmentFile& segment_file() const { return segment_file_; }
  [[nodiscard]] TimePoint now() const { return environment_.loop.now(); }
  [[nodiscard]] std::uint64_t next_client_id() { return ++last_client_id_; }

  /// Null: nobody publishes or plays it.
  [[nodiscard]] LiveStream* find(const std::string& path) const;
  LiveStream& find_or_make(const StreamName& name);
  /// The stream may have nobody left: then it goes.
  void release(LiveStream& stream);

  void begin_publishing(LiveStream& stream, RelayClient& publisher);
  void end_publishing(LiveStream& stream);
  /// Whether a client that waits for `waits` streams already may play this one.
  [[nodiscard]] bool may_play(const std::string& path, std::size_t waits) const;

  /// Something is there for its players: they get it at the end of the turn, or when the vhost's
  /// latency says so, or when the pause behind a long delivery is over.
  void published(LiveStream& stream);
  /// The client has something to be written at the end of the turn.
  void flush_later(RelayClient& client) { to_flush_.insert(&client); }
  /// The client is closed at the end of the turn.
  void finish_later(RelayClient& client) { to_finish_.insert(&client); }

  /// The client sent more messages than are taken from it now, and waits for that.
  void go_on_later(RelayClient& client);

  /// Clients whose silence is watched: those that publish, wait, or do nothing.
  void watch(RelayClient& client) { watched_.insert(&client); }
  /// The client is gone.
  void forget(RelayClient& client);

  IgnoredMessages ignored;

  struct Usage {
    std::uint32_t players = 0;
    std::uint32_t publishers = 0;
  };
  /// Of a vhost, in this worker.
  [[nodiscard]] Usage usage(const std::string& vhost) const;
  Usage& use(const std::string& vhost) { return usage_[vhost]; }

  /// Ends all who publish and play the stream, named as in the answer to "streams"; gives how many
  /// they were.
  std::size_t kick(const std::string& path);

 private:
  struct Entry {
    std::unique_ptr<LiveStream> stream;
    // The rates of the last tick, and what they were reckoned from.
    double in_kbps = 0;
    double out_kbps = 0;
    std::uint64_t in_before = 0;
    std::uint64_t out_before = 0;
    std::uint64_t charged_before = 0;
    RateWindow charged;
    TimePoint publisher_came{};  // the one to whom that is
  };

  void list_memory(std::vector<MemoryShare>& shares) override;
  void relieve(const MemoryShare& share, Relief relief) override;

  void end_turn();
  void deliver_due();
  void flush_due();
  /// Does what a client wants. Is there no memory for it, the client is closed.
  template <class F>
  void work_for(RelayClient& client, F&& what);
  void account(LiveStream& stream);
  /// What it keeps for newcomers, together with the other streams of its publisher.
  void bound_publisher(const LiveStream& stream);
  void skip(LiveStream& stream);
  void let_go_on();
  void look_later(Duration delay);
  /// Streams give up what they keep for newcomers, until the worker's bound is kept.
  void make_room();
  void deliver(LiveStream& stream);
  void make_due(LiveStream& stream);
  [[nodiscard]] Duration time_to_delivery(const LiveStream& stream) const;
  void tick();
  /// Clients give up streams that they wait for, those with the most first, until the worker's
  /// bound is kept.
  void thin_waiting();
  void measure(Entry& entry, double seconds);
  void end_for(RelayClient& client, Reason reason);
  [[nodiscard]] Listing<StreamEntry> describe_streams() const;

  WorkerEnvironment& environment_;
  SegmentFile segment_file_;  // outlives the streams
  WaitingStreams waiting_;
  MemoryBudget gop_memory_;
  std::uint64_t apart_ = 0;            // bytes of the streams that are not in segments
  std::uint64_t charged_ = 0;          // to the worker's memory
  std::uint64_t given_up_untold_ = 0;  // streams that gave up since the last line about it
  TimePoint next_memory_line_{};
  KeyedMap<std::string, Entry> streams_;
  std::vector<LiveStream*> due_;
  KeyedSet<RelayClient*> to_flush_;
  KeyedSet<RelayClient*> to_finish_;
  KeyedSet<RelayClient*> watched_;
  KeyedSet<RelayClient*> paced_;        // see go_on_later()
  KeyedSet<RelayClient*> going_on_;     // of those whose turn it is
  bool go_on_armed_ = false;            // a timer will look at them
  KeyedMap<std::string, Usage> usage_;  // of vhosts in use
  std::uint64_t last_client_id_ = 0;
  std::uint64_t vhosts_version_ = 0;
  TimePoint measured_at_{};
};

}  // namespace mpb::rtmp
