// A worker in the test's own thread, and the other end of its channel: the test is its broker.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "common/io/channel.hpp"
#include "common/io/descriptor_passing.hpp"
#include "common/io/endpoint.hpp"
#include "proto/channel/encode.hpp"
#include "worker/worker.hpp"

namespace mpb::test {

inline constexpr Duration kWorkerPatience{40'000};

class LoneWorker {
 public:
  /// It serves one listener, with this protocol and its handler.
  LoneWorker(const Registry& registry, std::string_view protocol)
      : worker_(loop_, registry),
        listener_(*listen_on(parse_endpoint("127.0.0.1:0").value(), 16)),
        address_(local_endpoint(listener_.get()).value()) {
    auto pair = make_channel_pair();
    EXPECT_TRUE(pair);
    broker_ = std::move(pair->first);
    EXPECT_TRUE(worker_.join_broker(std::move(pair->second)));
    channel::Configure configure;
    configure.window = 16;
    const std::vector<std::uint64_t> settings = values_of({.route_timeout = Duration{60'000}});
    configure.settings = settings;
    send(configure);
    send(channel::Listen{0, channel::Listen::kAccepts, 0, "main", protocol, ""}, listener_.get());
    send(channel::Start{});
    await<channel::Ready>();
  }

  /// Turns until `holds`.
  bool turns_until(const std::function<bool()>& holds) {
    const TimePoint end = Clock::now() + kWorkerPatience;
    while (Clock::now() < end) {
      if (holds()) return true;
      loop_.turn(Duration{20});
    }
    return false;
  }

  template <class Message>
  void send(const Message& message, int descriptor = -1) {
    std::string bytes;
    channel::encode(bytes, message);
    send_datagram(bytes, descriptor);
  }
  void send_datagram(std::string_view bytes, int descriptor = -1) {
    const std::span<const int> fds(&descriptor, descriptor >= 0 ? 1 : 0);
    EXPECT_EQ(send_passing(broker_.get(), bytes, fds), static_cast<ssize_t>(bytes.size()));
  }

  /// The next message of this kind; others are skipped. Its views last until the next call.
  template <class Message>
  Message await() {
    Message found;
    EXPECT_TRUE(turns_until([&] {
      datagram_.resize(channel::kMaxDatagram);
      const ssize_t size = ::recv(broker_.get(), datagram_.data(), datagram_.size(), MSG_DONTWAIT);
      if (size <= 0) return false;
      const auto message = channel::decode({datagram_.data(), static_cast<std::size_t>(size)});
      if (!message || !std::holds_alternative<Message>(*message)) return false;
      found = std::get<Message>(*message);
      return true;
    }));
    return found;
  }

  /// A client that connects to the worker's listener.
  [[nodiscard]] UniqueFd connect() const {
    UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(client.get(), address_.data(), address_.length), 0);
    return client;
  }

  /// A client that another worker has accepted and is delivered here. `epoch` 0: its key is not
  /// this worker's.
  UniqueFd deliver(std::string_view key, std::string_view unconsumed = {},
                   std::uint32_t epoch = 0) {
    const UniqueFd listener = *listen_on(parse_endpoint("127.0.0.1:0").value(), 1);
    const Endpoint address = local_endpoint(listener.get()).value();
    UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(client.get(), address.data(), address.length), 0);
    const UniqueFd accepted(
        ::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    channel::Deliver delivery;
    delivery.delivery = delivery.handoff = ++deliveries_;
    delivery.origin = 1;
    delivery.epoch = epoch;
    delivery.client.key = key;
    delivery.client.unconsumed = unconsumed;
    send(delivery, accepted.get());
    await<channel::Ack>();
    return client;
  }

  static void say(const UniqueFd& client, std::string_view what) {
    EXPECT_EQ(::send(client.get(), what.data(), what.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(what.size()));
  }

  /// Turns until the client has heard so many bytes, or the end: what it has heard.
  std::string hear(const UniqueFd& client, std::size_t size) {
    std::string heard;
    bool ended = false;
    turns_until([&] {
      std::string bytes(size - heard.size(), '\0');
      const ssize_t count = ::recv(client.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
      ended = count == 0 || (count < 0 && errno != EAGAIN);
      if (count > 0) heard.append(bytes, 0, static_cast<std::size_t>(count));
      return ended || heard.size() >= size;
    });
    return heard;
  }
  /// Turns until the client sees its end, whatever it was told before.
  bool sees_end(const UniqueFd& client) {
    return turns_until([&] {
      std::string bytes(4096, '\0');
      const ssize_t count = ::recv(client.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
      return count == 0 || (count < 0 && errno != EAGAIN);
    });
  }

  EventLoop& loop() { return loop_; }

 private:
  EventLoop loop_;
  Worker worker_;
  UniqueFd listener_;
  Endpoint address_;
  UniqueFd broker_;
  std::string datagram_;
  std::uint64_t deliveries_ = 0;
};

}  // namespace mpb::test
