// Looks up the addresses of host names in threads of its own, so that the loop never waits for a
// name server.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/error.hpp"
#include "common/io/endpoint.hpp"
#include "common/io/event_loop.hpp"
#include "worker/names/name_cache.hpp"
#include "worker/worker_environment.hpp"

namespace mpb {

/// One for each worker, made by WorkerEnvironment::shared<NameResolver>(). All of it belongs to the
/// loop's thread.
class NameResolver final : private EventHandler {
 public:
  /// At least one; in the order of preference. An error of kind kLimit: nobody could be asked, for
  /// want of something in this process.
  using Found = Result<std::vector<Endpoint>>;
  using Done = std::function<void(const Found&)>;

  explicit NameResolver(WorkerEnvironment& environment);
  /// No Done is called any more. Does not wait for look-ups that are under way.
  ~NameResolver();
  NameResolver(const NameResolver&) = delete;
  NameResolver& operator=(const NameResolver&) = delete;

  /// What is known now. Nothing: it is being looked up, wait() for it.
  std::optional<Found> find(const std::string& name, std::uint16_t port);
  /// Calls `done` in a later turn of the loop, within `limit`, unless cancelled.
  std::uint64_t wait(const std::string& name, std::uint16_t port, Duration limit, Done done);
  /// Past tickets are ignored.
  void cancel(std::uint64_t ticket);
  /// None of its addresses served: it is looked up again.
  void doubt(const std::string& name) { cache_.doubt(name); }

  struct Failure {
    std::string why;
    NameCache::Cause cause = NameCache::Cause::kUnknown;
  };
  struct Looked {
    std::vector<Endpoint> addresses;
    Failure failure;  // when there are none
  };
  using LookUp = std::function<Looked(const std::string& name)>;
  /// Instead of the system's (getaddrinfo(3)); for other threads to call, from the next look-up on.
  void look_up_by(LookUp look_up);

 private:
  struct Shared;
  struct Waiter {
    std::string name;
    std::uint16_t port = 0;
    Done done;
    EventLoop::TimerId timer{};
  };

  void on_events(std::uint32_t events) override;
  [[nodiscard]] bool waits_for_a_thread(const std::string& name);
  Status begin(const std::string& name);
  Status start_thread();
  void learn(const std::string& name, Looked looked);
  void expire(std::uint64_t ticket, Duration limit);

  EventLoop& loop_;
  NameCache cache_;
  std::shared_ptr<Shared> shared_;  // with the threads; null before the first look-up
  LookUp look_up_;
  Watch watch_;
  std::map<std::uint64_t, Waiter> waiters_;
  std::uint64_t last_ticket_ = 0;
};

}  // namespace mpb
