#include "bench/floors/fd_channel.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "bench/floors/floor_process.hpp"

namespace mpb::bench {

FdChannel::FdChannel(int epoll, UniqueFd socket) : epoll_(epoll), socket_(std::move(socket)) {
  watch(EPOLLIN, EPOLL_CTL_ADD);
}

void FdChannel::watch(std::uint32_t events, int operation) {
  epoll_event event{};
  event.events = events;
  event.data.fd = socket_.get();
  if (::epoll_ctl(epoll_, operation, socket_.get(), &event) != 0) fail("epoll_ctl on a channel");
}

bool FdChannel::try_send(const HandoffHeader& header, std::string_view prefix, int client) {
  iovec parts[2] = {{const_cast<HandoffHeader*>(&header), sizeof header},
                    {const_cast<char*>(prefix.data()), prefix.size()}};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(rights), &client, sizeof client);
  if (::sendmsg(socket_.get(), &message, MSG_NOSIGNAL) >= 0) return true;
  if (errno != EAGAIN) fail("sendmsg on a channel");
  return false;
}

void FdChannel::send(const HandoffHeader& header, std::string_view prefix, UniqueFd client) {
  if (queue_.empty()) {
    if (try_send(header, prefix, client.get())) return;
    watch(EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
  }
  queue_.push_back({header, std::string(prefix), std::move(client)});
}

void FdChannel::on_writable() {
  while (!queue_.empty()) {
    const Waiting& first = queue_.front();
    if (!try_send(first.header, first.prefix, first.client.get())) return;
    queue_.pop_front();
  }
  watch(EPOLLIN, EPOLL_CTL_MOD);
}

bool FdChannel::receive(Received& received) {
  iovec parts[2] = {{&received.header, sizeof received.header}, {buffer_, sizeof buffer_}};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t size = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
  if (size < 0 && errno == EAGAIN) return false;
  if (size < static_cast<ssize_t>(sizeof received.header)) fail("recvmsg on a channel");
  const cmsghdr* rights = CMSG_FIRSTHDR(&message);
  if (rights == nullptr || rights->cmsg_type != SCM_RIGHTS ||
      rights->cmsg_len != CMSG_LEN(sizeof(int))) {
    fail("a message without its descriptor (is the descriptor limit reached?)");
  }
  int client = -1;
  std::memcpy(&client, CMSG_DATA(rights), sizeof client);
  received.client.reset(client);
  received.prefix = {buffer_, static_cast<std::size_t>(size) - sizeof received.header};
  return true;
}

}  // namespace mpb::bench
