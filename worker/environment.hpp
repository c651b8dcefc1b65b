// What the worker gives to the classifiers and handlers that are made in it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <typeindex>
#include <vector>

#include "common/config/vhost_table.hpp"
#include "common/io/event_loop.hpp"
#include "worker/clients/memory_budget.hpp"
#include "worker/link/notices.hpp"

namespace boost::asio {
class io_context;
}

namespace mpb {

class AsioHost;

/// What a listener says about how its clients are read.
struct ListenerTraits {
  bool key_is_stream = false;   // key = vhost/app/stream
  bool proxy_protocol = false;  // prefix = proxy
  bool srs_real_ip = false;     // prefix = srs-real-ip
  bool forwards = false;        // handler = forward, for vhosts without a handler of their own
};

/// One for each worker process; outlives everything that is made with it.
class Environment {
 public:
  explicit Environment(EventLoop& event_loop) : loop(event_loop) {}
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  EventLoop& loop;
  VhostTable vhosts;
  std::uint16_t slot = 0;
  std::uint64_t gop_memory = 0;  // bytes that may be kept for players to begin with; 0: no limit
  Notices notices;               // see tell()
  MemoryBudget memory;           // of all that is held for clients (media-memory)
  std::vector<MemoryKeeper*> memory_keepers;  // they outlive the clients, or take themselves out

  /// Tells the operator of a client: events `publish`, `unpublish` and `refused`, bounded in rate
  /// for each vhost and reason. Keys and other secrets are not among what is told. `socket`: the
  /// client's, for its address when the notice has none.
  void tell(const Notice& notice, int socket = -1);

  /// The worker's one object of type T, made with T(Environment&) when first asked for: what the
  /// handlers of several listeners share.
  template <class T>
  T& shared() {
    std::shared_ptr<void>& place = shared_[typeid(T)];
    if (!place) place = std::make_shared<T>(*this);
    return *static_cast<T*>(place.get());
  }

  /// Boost.Asio in this thread (common/asio/asio_host.hpp), made when first asked for. It lives
  /// longer than the clients, their handlers and what is shared(): no coroutine goes on without
  /// those. Throws std::runtime_error for want of descriptors.
  boost::asio::io_context& asio();

  /// Answers a question of the operator's ("streams", "kick"): gives JSON text. See
  /// docs/channel-protocol.md, Query.
  using Responder = std::function<std::string(std::string_view argument)>;
  void answer(std::string question, Responder responder) {
    responders_[std::move(question)] = std::move(responder);
  }
  /// Null: nobody here answers that.
  [[nodiscard]] const Responder* responder(const std::string& question) const {
    const auto found = responders_.find(question);
    return found == responders_.end() ? nullptr : &found->second;
  }

 private:
  std::shared_ptr<AsioHost> asio_;  // first: it is to end last
  std::map<std::string, Responder> responders_;
  std::map<std::type_index, std::shared_ptr<void>> shared_;
};

}  // namespace mpb
