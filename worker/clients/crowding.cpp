#include "worker/clients/crowding.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <utility>

#include "worker/worker_context.hpp"

namespace mpb {
namespace {

constexpr Duration kTimeToSpeak{1'000};  // whoever is to speak first does so once it is connected
constexpr int kMostLooks = 64;           // at clients that prove to have spoken

/// How long a connection of TCP from which no data has come is there: it may have waited in the
/// backlog first. 0: not known.
Duration connected_for(int socket) {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return Duration{0};
  return Duration{info.tcpi_last_data_recv};
}

}  // namespace

bool can_make_room(WorkerContext& worker) {
  const Session* oldest = worker.deadlines.silence.first();
  if (oldest == nullptr) return false;
  if (oldest->silent_since() + kTimeToSpeak <= worker.loop.now()) return true;
  return connected_for(oldest->fd()) >= kTimeToSpeak;
}

bool make_room(WorkerContext& worker) {
  const std::uint32_t held = worker.clients.held();
  for (int looks = 0; looks < kMostLooks && can_make_room(worker); ++looks) {
    worker.deadlines.silence.first()->close_silent(Reason::kDescriptors);
    if (worker.clients.held() < held) return true;
  }
  return false;
}

UniqueFd fit(WorkerContext& worker, UniqueFd client) {
  if (worker.clients.may_hold(client.get()) || !make_room(worker)) return client;
  UniqueFd lower(::fcntl(client.get(), F_DUPFD_CLOEXEC, 0));
  return lower ? std::move(lower) : std::move(client);
}

}  // namespace mpb
