// Vhosts: what workers are told of them, and when.
#include <gtest/gtest.h>

#include <csignal>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

constexpr std::string_view kBase = "workers = 2\n[listener main]\nlisten = 127.0.0.1:PORT\n";

/// How many lines tell that a worker was told of so many vhosts.
std::size_t told(const BrokerProcess& broker, std::size_t vhosts) {
  const std::string log = broker.log();
  const std::string line = "event=vhosts count=" + std::to_string(vhosts) + "\n";
  std::size_t times = 0;
  for (auto at = log.find(line); at != std::string::npos; at = log.find(line, at + 1)) ++times;
  return times;
}

class Vhosts : public testing::Test {
 protected:
  static BrokerSetup with(const std::string& vhosts) {
    BrokerSetup setup;
    setup.config = std::string(kBase) + vhosts;
    return setup;
  }
  static boost::json::object reload(const BrokerProcess& broker, const std::string& vhosts) {
    broker.write_config(std::string(kBase) + vhosts);
    return broker.request({{"command", "reload"}});
  }
  static Outcome mpctl(const BrokerProcess& broker, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--control-socket", broker.control_path()});
    return run("mpctl", arguments);
  }
};

TEST_F(Vhosts, EachWorkerIsToldAtItsStartAndWhenAReloadChangesThem) {
  BrokerProcess broker{with("[vhost a.test]\n[vhost *.b.test]\nlatency = merge:350ms\n")};
  EXPECT_EQ(told(broker, 2), 2U) << broker.log();
  Client client(broker.port());
  ASSERT_EQ(client.claim(1), kHello);
  ASSERT_TRUE(reload(broker, "[vhost a.test]\n").at("ok").as_bool());
  EXPECT_TRUE(eventually([&] { return told(broker, 1) == 2; })) << broker.log();
  ASSERT_TRUE(reload(broker, "").at("ok").as_bool());
  EXPECT_TRUE(eventually([&] { return told(broker, 0) == 2; })) << broker.log();
  EXPECT_EQ(client.message(), kHello);
}

TEST_F(Vhosts, AWorkerThatIsStartedAgainIsTold) {
  BrokerProcess broker{with("[vhost a.test]\n")};
  ASSERT_EQ(told(broker, 1), 2U) << broker.log();
  ::kill(broker.worker_pid(1), SIGKILL);
  EXPECT_TRUE(eventually([&] { return told(broker, 1) == 3; })) << broker.log();
}

TEST_F(Vhosts, AReloadWithAnErrorInASectionChangesNothing) {
  BrokerProcess broker{with("[vhost a.test]\n")};
  Client client(broker.port());
  ASSERT_EQ(client.claim(1), kHello);
  const auto workers = broker.processes();
  for (const char* wrong :
       {"[vhost a.test]\nlatency = slow\n", "[vhost a.test]\n[vhost A.test.]\n",
        "[vhost b.test]\n[vhost a b]\n", "[vhost b.test]\non-play = https://127.0.0.1/x\n"}) {
    const auto answer = reload(broker, wrong);
    EXPECT_FALSE(answer.at("ok").as_bool()) << wrong;
    const std::string error(answer.at("error").as_string());
    EXPECT_NE(error.find("mpbroker.ini:5: [vhost "), std::string::npos) << error;
  }
  EXPECT_EQ(broker.processes(), workers);
  EXPECT_EQ(client.message(), kHello);
  ASSERT_TRUE(reload(broker, "[vhost a.test]\n[vhost b.test]\n").at("ok").as_bool());
  EXPECT_TRUE(eventually([&] { return told(broker, 2) == 2; })) << broker.log();
  EXPECT_EQ(told(broker, 1), 2U) << "nothing was told in between";
}

TEST_F(Vhosts, MpctlChangesOneUntilTheNextReload) {
  BrokerProcess broker{with("[vhost a.test]\n")};
  EventStream events(broker.control_path());
  Outcome outcome = mpctl(broker, {"vhost", "B.test", "latency=merge:350ms", "play-key=secret"});
  EXPECT_EQ(outcome.exit, "exit 0") << outcome.err;
  const auto event = events.await("vhost");
  ASSERT_FALSE(event.empty());
  EXPECT_EQ(event.at("vhost").as_string(), "B.test");
  EXPECT_TRUE(eventually([&] { return told(broker, 2) == 2; })) << broker.log();
  outcome = mpctl(broker, {"vhost", "a.test", "latency=slow"});
  EXPECT_EQ(outcome.exit, "exit 1");
  EXPECT_NE(outcome.err.find("vhost a.test: latency = slow: expected realtime, or merge:TIME"),
            std::string::npos)
      << outcome.err;
  outcome = mpctl(broker, {"vhost", "--remove", "c.test"});
  EXPECT_NE(outcome.err.find("there is no vhost 'c.test'"), std::string::npos) << outcome.err;
  outcome = mpctl(broker, {"vhost", "--remove", "a.test"});
  EXPECT_EQ(outcome.exit, "exit 0") << outcome.err;
  outcome = mpctl(broker, {"vhost", "--remove", "b.test"});
  EXPECT_EQ(outcome.exit, "exit 0") << outcome.err;
  EXPECT_TRUE(eventually([&] { return told(broker, 0) == 2; })) << broker.log();
  ASSERT_TRUE(
      reload(broker, "[vhost a.test]\n[vhost d.test]\n[vhost e.test]\n").at("ok").as_bool());
  EXPECT_TRUE(eventually([&] { return told(broker, 3) == 2; })) << broker.log();
  EXPECT_EQ(broker.log().find("secret"), std::string::npos);
}

TEST_F(Vhosts, TenThousandComeAndGoAndClientsStay) {
  std::string many;
  for (int i = 0; i < 10'000; ++i) {
    many += "[vhost v" + std::to_string(i) + ".example.com]\nlatency = merge:350ms\n" +
            "play-allow = 10.0.0.0/8\non-publish = http://127.0.0.1:8085/api/v1/streams\n";
  }
  BrokerProcess broker{with(many)};
  EXPECT_EQ(told(broker, 10'000), 2U);
  Crowd crowd(broker.port(), 4);
  ASSERT_EQ(crowd.join([](std::size_t i) { return i; }), 4U) << crowd.failures();
  const auto workers = broker.processes();
  ASSERT_TRUE(reload(broker, "[vhost a.test]\n").at("ok").as_bool());
  EXPECT_TRUE(eventually([&] { return told(broker, 1) == 2; })) << broker.log();
  ASSERT_TRUE(reload(broker, many + "[vhost a.test]\n").at("ok").as_bool());
  EXPECT_TRUE(eventually([&] { return told(broker, 10'001) == 2; })) << broker.log();
  EXPECT_EQ(crowd.message(), 4U) << crowd.failures();
  EXPECT_EQ(broker.processes(), workers);
}

TEST_F(Vhosts, ASingleProcessReadsThemAgainOnSighup) {
  BrokerSetup setup;
  setup.arguments = {"--workers", "0"};
  setup.config = "[listener main]\nlisten = 127.0.0.1:PORT\n[vhost a.test]\n";
  BrokerProcess process{setup};
  EXPECT_EQ(told(process, 1), 1U) << process.log();
  process.write_config(setup.config + "[vhost b.test]\n");
  process.signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return told(process, 2) == 1; })) << process.log();
  process.write_config(setup.config + "[vhost b b]\n");
  process.signal(SIGHUP);
  EXPECT_TRUE(eventually([&] {
    return process.log().find("[vhost b b]: expected a host name") != std::string::npos;
  })) << process.log();
  EXPECT_EQ(told(process, 1), 1U);
}

}  // namespace
}  // namespace mpb::test
