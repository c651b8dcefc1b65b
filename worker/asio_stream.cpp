#include "mpbroker/asio_stream.hpp"

#include <algorithm>
#include <cstring>

#include "common/io/endpoint.hpp"

namespace mpb {
namespace {

constexpr std::size_t kMaxUnread = 64UL * 1024;  // then the client is read from no more
constexpr std::size_t kSpare = 4096;             // is kept when nothing is unread

}  // namespace

AsioLink::AsioLink(boost::asio::io_context& context, Connection& connection)
    : readable(context, boost::asio::steady_timer::time_point::max()),
      writable(context, boost::asio::steady_timer::time_point::max()),
      connection_(&connection) {}

std::optional<AsioLink::Outcome> AsioLink::read(std::span<const iovec> into) {
  std::size_t size = 0;
  for (const iovec& slice : into) {
    const std::size_t part = std::min(slice.iov_len, unread_.size() - begin_);
    std::memcpy(slice.iov_base, unread_.data() + begin_, part);
    begin_ += part;
    size += part;
  }
  if (size == 0) {
    if (ended_) return Outcome{boost::asio::error::eof};
    if (connection_ == nullptr) return Outcome{boost::asio::error::bad_descriptor};
    return std::nullopt;
  }
  if (begin_ == unread_.size()) {
    unread_.clear();
    begin_ = 0;
    if (unread_.capacity() > kSpare) unread_ = std::string();
  }
  if (connection_ != nullptr) connection_->note_memory(unread_.capacity());
  if (unread_.empty() && std::exchange(full_, false) && connection_ != nullptr) {
    connection_->proceed();
  }
  return Outcome{{}, size};
}

std::optional<AsioLink::Outcome> AsioLink::write(std::span<const iovec> from) {
  if (connection_ == nullptr) return Outcome{boost::asio::error::broken_pipe};
  const auto taken = connection_->send(from);
  if (!taken) return Outcome{boost::asio::error::broken_pipe};
  if (*taken == 0) return std::nullopt;
  return Outcome{{}, *taken};
}

bool AsioLink::write_ahead(std::string_view text) {
  return connection_ != nullptr && connection_->write(text);
}

void AsioLink::finish() {
  if (Connection* const connection = std::exchange(connection_, nullptr)) connection->finish();
  readable.cancel();
  writable.cancel();
}

std::string AsioLink::peer() const {
  return connection_ == nullptr ? std::string() : peer_text(connection_->descriptor());
}

Step AsioLink::take(std::string_view bytes) {
  unread_.erase(0, std::exchange(begin_, 0));
  unread_ += bytes;
  full_ = unread_.size() >= kMaxUnread;
  if (connection_ != nullptr) connection_->note_memory(unread_.capacity());
  readable.cancel();
  return {full_ ? Step::Next::kWait : Step::Next::kContinue, bytes.size()};
}

void AsioLink::on_end() {
  ended_ = true;
  readable.cancel();
}

void AsioLink::on_close() {
  connection_ = nullptr;
  ended_ = true;
  readable.cancel();
  writable.cancel();
  // Not from within, and Asio 1.81 wants the signal to live until it has arrived (co_spawn).
  boost::asio::post(readable.get_executor(), [self = shared_from_this()] {
    self->gone_.emit(boost::asio::cancellation_type::terminal);
  });
}

}  // namespace mpb
