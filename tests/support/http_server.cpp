#include "tests/support/http_server.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <optional>
#include <stdexcept>
#include <utility>

namespace mpb::test {
namespace {

std::optional<HttpRequest> read_request(int client) {
  std::string bytes;
  std::array<char, 4096> part{};
  constexpr std::string_view kLength = "Content-Length: ";
  while (true) {
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end != std::string::npos) {
      const std::size_t field = bytes.find(kLength);
      const std::size_t length = field < end ? std::stoul(bytes.substr(field + kLength.size())) : 0;
      const std::string body = bytes.substr(end + 4);
      if (body.size() >= length) return HttpRequest{bytes.substr(0, end + 4), body};
    }
    const ssize_t got = ::recv(client, part.data(), part.size(), 0);
    if (got <= 0) return std::nullopt;
    bytes.append(part.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace

HttpServer::HttpServer(Answer answer)
    : answer_(std::move(answer)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_.get(), generic, length) != 0 || ::listen(listener_.get(), 4096) != 0 ||
      ::getsockname(listener_.get(), generic, &length) != 0) {
    throw std::runtime_error("cannot listen on loopback");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

HttpServer::~HttpServer() {
  ::shutdown(listener_.get(), SHUT_RDWR);  // accept() returns
  acceptor_.join();
  for (std::thread& connection : connections_) connection.join();
}

std::string HttpServer::url(const std::string& path) const {
  return fmt::format("http://127.0.0.1:{}{}", port_, path);
}

std::vector<HttpRequest> HttpServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void HttpServer::accept_all() {
  while (true) {
    UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) return;
    connections_.emplace_back(
        [this, owned = std::move(client)]() mutable { serve(std::move(owned)); });
  }
}

void HttpServer::serve(UniqueFd client) {
  const std::optional<HttpRequest> request = read_request(client.get());
  if (!request) return;
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(*request);
  }
  const std::string bytes = answer_(*request);
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t put =
        ::send(client.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (put <= 0) return;
    sent += static_cast<std::size_t>(put);
  }
}

std::string http_answer(unsigned status, const std::string& body) {
  return fmt::format("HTTP/1.1 {} Text\r\nContent-Length: {}\r\n\r\n{}", status, body.size(), body);
}

}  // namespace mpb::test
