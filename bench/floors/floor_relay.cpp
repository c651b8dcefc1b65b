// The floor of a broker: workers and a hub that passes clients between them, two hops, one
// descriptor a message, no acks, no ownership, no counting. The hub is the parent process.
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/floors/fd_channel.hpp"
#include "bench/floors/floor_process.hpp"
#include "bench/floors/floor_worker.hpp"

namespace mpb::bench {
namespace {

/// Spreads ids over slots; any fixed mixing does (this is the finaliser of MurmurHash3).
std::uint32_t mix(std::uint32_t id) {
  id = (id ^ (id >> 16)) * 0x85ebca6bU;
  id = (id ^ (id >> 13)) * 0xc2b2ae35U;
  return id ^ (id >> 16);
}

class RelayWorker final : public FloorWorker {
 public:
  RelayWorker(int slot, int workers, bool all, int listener, UniqueFd channel)
      : FloorWorker(slot, listener),
        workers_(workers),
        all_(all),
        channel_(epoll(), std::move(channel)) {}

 private:
  [[nodiscard]] int owner(const ControlSession& session) const override {
    if (!all_) return static_cast<int>(mix(session.id()) % static_cast<unsigned>(workers_));
    return session.hops() > 0 ? slot() : (slot() + 1) % workers_;
  }

  void hand_over(int target, const ControlSession& session, std::string_view prefix,
                 UniqueFd client) override {
    channel_.send({static_cast<std::uint32_t>(target), session.hops() + 1U}, prefix,
                  std::move(client));
  }

  bool on_other_event(int fd, std::uint32_t events) override {
    if (fd != channel_.fd()) return false;
    if ((events & EPOLLOUT) != 0) channel_.on_writable();
    if ((events & (EPOLLIN | EPOLLHUP)) == 0) return true;
    Received received;
    while (channel_.receive(received)) {
      adopt(std::move(received.client), static_cast<std::uint8_t>(received.header.hops),
            received.prefix);
    }
    return true;
  }

  int workers_;
  bool all_;
  FdChannel channel_;
};

class Hub {
 public:
  explicit Hub(int signals) : epoll_(::epoll_create1(EPOLL_CLOEXEC)), signals_(signals) {
    if (!epoll_) fail("epoll_create1");
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = signals;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, signals, &event) != 0) fail("epoll_ctl");
  }

  /// In the order of the workers' slots.
  void add(UniqueFd channel) {
    channels_.push_back(std::make_unique<FdChannel>(epoll_.get(), std::move(channel)));
  }

  /// Returns at a signal that ends the program.
  void run() {
    epoll_event events[64];
    for (;;) {
      const int count = ::epoll_wait(epoll_.get(), events, 64, -1);
      if (count < 0 && errno != EINTR) fail("epoll_wait");
      for (int i = 0; i < count; ++i) {
        if (events[i].data.fd == signals_) return;
        for (const auto& channel : channels_) {
          if (channel->fd() == events[i].data.fd) on_channel(*channel, events[i].events);
        }
      }
    }
  }

 private:
  void on_channel(FdChannel& channel, std::uint32_t events) {
    if ((events & EPOLLOUT) != 0) channel.on_writable();
    if ((events & (EPOLLIN | EPOLLHUP)) == 0) return;
    Received received;
    while (channel.receive(received)) {
      channels_.at(received.header.target)
          ->send(received.header, received.prefix, std::move(received.client));
    }
  }

  UniqueFd epoll_;
  int signals_;
  std::vector<std::unique_ptr<FdChannel>> channels_;
};

std::pair<UniqueFd, UniqueFd> channel_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    fail("socketpair");
  }
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

int run_relay(const FloorOptions& options) {
  const UniqueFd signals = end_signals();
  const UniqueFd listener = start_floor(options);
  Workers workers;
  std::vector<UniqueFd> hub_ends;
  for (int slot = 0; slot < options.workers; ++slot) {
    auto [hub_end, worker_end] = channel_pair();
    hub_ends.push_back(std::move(hub_end));
    const int accepts = slot < options.acceptors ? listener.get() : -1;
    workers.start([&, slot, accepts, end = &worker_end] {
      hub_ends.clear();
      RelayWorker(slot, options.workers, options.hand_over_all, accepts, std::move(*end)).run();
    });
  }
  Hub hub(signals.get());
  for (auto& end : hub_ends) hub.add(std::move(end));
  announce(listener);
  hub.run();
  const int code = wait_for_end(signals.get());
  workers.end();
  return code;
}

constexpr std::array<Choice<bool>, 2> kHandovers{{{"all", true}, {"half", false}}};

constexpr Option<FloorOptions> kOptions[] = {
    kListenOption,
    kWorkersOption,
    {{"acceptors", kFloorGroup, "N", "1", "", "how many of the workers accept"},
     into<Whole<1, 256>, &FloorOptions::acceptors>},
    {{"handover", kFloorGroup, "all|half", "all", "",
      "all: each client goes to the next worker; half: to the one its id belongs to, which is half "
      "of them with two workers"},
     into<Word<kHandovers>, &FloorOptions::hand_over_all>},
    help_option<FloorOptions>(kFloorGroup)};
constexpr Program<FloorOptions> kProgram{
    "floor_relay", kOptions, "floor_relay: a bare two-hop relay of clients over a hub\n"};

}  // namespace
}  // namespace mpb::bench

int main(int argc, char** argv) {
  using namespace mpb::bench;
  const FloorOptions options = read_options(argc, argv, kProgram);
  if (options.workers < 2 || options.acceptors > options.workers) {
    fail_usage(kProgram, mpb::usage_error("--workers is at least 2, --acceptors 1 to --workers"));
  }
  return run_relay(options);
}
