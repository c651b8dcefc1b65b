#include "worker/rtmp/access/http_poster.hpp"

#include <fmt/format.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "common/base/unique_fd.hpp"
#include "common/base/version.hpp"
#include "common/io/signals.hpp"

namespace mpb::rtmp {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kReadBuffer = 16 * 1024;  // more than the largest head Beast takes

/// Of connect: the server has no part in it.
bool is_ours(error_code error) {
  if (error.category() != boost::system::system_category()) return false;
  const int code = error.value();
  return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM ||
         code == EADDRNOTAVAIL;
}

/// A thread in which no signal is handled: they are the loop's.
template <class Function>
std::thread start_thread(Function function) {
  const AllSignalsBlocked in_the_thread;
  return std::thread(std::move(function));
}

}  // namespace

/// What the two threads share. The members behind the mailbox are for the engine's thread.
class HttpPoster::Engine {
 public:
  Engine() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!event_) throw std::runtime_error(system_error("eventfd").text);
    // The context takes its descriptors with the first socket: here, where somebody can be told
    // that there are none, not in the thread.
    const tcp::socket first(context_);
  }

  // For the caller's thread.
  void start() {
    thread_ = start_thread([this] { run(); });
  }
  void stop() {
    context_.stop();
    thread_.join();
  }
  void submit(HttpPost post);
  [[nodiscard]] int descriptor() const { return event_.get(); }
  std::vector<HttpReply> take_replies() {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(event_.get(), &count, sizeof count);
    const std::lock_guard lock(mutex_);
    return std::exchange(replies_, {});
  }

  // For the engine's thread.
  asio::io_context& context() { return context_; }
  void reply(HttpReply reply) {
    const std::lock_guard lock(mutex_);
    replies_.push_back(std::move(reply));
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t put = ::write(event_.get(), &one, sizeof one);
  }

 private:
  /// What Asio throws (it starts a thread for look-ups, and there may be none) costs the post that
  /// it was for its answer: its deadline says so. The others go on.
  void run() {
    while (!context_.stopped()) {
      try {
        context_.run();
      } catch (const std::exception&) {
        continue;
      }
    }
  }

  UniqueFd event_;
  std::mutex mutex_;
  std::vector<HttpReply> replies_;

  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard_ =
      asio::make_work_guard(context_);
  std::thread thread_;
};

/// One post and its reply, which is due at the deadline.
class HttpPoster::Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(Engine& engine, HttpPost post, std::chrono::steady_clock::time_point deadline)
      : engine_(engine),
        post_(std::move(post)),
        deadline_(engine.context(), deadline),
        stream_(engine.context()) {
    parser_.emplace().body_limit(kMaxReplyBody);
  }

  void start() {
    deadline_.async_wait([self = shared_from_this()](error_code error) {
      if (!error) self->expire();
    });
    connect();
  }

 private:
  void expire() {
    HttpReply late = no_answer(fmt::format("no answer within {}", format_duration(post_.timeout)));
    late.timed_out = true;
    reply(std::move(late));
    stream_.close();
  }

  [[nodiscard]] HttpReply no_answer(std::string why) const {
    HttpReply reply;
    reply.ticket = post_.ticket;
    reply.error = std::move(why);
    reply.connected = connected_;
    return reply;
  }

  /// To the next address. What time is left is shared among those that have not been tried.
  void connect() {
    const Endpoint& address = post_.addresses[next_++];
    tcp::endpoint endpoint;
    std::memcpy(endpoint.data(), address.data(), address.length);
    endpoint.resize(address.length);
    const std::size_t left = post_.addresses.size() - next_;
    if (left > 0) {
      const auto time = deadline_.expiry() - std::chrono::steady_clock::now();
      stream_.expires_after(time / static_cast<int>(left + 1));
    } else {
      stream_.expires_never();
    }
    stream_.async_connect(endpoint, [self = shared_from_this(), left](error_code error) {
      if (error && left > 0 && !self->replied_) {
        self->stream_.close();
        return self->connect();
      }
      if (self->ended(error, "cannot connect")) return;
      self->connected_ = true;
      self->stream_.expires_never();
      self->write();
    });
  }

  void write() {
    request_.method(http::verb::post);
    request_.target(post_.url.target);
    request_.set(http::field::host, post_.url.authority);
    request_.set(http::field::user_agent, "mpbroker/" MPB_VERSION);
    request_.set(http::field::content_type, "application/json");
    request_.keep_alive(false);
    request_.body() = std::move(post_.json);
    request_.prepare_payload();
    http::async_write(stream_, request_,
                      [self = shared_from_this()](error_code error, std::size_t) {
                        if (self->ended(error, "cannot send")) return;
                        self->read();
                      });
  }

  void read() {
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](error_code error, std::size_t) {
                       if (!self->ended(error, "no HTTP answer")) self->take();
                     });
  }

  /// What has been read, unless it only announces the answer.
  void take() {
    auto& message = parser_->get();
    if (message.result_int() / 100 == 1) {
      if (interim_++ == kMaxInterimReplies) {
        return reply(no_answer(fmt::format("more than {} interim answers", kMaxInterimReplies)));
      }
      parser_.emplace().body_limit(kMaxReplyBody);
      return read();
    }
    if (message.result_int() < 100) {  // Beast takes "000"; RFC 9110, 15
      return reply(no_answer(fmt::format("no HTTP status: {:03}", message.result_int())));
    }
    HttpReply answer = no_answer({});
    answer.status = message.result_int();
    answer.body = std::move(message.body());
    reply(std::move(answer));
  }

  /// Nothing comes after this operation: it failed, or nobody waits for the answer any more.
  bool ended(error_code error, std::string_view what) {
    if (!error && !replied_) return false;
    HttpReply failed = no_answer(fmt::format("{}: {}", what, error.message()));
    failed.ours = !connected_ && is_ours(error);
    reply(std::move(failed));
    return true;
  }

  void reply(HttpReply reply) {
    if (std::exchange(replied_, true)) return;
    deadline_.cancel();
    engine_.reply(std::move(reply));
  }

  Engine& engine_;
  HttpPost post_;
  bool replied_ = false;
  asio::steady_timer deadline_;
  std::size_t next_ = 0;  // of the addresses
  bool connected_ = false;
  boost::beast::tcp_stream stream_;
  http::request<http::string_body> request_;
  std::optional<http::response_parser<http::string_body>> parser_;  // of each answer a new one
  std::size_t interim_ = 0;
  boost::beast::flat_buffer buffer_{kReadBuffer};
};

void HttpPoster::Engine::submit(HttpPost post) {
  const auto deadline = std::chrono::steady_clock::now() + post.timeout;
  asio::post(context_, [this, deadline, post = std::move(post)]() mutable {
    std::make_shared<Exchange>(*this, std::move(post), deadline)->start();
  });
}

HttpPoster::HttpPoster() : engine_(std::make_unique<Engine>()) {
  engine_->start();
}

HttpPoster::~HttpPoster() {
  engine_->stop();
}

void HttpPoster::post(HttpPost post) {
  engine_->submit(std::move(post));
}

int HttpPoster::descriptor() const {
  return engine_->descriptor();
}

std::vector<HttpReply> HttpPoster::take_replies() {
  return engine_->take_replies();
}

}  // namespace mpb::rtmp
