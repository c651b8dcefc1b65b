// Clients that stall, idle or do not read.
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

constexpr Duration kLimit{600};
const std::string kLimitText = "600ms";

/// Runs with several workers and as a single process.
class ClientTimes : public testing::TestWithParam<const char*> {
 protected:
  std::vector<std::string> with(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--workers", GetParam()});
    return arguments;
  }
  static void expect_end(Client& client, const Stopwatch& watch) {
    const std::string end = client.read_text();
    EXPECT_TRUE(end == kEof || end == kReset) << end;
    EXPECT_GE(watch.elapsed(), kLimit * 9 / 10 / slow_factor());
  }
};

std::string mode(const testing::TestParamInfo<const char*>& info) {
  return info.index == 0 ? "SingleProcess" : "Workers";
}

INSTANTIATE_TEST_SUITE_P(, ClientTimes, testing::Values("0", "2"), mode);

TEST_P(ClientTimes, AHeaderThatDoesNotComeInTimeEndsTheClient) {
  const BrokerProcess broker(with({"--header-timeout", kLimitText}));
  const Stopwatch watch;
  Client client(broker.port());
  client.send("C");
  expect_end(client, watch);
}

TEST_P(ClientTimes, TricklingAHeaderDoesNotProlongItsTime) {
  const BrokerProcess broker(with({"--header-timeout", kLimitText}));
  Client client(broker.port());
  const Stopwatch watch;
  client.send("M");
  EXPECT_FALSE(throughout(scaled(kPatience), [&] {
    client.send("x");
    return client.is_quiet();
  }));
  expect_end(client, watch);
}

TEST_P(ClientTimes, ASilentClientIsNotUnderTheHeaderLimit) {
  const BrokerProcess broker(with({"--header-timeout", "200ms"}));
  Client silent(broker.port());
  Client routed(broker.port());
  ASSERT_EQ(routed.claim(1), kHello);
  EXPECT_TRUE(throughout(1s, [&] { return silent.is_quiet() && routed.is_quiet(); }));
  EXPECT_EQ(silent.claim(2), kHello);
}

TEST_P(ClientTimes, IdleClientsTimeOut) {
  const BrokerProcess broker(with({"--idle-timeout", kLimitText}));
  const Stopwatch watch;
  Client silent(broker.port());
  Client routed(broker.port());
  Client busy(broker.port());
  ASSERT_EQ(routed.claim(1), kHello);
  // As far as this test itself talks in time.
  Duration longest_silence{0};
  Stopwatch silence;
  const auto talks = [&] {
    longest_silence = std::max(longest_silence, silence.elapsed() * slow_factor());
    silence = Stopwatch();
    return busy.message() == kHello;
  };
  const bool stays = throughout(2 * kLimit, talks) && talks();
  EXPECT_TRUE(stays || longest_silence > kLimit / 2) << "a client that talks is not idle";
  expect_end(silent, watch);
  expect_end(routed, watch);
}

TEST_P(ClientTimes, WithoutALimitIdleClientsStay) {
  const BrokerProcess broker(with({}));
  Client silent(broker.port());
  Client routed(broker.port());
  ASSERT_EQ(routed.claim(1), kHello);
  EXPECT_TRUE(throughout(1s, [&] { return silent.is_quiet() && routed.is_quiet(); }));
}

TEST_P(ClientTimes, ASlowReaderIsClosedAndDelaysNobody) {
  const BrokerProcess broker(with({"--send-timeout", "1s"}));
  Client slow(broker.port());
  ASSERT_EQ(slow.claim(1), kHello);
  Client other(broker.port());
  ASSERT_EQ(other.claim(1), kHello);
  // It asks, and never reads: at last neither side can send any more, and it is closed.
  std::string questions;
  for (int i = 0; i < 2000; ++i) questions += message_bytes("q");
  // Its answers pile up until its socket takes no more; the other one is answered all the while.
  int answers_while_stuck = 0;
  int unread = 0;
  const bool ended = eventually([&] {
    const int before = unread;
    EXPECT_EQ(other.message(), kHello);
    ::ioctl(slow.fd(), FIONREAD, &unread);
    if (unread > 0 && unread == before) ++answers_while_stuck;
    const auto sent =
        ::send(slow.fd(), questions.data(), questions.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 && errno != EAGAIN;
  });
  EXPECT_TRUE(ended) << "it was not closed";
  EXPECT_GE(answers_while_stuck, 3);
  if (GetParam() == std::string("0")) return;  // nobody to ask
  EXPECT_EQ(broker.status().sum([](const WorkerStatus& w) { return w.closed.slow; }), 1);
}

TEST(ClientCounters, EachEndIsCountedByItsReason) {
  const BrokerProcess broker({"--workers", "2", "--header-timeout", "300ms", "--idle-timeout",
                              "600ms", "--acceptors", "1"});
  Client header(broker.port());
  header.send("C");
  Client idle(broker.port());
  Client wrong(broker.port());
  wrong.send("?");
  for (Client* client : {&header, &idle, &wrong}) {
    while (client->read_text().find('<') == std::string::npos) continue;
  }
  EXPECT_TRUE(eventually([&] {
    const WorkerStatus worker = broker.worker(0);
    return worker.rejected.header == 1 && worker.rejected.input == 1 && worker.closed.idle == 1 &&
           worker.accepted == 3 && worker.held == 0;
  }));
}

TEST(ClientCounters, AManyAnswersClientCostsBoundedMemory) {
  if (slow_factor() > 1) GTEST_SKIP() << "a sanitizer keeps freed memory";
  const BrokerProcess broker({"--workers", "1", "--send-timeout", "60s"});
  Client warm(broker.port());
  ASSERT_EQ(warm.claim(1), kHello);
  const auto before = broker.worker(0).rss_bytes;
  Crowd crowd(broker.port(), 8);
  std::string questions;
  for (int i = 0; i < 4000; ++i) questions += message_bytes("q");
  for (int round = 0; round < 200; ++round) {
    for (Client& client : crowd.clients()) {
      (void)!::send(client.fd(), questions.data(), questions.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    ASSERT_EQ(warm.message(), kHello);
  }
  // What a client may have waiting is bounded, and so is what it may have unread.
  EXPECT_LE(broker.worker(0).rss_bytes - before, 16 * 1024 * 1024);
}

TEST_P(ClientTimes, ManyThatAskForMuchAtOnceHoldUpNobody) {
  const BrokerProcess broker(with({}));
  Crowd crowd(broker.port(), 200);
  for (Client& client : crowd.clients()) {
    const std::string questions(60'000, 'W');
    (void)!::send(client.fd(), questions.data(), questions.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  Client other(broker.port());
  EXPECT_EQ(other.claim(1), kHello);
}

TEST(Descriptors, AWorkerWithoutDescriptorsPausesInsteadOfSpinning) {
  const BrokerProcess broker({"--workers", "1"});
  Client before(broker.port());
  ASSERT_EQ(before.claim(1), kHello);
  const pid_t worker = broker.worker_pid(0);
  forbid_descriptors(worker);
  Crowd crowd(broker.port(), 20);
  for (Client& client : crowd.clients()) client.send(claim_bytes(2));
  EXPECT_TRUE(throughout(1s, [&] { return before.message() == kHello; }));
  const std::string log = broker.log();
  int pauses = 0;
  for (auto at = log.find("accept.paused"); at != std::string::npos;
       at = log.find("accept.paused", at + 1)) {
    ++pauses;
  }
  EXPECT_GE(pauses, 1);
  EXPECT_LE(pauses, 40) << "it does not try again all the time";
  const std::int64_t counted = broker.worker(0).accept_pauses;
  EXPECT_GE(counted, pauses);
  EXPECT_LE(counted, 100 * pauses) << "the log has the first and every 100th";
  allow_descriptors(worker);
  for (Client& client : crowd.clients()) EXPECT_EQ(client.read_text(), kHello);
}

}  // namespace
}  // namespace mpb::test
