// Accepts the clients of one listener, whose socket all workers share.
#pragma once

#include <functional>

#include "common/base/unique_fd.hpp"
#include "common/io/event_loop.hpp"
#include "common/io/foreign_descriptor.hpp"
#include "common/io/rate_bucket.hpp"
#include "mpbroker/notice.hpp"
#include "worker/served_listener.hpp"

namespace mpb {

struct WorkerContext;

class Acceptor final : private EventHandler {
 public:
  Acceptor(WorkerContext& worker, ServedListener& listener, UniqueFd socket)
      : worker_(worker),
        listener_(listener),
        socket_(std::move(socket)),
        kind_(client_kind(socket_.get())) {}
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;
  ~Acceptor() { stop(); }

  Status start();
  /// Accepts no more; the socket is closed here, and goes on elsewhere.
  void stop();
  /// After a pause (out of descriptors, or at the cap): accepts again if there is room now.
  void resume_if_possible();
  /// Looks once for clients that no wake-up announced, such as those whose wake-up went to a
  /// worker that was stopped.
  void sweep();
  [[nodiscard]] bool paused() const { return paused_; }
  /// Another socket has taken the place of this one, which may be shut down when nobody waits
  /// there.
  void retire() { retired_ = true; }

 private:
  void on_events(std::uint32_t events) override;
  void accept_clients();
  void admit(UniqueFd socket);
  [[nodiscard]] bool is_refused(int client) const;
  void tell_refused(Reason reason, int client);
  [[nodiscard]] bool is_full() const;
  void pause();
  void pause_again(Duration at_least);
  void rest(Duration at_least);
  /// Somebody who shares the socket may have made it blocking: true if so.
  bool mend();
  /// It waited for a client, and the turn took too long: see turn_guard.hpp. False: no more now.
  bool recover();
  /// A client waits: accept(2) will probably not.
  [[nodiscard]] bool has_client() const;
  [[nodiscard]] bool distrusted() const;
  void revive();

  WorkerContext& worker_;
  ServedListener& listener_;
  UniqueFd socket_;
  StreamKind kind_;  // of its clients
  Watch watch_;
  bool paused_ = false;
  bool retired_ = false;
  TimePoint distrusted_until_{};  // it was made blocking before: look each time
  unsigned stalls_ = 0;           // in a row, while distrusted
  RateBucket lines_;              // about a socket that others change
  std::uint32_t held_at_pause_ = 0;
  TimePoint resume_at_{};
  bool patient_ = false;  // rests until then, whoever leaves
};

}  // namespace mpb
