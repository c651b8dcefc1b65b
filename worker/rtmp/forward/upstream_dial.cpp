#include "worker/rtmp/forward/upstream_dial.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "common/io/descriptor_reserve.hpp"
#include "common/io/foreign_descriptor.hpp"
#include "proto/rtmp/handshake.hpp"

namespace mpb::rtmp {

bool out_of_descriptors(const Error& error) {
  return error.code == EMFILE || error.code == ENFILE || error.code == ENOBUFS ||
         error.code == ENOMEM || error.code == EADDRNOTAVAIL;
}

UpstreamDial::UpstreamDial(std::string_view prefix, std::string_view request,
                           std::mt19937_64& random)
    : request_(request), out_(prefix) {
  out_ += make_hello(HandshakeScheme::kDigest1, random);
}

Status UpstreamDial::begin(const Endpoint& address) {
  socket_.reset(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket_) return system_error("socket");
  if (!may_assist_a_client(socket_.get())) {
    socket_.reset();
    errno = EMFILE;
    return system_error("socket");
  }
  if (address.family() != AF_UNIX) {
    const int on = 1;
    ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  if (::connect(socket_.get(), address.data(), address.length) != 0 && errno != EINPROGRESS) {
    return system_error("connect");
  }
  return {};
}

std::uint32_t UpstreamDial::interest() const {
  if (!connected_) return EPOLLOUT;
  // The answer may be there before the whole request is written: the request goes first.
  if (received_.size() == kAnswerSize && !out_.empty()) return EPOLLOUT;
  return out_.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT;
}

bool UpstreamDial::is_greeted() const {
  return greeting_sent_ && out_.empty() && received_.size() == kAnswerSize;
}

UpstreamDial::Progress UpstreamDial::on_events(std::uint32_t events) {
  if (!connected_ && !finish_connecting()) return Progress::kFailed;
  if (!is_greeted()) {
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !read()) return Progress::kFailed;
    if (!write()) return Progress::kFailed;
    return Progress::kGoesOn;
  }
  char first = 0;
  const ssize_t count = ::recv(socket_.get(), &first, 1, MSG_PEEK | MSG_DONTWAIT);
  if (count > 0) return Progress::kAnswers;
  if (count == 0) return fail("it closed before it answered connect");
  if (errno == EAGAIN || errno == EINTR) return Progress::kGoesOn;
  return fail(system_error("it did not answer connect").text);
}

bool UpstreamDial::finish_connecting() {
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) {
    fail(fmt::format("connect: {}", std::strerror(error)));
    return false;
  }
  connected_ = true;
  return true;
}

bool UpstreamDial::write() {
  if (out_.empty()) return true;
  const ssize_t count =
      ::send(socket_.get(), out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (count < 0) {
    if (errno == EAGAIN || errno == EINTR) return true;
    fail(system_error("send").text);
    return false;
  }
  out_.erase(0, static_cast<std::size_t>(count));
  return true;
}

/// Takes the handshake's answer and not a byte more: what follows is the client's.
bool UpstreamDial::read() {
  std::array<char, kAnswerSize> buffer;  // NOLINT(*-member-init): recv fills what is used
  if (received_.size() < kAnswerSize) {
    const ssize_t count =
        receive_bytes(socket_.get(), buffer.data(), kAnswerSize - received_.size());
    if (count == 0) {
      fail("it closed before it answered the handshake");
      return false;
    }
    if (count < 0) {
      if (errno == EAGAIN || errno == EINTR) return true;
      fail(system_error("it did not answer the handshake").text);
      return false;
    }
    received_.append(buffer.data(), static_cast<std::size_t>(count));
  }
  if (static_cast<std::uint8_t>(received_.front()) != kVersion) {
    fail("it does not speak RTMP: its handshake has another version");
    return false;
  }
  if (received_.size() >= kHelloSize && !greeting_sent_) {
    greeting_sent_ = true;
    out_ += answer_server(std::string_view(received_).substr(1, kHandshakeBlock));
    out_ += request_;
  }
  return true;
}

UpstreamDial::Progress UpstreamDial::fail(std::string why) {
  why_ = std::move(why);
  return Progress::kFailed;
}

}  // namespace mpb::rtmp
