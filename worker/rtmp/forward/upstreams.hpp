// What all forwarding listeners of a worker share: the upstreams of every vhost and what was
// counted of them, and pipes.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "common/answers/entries.hpp"
#include "common/base/keyed_map.hpp"
#include "worker/names/name_resolver.hpp"
#include "worker/rtmp/forward/splice_path.hpp"
#include "worker/rtmp/forward/upstream_set.hpp"
#include "worker/worker_environment.hpp"

namespace mpb::rtmp {

class Upstreams {
 public:
  using Settings = std::shared_ptr<const VhostSettings>;

  /// Answers "upstreams" of the operator's.
  explicit Upstreams(WorkerEnvironment& environment);
  Upstreams(const Upstreams&) = delete;
  Upstreams& operator=(const Upstreams&) = delete;

  /// Those of a section: vhosts that match one wildcard share them.
  std::shared_ptr<UpstreamSet> of(const Settings& settings);

  /// A client was answered by an upstream, or not: counts, and logs what that changes.
  void note_success(UpstreamSet& set, std::size_t number);
  /// Clients could take an upstream out that was blamed for what they make it do.
  void note_failure(UpstreamSet& set, std::size_t number, std::string_view why, bool blamed);
  /// A client could not be served: counts, and logs at most one line a second.
  void note_unserved(std::string_view vhost, std::string_view why);
  /// Tells the operator that a client is refused.
  void tell(const Notice& notice) { environment_.tell(notice); }

  /// Each forwarded client, from its connect to its end.
  void add_client() { ++clients_; }
  void remove_client();

  EventLoop& loop;
  NameResolver& names;
  PipePool pipes;
  std::mt19937_64 random;  // of handshakes

 private:
  static constexpr std::size_t kFewEntries = 64;

  struct Entry {
    Settings settings;
    std::shared_ptr<UpstreamSet> set;
  };

  [[nodiscard]] bool is_configured(const std::string& section) const;
  void forget_unused();
  [[nodiscard]] Listing<UpstreamEntry> report() const;

  WorkerEnvironment& environment_;
  KeyedMap<std::string, Entry> entries_;  // by the name of the section
  std::size_t forget_at_ = kFewEntries;   // so many of them
  std::uint64_t clients_ = 0;             // now
  std::uint64_t unserved_ = 0;
  std::uint64_t unserved_at_log_ = 0;
  TimePoint next_log_{};
};

}  // namespace mpb::rtmp
