// What the worker gives to the classifiers and handlers that are made in it.
#pragma once

#include <cstdint>
#include <memory>
#include <typeindex>

#include "mpbroker/bus.hpp"
#include "mpbroker/notice.hpp"

namespace boost::asio {
class io_context;
}

namespace mpb {

class SharedTables;

/// What a listener says about how its clients are read.
struct ListenerTraits {
  bool key_is_stream = false;   // key = vhost/app/stream
  bool proxy_protocol = false;  // prefix = proxy
  bool srs_real_ip = false;     // prefix = srs-real-ip
  bool key_is_app = false;      // key = vhost/app
  bool forwards = false;        // handler = forward, for vhosts without a handler of their own
};

/// One for each worker process; outlives everything that is made with it. For the worker's thread
/// alone.
class Environment {
 public:
  /// The worker's slot; 0 in a single process.
  [[nodiscard]] virtual std::uint16_t slot() const = 0;

  /// Boost.Asio in the worker's thread, made when first asked for: timers, sockets, coroutines. Its
  /// handlers run at the end of a turn, never within the call that made them ready. Any thread may
  /// post to it. run(), poll() and stop() are not to be called. It lives longer than the clients,
  /// their handlers and what is shared(): no coroutine goes on without those. Throws
  /// std::runtime_error for want of descriptors.
  virtual boost::asio::io_context& asio() = 0;

  /// Letters to and from the other workers.
  virtual Bus& bus() = 0;

  /// The worker's one object of type T, made with T(Environment&) when first asked for: what the
  /// handlers of several listeners share.
  template <class T>
  T& shared() {
    return shared_by<T>(*this);
  }

  /// The tables that all workers have: mpbroker/shared.hpp.
  virtual SharedTables& shared() = 0;

  /// Tells the operator of a client: events `publish`, `unpublish` and `refused`, bounded in rate
  /// for each vhost and reason. Keys and other secrets are not among what is told. `socket`: the
  /// client's, for its address when the notice has none.
  virtual void tell(const Notice& notice, int socket = -1) = 0;

 protected:
  ~Environment() = default;

  template <class T, class Self>
  T& shared_by(Self& self) {
    std::shared_ptr<void>& place = shared_place(typeid(T));
    if (!place) place = std::make_shared<T>(self);
    return *static_cast<T*>(place.get());
  }

 private:
  virtual std::shared_ptr<void>& shared_place(std::type_index type) = 0;
};

}  // namespace mpb
