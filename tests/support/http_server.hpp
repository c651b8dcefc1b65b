// A web server on a loopback port that the kernel chose, which answers as a test says.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/base/unique_fd.hpp"

namespace mpb::test {

struct HttpRequest {
  std::string head;  // request line and fields, with the empty line
  std::string body;
};

class HttpServer {
 public:
  /// Called in a thread of the connection's own; gives the bytes to send before it is closed.
  using Answer = std::function<std::string(const HttpRequest&)>;

  explicit HttpServer(Answer answer);
  /// Waits for all answers to be given.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// "http://127.0.0.1:PORT" + path.
  [[nodiscard]] std::string url(const std::string& path = "/hook") const;
  /// Those that came whole, so far.
  [[nodiscard]] std::vector<HttpRequest> requests() const;

 private:
  void accept_all();
  void serve(UniqueFd client);

  Answer answer_;
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::vector<HttpRequest> requests_;
  std::vector<std::thread> connections_;  // of the accepting thread, until it has ended
  std::thread acceptor_;
};

/// A whole answer with this status and body.
std::string http_answer(unsigned status, const std::string& body);

}  // namespace mpb::test
