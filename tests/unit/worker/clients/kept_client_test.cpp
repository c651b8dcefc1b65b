// A worker, and a broker that delivers clients of which it keeps copies, as a hostile origin does.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/io/channel.hpp"
#include "common/io/descriptor_passing.hpp"
#include "common/io/endpoint.hpp"
#include "proto/channel/encode.hpp"
#include "proto/control/classifier.hpp"
#include "worker/worker.hpp"

namespace mpb {
namespace {

constexpr std::size_t kFileSize = 32UL * 1024 * 1024;  // above what a socket takes
constexpr int kPatienceMs = 40'000;

/// Lends each client that says a byte the whole file, as far as its socket takes it.
class Lender final : public Handler {
 public:
  struct Record {
    std::atomic<int> lent = 0;    // by reference
    std::atomic<int> copied = 0;  // since that was not to be
    std::atomic<int> broken = 0;  // neither
  };
  Lender(Record& record, int file) : record_(record), file_(file) {}

  Step on_bytes(Client& client, std::string_view bytes, std::string&) override {
    if (client.connection->send_file(file_, 0, kFileSize)) {
      ++record_.lent;
      return {Step::Next::kContinue, bytes.size()};
    }
    std::string copy = "copy";
    const iovec slice{copy.data(), copy.size()};
    if (!client.connection->send({&slice, 1})) {
      ++record_.broken;
      return {Step::Next::kClose, bytes.size()};
    }
    ++record_.copied;
    return {Step::Next::kContinue, bytes.size()};
  }

 private:
  Record& record_;
  int file_;
};

struct Lent {
  UniqueFd client;
  UniqueFd kept;  // a copy of what the worker has
};

class KeptClient : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::ftruncate(file_.get(), kFileSize), 0);
    auto pair = make_channel_pair();
    ASSERT_TRUE(pair);
    broker_ = std::move(pair->first);
    registry_.add_protocol("lend", "lend",
                           [](auto&, auto&) { return std::make_unique<PingClassifier>(); });
    registry_.add_handler("lend", "lend", [this](auto&, auto&) {
      return std::make_unique<Lender>(record_, file_.get());
    });
    ASSERT_TRUE(worker_.join_broker(std::move(pair->second)));
    send(channel::Configure{});
    send(channel::Listen{0, 0, 0, "lent", "lend", "lend"});
    send(channel::Start{});
    thread_ = std::thread([this] { loop_.run(); });
    await<channel::Ready>();
  }
  void TearDown() override {
    send(channel::Drain{0});
    thread_.join();
  }

  template <class Message>
  void send(const Message& message, int descriptor = -1) {
    std::string bytes;
    channel::encode(bytes, message);
    const std::span<const int> fds(&descriptor, descriptor >= 0 ? 1 : 0);
    ASSERT_EQ(send_passing(broker_.get(), bytes, fds), static_cast<ssize_t>(bytes.size()));
  }
  /// Skips others.
  template <class Message>
  void await() {
    while (true) {
      pollfd readable{broker_.get(), POLLIN, 0};
      ASSERT_EQ(::poll(&readable, 1, kPatienceMs), 1) << "the worker says nothing";
      std::string bytes(channel::kMaxDatagram, '\0');
      const ssize_t size = ::recv(broker_.get(), bytes.data(), bytes.size(), 0);
      ASSERT_GT(size, 0) << "the worker has ended";
      const auto message = channel::decode({bytes.data(), static_cast<std::size_t>(size)});
      ASSERT_TRUE(message);
      if (std::holds_alternative<Message>(*message)) return;
    }
  }
  /// The worker's loop turns.
  void expect_alive() {
    send(channel::Ping{++nonce_});
    await<channel::Pong>();
  }

  Lent deliver(bool blocking = false) {
    const UniqueFd listener = *listen_on(parse_endpoint("127.0.0.1:0").value(), 1);
    const Endpoint address = local_endpoint(listener.get()).value();
    Lent lent;
    lent.client.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(lent.client.get(), address.data(), address.length), 0);
    lent.kept.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (blocking) make_blocking(lent);
    channel::Deliver delivery;
    delivery.delivery = ++deliveries_;
    delivery.handoff = deliveries_;
    delivery.origin = 1;
    send(delivery, lent.kept.get());
    await<channel::Ack>();
    return lent;
  }
  static void make_blocking(const Lent& lent) {
    ASSERT_EQ(::fcntl(lent.kept.get(), F_SETFL, 0), 0);
  }
  static void say(const Lent& lent) {
    ASSERT_EQ(::send(lent.client.get(), "x", 1, MSG_NOSIGNAL), 1);
  }
  static bool eventually(const std::function<bool()>& holds) {
    for (int i = 0; i < kPatienceMs / 10 && !holds(); ++i) ::poll(nullptr, 0, 10);
    return holds();
  }
  /// Reads to the end.
  static bool sees_end(const Lent& lent) {
    std::vector<char> buffer(1 << 16);
    while (true) {
      pollfd readable{lent.client.get(), POLLIN, 0};
      if (::poll(&readable, 1, kPatienceMs) != 1) return false;
      if (::recv(lent.client.get(), buffer.data(), buffer.size(), 0) <= 0) return true;
    }
  }
  UniqueFd file_{::memfd_create("lent", MFD_CLOEXEC)};
  Lender::Record record_;
  Registry registry_;
  EventLoop loop_;
  Worker worker_{loop_, registry_};
  UniqueFd broker_;
  std::thread thread_;
  std::uint64_t nonce_ = 0;
  std::uint64_t deliveries_ = 0;
};

TEST_F(KeptClient, ThatCameInBlockingModeIsServedAsOthers) {
  const Lent lent = deliver(true);
  say(lent);
  EXPECT_TRUE(eventually([&] { return record_.lent == 1; }));
  EXPECT_TRUE(::fcntl(lent.kept.get(), F_GETFL) & O_NONBLOCK);
  expect_alive();
}

TEST_F(KeptClient, ThatIsMadeBlockingIsClosedAndTheNextOnesHoldNobodyUp) {
  const Lent first = deliver();
  say(first);
  EXPECT_TRUE(eventually([&] { return record_.lent == 1; }));
  make_blocking(first);
  say(first);
  EXPECT_TRUE(eventually([&] { return record_.broken == 1; })) << "it waits for a reader";
  EXPECT_TRUE(sees_end(first));
  EXPECT_EQ(record_.lent, 1);
  for (int i = 1; i <= 20; ++i) {
    const Lent next = deliver();
    make_blocking(next);
    say(next);
    EXPECT_TRUE(eventually([&] { return record_.copied == i; })) << i;
  }
  expect_alive();
  EXPECT_EQ(record_.lent, 1) << "nothing is lent to whoever others may have";
}

TEST_F(KeptClient, WhoseErrorQueueIsFilledDoesNotMakeTheWorkerSpin) {
  const Lent lent = deliver();
  const int stamps =
      SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_SOFTWARE;
  ASSERT_EQ(::setsockopt(lent.kept.get(), SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof stamps), 0);
  ASSERT_EQ(::send(lent.kept.get(), "x", 1, 0), 1);
  const auto has_error = [&] {
    pollfd poll{lent.kept.get(), 0, 0};
    return ::poll(&poll, 1, 0) == 1 && (poll.revents & POLLERR) != 0;
  };
  EXPECT_TRUE(eventually([&] { return !has_error(); }));
  expect_alive();
}

}  // namespace
}  // namespace mpb
