// A client as a coroutine has it: a stream for all that reads and writes streams by Boost.Asio,
// such as async_read_until, async_write, SSL and Beast. The socket stays with the worker: a stream
// reads and writes by the client's session, whose limits hold for it.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "mpbroker/handler.hpp"

namespace mpb {

/// What a client's session and its coroutine share. Whichever ends first, the other goes on with
/// it.
class AsioLink : public std::enable_shared_from_this<AsioLink> {
 public:
  struct Outcome {
    boost::system::error_code error;
    std::size_t size = 0;
  };

  AsioLink(boost::asio::io_context& context, Connection& connection);

  // For the stream. None: not now.
  std::optional<Outcome> read(std::span<const iovec> into);
  std::optional<Outcome> write(std::span<const iovec> from);
  bool write_ahead(std::string_view text);
  void finish();
  [[nodiscard]] std::string peer() const;

  // For the handler.
  /// Gives what the handler is to answer.
  Step take(std::string_view bytes);
  void on_end();
  void on_writable() { writable.cancel(); }
  void on_close();
  [[nodiscard]] boost::asio::cancellation_slot cancellation() { return gone_.slot(); }

  // Never expire: who waits is called when they are cancelled, and looks again.
  boost::asio::steady_timer readable;
  boost::asio::steady_timer writable;

 private:
  Connection* connection_;  // null: the client is gone, or ended
  std::string unread_;      // what came and was not read
  std::size_t begin_ = 0;   // of what is left of it
  bool full_ = false;       // no more is read from the client
  bool ended_ = false;      // no more comes
  boost::asio::cancellation_signal gone_;
};

class AsioStream {
 public:
  using executor_type = boost::asio::any_io_executor;
  using lowest_layer_type = AsioStream;

  explicit AsioStream(std::shared_ptr<AsioLink> link) : link_(std::move(link)) {}
  AsioStream(AsioStream&& other) = default;
  AsioStream& operator=(AsioStream&& other) noexcept {
    close();
    link_ = std::move(other.link_);
    return *this;
  }
  /// Ends the client.
  ~AsioStream() { close(); }

  [[nodiscard]] executor_type get_executor() { return link_->readable.get_executor(); }
  lowest_layer_type& lowest_layer() { return *this; }

  /// As those of boost::asio::ip::tcp::socket. One read and one write may wait at a time, and the
  /// stream must not be moved meanwhile. Once the client is gone, all fail.
  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return start<&AsioLink::read, &AsioLink::readable>(buffers, std::forward<Token>(token));
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return start<&AsioLink::write, &AsioLink::writable>(buffers, std::forward<Token>(token));
  }

  /// Sends all of `text` without waiting, from whichever coroutine: see Connection::write, which
  /// has the bound. Not while an async_write is in the middle of its bytes.
  bool write(std::string_view text) { return link_->write_ahead(text); }
  /// Ends the client, once what was written is on its way.
  void close() {
    if (link_) link_->finish();
  }
  /// The client's address: "192.0.2.1:1234"; empty: a unix socket, or it is gone.
  [[nodiscard]] std::string peer() const { return link_->peer(); }

 private:
  using Attempt = std::optional<AsioLink::Outcome> (AsioLink::*)(std::span<const iovec>);

  /// Tries, and waits for the timer's cancellation as long as it must be tried again.
  template <auto Try, auto Timer, class Buffers>
  class Operation {
   public:
    Operation(std::shared_ptr<AsioLink> link, const Buffers& buffers)
        : link_(std::move(link)), buffers_(buffers) {}

    template <class Self>
    void operator()(Self& self, boost::system::error_code = {}) {
      const bool first = !std::exchange(begun_, true);
      if (!outcome_ && self.cancelled() != boost::asio::cancellation_type::none) {
        outcome_ = AsioLink::Outcome{boost::asio::error::operation_aborted};
      }
      if (!outcome_) outcome_ = attempt();
      AsioLink& link = *link_;
      if (!outcome_) return (link.*Timer).async_wait(std::move(self));
      // It is not completed within the call that began it.
      if (first) return boost::asio::post((link.*Timer).get_executor(), std::move(self));
      self.complete(outcome_->error, outcome_->size);
    }

   private:
    std::optional<AsioLink::Outcome> attempt() {
      std::array<iovec, 16> slices;  // NOLINT(*-member-init): filled as far as it is used
      std::size_t count = 0;
      const auto end = boost::asio::buffer_sequence_end(buffers_);
      for (auto at = boost::asio::buffer_sequence_begin(buffers_);
           at != end && count < slices.size(); ++at) {
        const boost::asio::const_buffer buffer(*at);
        if (buffer.size() > 0) slices[count++] = {const_cast<void*>(buffer.data()), buffer.size()};
      }
      if (count == 0) return AsioLink::Outcome{};
      return ((*link_).*Try)(std::span<const iovec>(slices).first(count));
    }

    std::shared_ptr<AsioLink> link_;
    Buffers buffers_;
    bool begun_ = false;
    std::optional<AsioLink::Outcome> outcome_;
  };

  template <auto Try, auto Timer, class Buffers, class Token>
  auto start(const Buffers& buffers, Token&& token) {
    return boost::asio::async_compose<Token, void(boost::system::error_code, std::size_t)>(
        Operation<Try, Timer, Buffers>(link_, buffers), token, (*link_).*Timer);
  }

  std::shared_ptr<AsioLink> link_;
};

}  // namespace mpb
