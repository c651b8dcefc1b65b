#include "broker/turn_away.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <set>

#include "common/base/unique_fd.hpp"
#include "common/io/socket_options.hpp"

namespace mpb {
namespace {

constexpr int kClientsPerTurn = 64;
constexpr Duration kPause{100};  // without a descriptor for them, waiting for events would spin

/// Told by a reset, which needs no further word from either side.
void reset(UniqueFd client) {
  const linger at_once{1, 0};
  ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

}  // namespace

class TurnAway::Door final : private EventHandler {
 public:
  Door(EventLoop& loop, int socket, std::uint64_t& count)
      : loop_(loop), socket_(socket), count_(count) {
    watch();
  }
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;
  ~Door() {
    loop_.cancel(timer_);
    loop_.remove(watch_, socket_);
  }

 private:
  void watch() {
    mend_flags(socket_);
    const auto added = loop_.add(socket_, EPOLLIN, *this);
    if (!added) return pause();
    watch_ = *added;
  }

  void pause() {
    loop_.remove(watch_, socket_);
    timer_ = loop_.after(kPause, [this] { watch(); });
  }

  [[nodiscard]] bool has_client() const {
    pollfd queue{socket_, POLLIN, 0};
    return ::poll(&queue, 1, 0) != 0;
  }

  void on_events(std::uint32_t) override {
    for (int i = 0; i < kClientsPerTurn; ++i) {
      mend_flags(socket_);  // whoever shares it may do that again and again
      if (!has_client()) return;
      UniqueFd client(::accept4(socket_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (client) {
        reset(std::move(client));
        ++count_;
        continue;
      }
      switch (errno) {
        case EAGAIN:
          return;
        case ECONNABORTED:
        case EPROTO:
        case EPERM:
          continue;
        default:  // EINTR: it waited for a client; see turn_guard.hpp
          return pause();
      }
    }
  }

  EventLoop& loop_;
  int socket_;
  std::uint64_t& count_;
  Watch watch_;
  EventLoop::TimerId timer_{};
};

TurnAway::TurnAway(EventLoop& loop) : loop_(loop) {}

TurnAway::~TurnAway() = default;

void TurnAway::begin(const std::vector<int>& sockets) {
  end();
  // Listeners may share one.
  for (const int socket : std::set<int>(sockets.begin(), sockets.end()))
    doors_.push_back(std::make_unique<Door>(loop_, socket, count_));
}

void TurnAway::end() {
  doors_.clear();
}

}  // namespace mpb
