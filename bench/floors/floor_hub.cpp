// The floor of letters: a hub that passes datagrams on between socketpairs, and workers that send,
// receive and count. No order, no credit, no names; a receiver that is full holds up the hub.
//   floor_hub --mode rate | echo | all     prints one line of JSON
#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "bench/floors/floor_process.hpp"
#include "common/base/choice.hpp"

namespace mpb::bench {
namespace {

using Clock = std::chrono::steady_clock;

enum class Mode : std::uint8_t { kRate, kEcho, kAll };
constexpr std::array kModes{Choice<Mode>{"rate", Mode::kRate}, Choice<Mode>{"echo", Mode::kEcho},
                            Choice<Mode>{"all", Mode::kAll}};

struct HubOptions {
  int workers = 2;
  Mode mode = Mode::kRate;
  int size = 200;
  Duration time{1'000};
};

constexpr Option<HubOptions> kOptions[] = {
    {{"workers", kFloorGroup, "N", "2", "", "2 to 64"}, into<Whole<2, 64>, &HubOptions::workers>},
    {{"mode", kFloorGroup, "MODE", "rate", "",
      "rate: 0 to 1; echo: 0 to 1 and back; all: 0 to all, itself too"},
     into<Word<kModes>, &HubOptions::mode>},
    {{"size", kFloorGroup, "BYTES", "200", "", "of a datagram"},
     into<Whole<16, 32'768>, &HubOptions::size>},
    {{"time", kFloorGroup, "TIME", "1s", "", "how long"}, into<TimeAbove0, &HubOptions::time>},
    help_option<HubOptions>(kFloorGroup),
};
constexpr Program<HubOptions> kProgram{"floor_hub", kOptions,
                                       "floor_hub: datagrams between workers over a bare hub\n"};

constexpr std::size_t kBatch = 16;
constexpr std::uint16_t kToAll = 0xffff;
constexpr std::size_t kMostTimes = 1'000'000;

/// Of all processes.
struct Shared {
  std::array<std::atomic<std::uint64_t>, 64> received{};
  std::atomic<std::uint64_t> count{};
  std::array<std::uint32_t, kMostTimes> times{};  // ns, of echoes
};

/// Receives a batch; waits for the first.
class Receiver {
 public:
  explicit Receiver(std::size_t size) : bytes_(kBatch, std::vector<char>(size)) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      parts_[i] = {bytes_[i].data(), size};
      headers_[i].msg_hdr.msg_iov = &parts_[i];
      headers_[i].msg_hdr.msg_iovlen = 1;
    }
  }
  /// 0: the other end is gone, or `flags` says not to wait and nothing is there.
  std::size_t receive(int socket, int flags) {
    const int count = ::recvmmsg(socket, headers_.data(), kBatch, flags, nullptr);
    return count < 0 || headers_[0].msg_len == 0 ? 0 : static_cast<std::size_t>(count);
  }
  std::span<const char> datagram(std::size_t i) const {
    return std::span(bytes_[i]).first(headers_[i].msg_len);
  }

 private:
  std::vector<std::vector<char>> bytes_;
  std::array<iovec, kBatch> parts_{};
  std::array<mmsghdr, kBatch> headers_{};
};

std::vector<char> addressed(std::uint16_t to, std::size_t size) {
  std::vector<char> bytes(size, 'x');
  std::memcpy(bytes.data(), &to, sizeof to);
  return bytes;
}

[[noreturn]] void receive_for_ever(int slot, int socket, const HubOptions& options,
                                   Shared& shared) {
  Receiver in(static_cast<std::size_t>(options.size));
  const auto back = addressed(0, static_cast<std::size_t>(options.size));
  while (const std::size_t count = in.receive(socket, MSG_WAITFORONE)) {
    shared.received[static_cast<std::size_t>(slot)] += count;
    if (options.mode != Mode::kEcho) continue;
    for (std::size_t i = 0; i < count; ++i) ::send(socket, back.data(), back.size(), MSG_NOSIGNAL);
  }
  ::_exit(0);
}

[[noreturn]] void send_for_ever(int socket, const HubOptions& options, Shared& shared) {
  const std::uint16_t to = options.mode == Mode::kAll ? kToAll : 1;
  const auto bytes = addressed(to, static_cast<std::size_t>(options.size));
  Receiver in(static_cast<std::size_t>(options.size));
  while (true) {
    const auto begun = Clock::now();
    if (::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) ::_exit(0);
    if (options.mode == Mode::kRate) continue;
    if (options.mode == Mode::kAll) {
      while (const std::size_t count = in.receive(socket, MSG_DONTWAIT)) {
        shared.received[0] += count;
      }
      continue;
    }
    in.receive(socket, MSG_WAITFORONE);
    const auto took = std::chrono::nanoseconds(Clock::now() - begun).count();
    const std::uint64_t number = shared.count++;
    if (number < kMostTimes) shared.times[number] = static_cast<std::uint32_t>(took);
  }
}

void pass_on(int to, std::span<const char> datagram) {
  while (::send(to, datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
    if (errno != EAGAIN) fail("send");
    pollfd full{to, POLLOUT, 0};
    ::poll(&full, 1, -1);
  }
}

void be_hub(std::span<const int> sockets, const HubOptions& options) {
  const UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    epoll_event event{EPOLLIN, {.u64 = i}};
    ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, sockets[i], &event);
  }
  Receiver in(static_cast<std::size_t>(options.size));
  const auto end = Clock::now() + options.time;
  while (Clock::now() < end) {
    std::array<epoll_event, 64> events{};
    const int ready = ::epoll_wait(epoll.get(), events.data(), 64, 10);
    for (int i = 0; i < ready; ++i) {
      const int from = sockets[events[static_cast<std::size_t>(i)].data.u64];
      const std::size_t count = in.receive(from, MSG_DONTWAIT);
      for (std::size_t one = 0; one < count; ++one) {
        std::uint16_t to = 0;
        std::memcpy(&to, in.datagram(one).data(), sizeof to);
        if (to != kToAll) {
          pass_on(sockets[to], in.datagram(one));
          continue;
        }
        for (const int socket : sockets) pass_on(socket, in.datagram(one));
      }
    }
  }
}

int run(const HubOptions& options) {
  void* memory =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("mmap");
  Shared& shared = *new (memory) Shared;
  std::vector<int> sockets;
  Workers workers;
  for (int slot = options.workers - 1; slot >= 0; --slot) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends.data()) != 0) fail("socketpair");
    constexpr int kBuffer = 1 << 20;  // as the channel's
    for (const int end : ends) {
      ::setsockopt(end, SOL_SOCKET, SO_SNDBUF, &kBuffer, sizeof kBuffer);
    }
    sockets.insert(sockets.begin(), ends[0]);
    workers.start([&, slot] {
      if (slot == 0) send_for_ever(ends[1], options, shared);
      receive_for_ever(slot, ends[1], options, shared);
    });
    ::close(ends[1]);
  }
  be_hub(sockets, options);
  workers.end();
  std::uint64_t received = 0;
  for (const auto& one : shared.received) received += one;
  const auto echoes = std::min<std::uint64_t>(shared.count, kMostTimes);
  const auto times = std::span(shared.times).first(echoes);
  std::ranges::sort(times);
  const double seconds = std::chrono::duration<double>(options.time).count();
  fmt::print("{{\"per_second\":{:.0f},\"p50_us\":{:.1f}}}\n",
             static_cast<double>(options.mode == Mode::kEcho ? echoes : received) / seconds,
             times.empty() ? 0.0 : times[times.size() / 2] / 1000.0);
  return 0;
}

}  // namespace
}  // namespace mpb::bench

int main(int argc, char** argv) {
  using namespace mpb;
  using namespace mpb::bench;
  const auto read = read_program_line(kProgram, std::vector<std::string>(argv + 1, argv + argc));
  if (!read) {
    std::fprintf(stderr, "floor_hub: %s\n", read.error().text.c_str());
    return 2;
  }
  if (!read->print.empty()) {
    std::fputs(read->print.c_str(), stdout);
    return 0;
  }
  return run(read->settings);
}
