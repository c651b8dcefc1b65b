// SIGHUP and `mpctl reload`.
#include <gtest/gtest.h>

#include <csignal>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"

namespace mpb::test {
namespace {

constexpr std::string_view kBase =
    "workers = 2\nmax-clients = 2\nping-interval = 200ms\n"
    "[listener main]\nlisten = 127.0.0.1:PORT\n";

class Reload : public testing::Test {
 protected:
  static BrokerSetup setup() {
    BrokerSetup with_file;
    with_file.config = kBase;
    return with_file;
  }
  /// The event that tells how it went.
  boost::json::object reload(const std::string& config) {
    EventStream events(broker.control_path());
    broker.write_config(config);
    broker.signal(SIGHUP);
    return events.await("reload");
  }

  BrokerProcess broker{setup()};
};

TEST_F(Reload, AListenerIsAddedAndTakenAwayAndItsClientsStay) {
  const std::uint16_t second = free_port();
  ASSERT_TRUE(is_refused(second));
  EventStream events(broker.control_path());
  const auto added = reload(std::string(kBase) + "[listener second]\nlisten = 127.0.0.1:" +
                            std::to_string(second) + "\n");
  ASSERT_TRUE(added.at("ok").as_bool());
  const auto listening = events.await("listening", -1);
  ASSERT_FALSE(listening.empty());
  EXPECT_EQ(listening.at("listener").as_string(), "second");
  Client old(broker.port());
  EXPECT_EQ(old.claim(1), kHello);
  Client client(second);
  ASSERT_EQ(client.claim(2), kHello);
  ASSERT_TRUE(reload(std::string(kBase)).at("ok").as_bool());
  EXPECT_TRUE(eventually([&] { return is_refused(second); }));
  EXPECT_EQ(client.message(), kHello);
  EXPECT_EQ(client.claim(3), kHello) << "it can still move";
  EXPECT_EQ(old.message(), kHello);
}

TEST_F(Reload, AListenerThatMovesIsToldOf) {
  const std::uint16_t elsewhere = free_port();
  EventStream events(broker.control_path());
  std::string config(kBase);
  config.replace(config.find("PORT"), 4, std::to_string(elsewhere));
  ASSERT_TRUE(reload(config).at("ok").as_bool());
  const auto listening = events.await("listening", -1);
  ASSERT_FALSE(listening.empty());
  EXPECT_EQ(listening.at("listener").as_string(), "main");
  EXPECT_EQ(listening.at("address").as_string(), "127.0.0.1:" + std::to_string(elsewhere));
  Client client(elsewhere);
  EXPECT_EQ(client.claim(1), kHello);
}

TEST_F(Reload, LimitsOfTheWorkersChange) {
  std::vector<std::unique_ptr<Client>> clients;
  const auto claim_next = [&] {
    clients.push_back(std::make_unique<Client>(broker.port()));
    return clients.back()->claim(static_cast<std::int32_t>(clients.size()));
  };
  for (int i = 0; i < 4; ++i) ASSERT_EQ(claim_next(), kHello);
  ASSERT_EQ(claim_next(), kBusy);
  std::string config(kBase);
  config.replace(config.find("max-clients = 2"), 15, "max-clients = 3");
  ASSERT_TRUE(reload(config).at("ok").as_bool());
  EXPECT_EQ(claim_next(), kHello);
  EXPECT_EQ(claim_next(), kHello);
  EXPECT_EQ(claim_next(), kBusy);
}

TEST_F(Reload, MoreWorkersAreStarted) {
  std::string config(kBase);
  config.replace(config.find("workers = 2"), 11, "workers = 4");
  ASSERT_TRUE(reload(config).at("ok").as_bool());
  EXPECT_TRUE(broker.await_workers(4));
}

TEST_F(Reload, FewerBaseWorkersMakeTheRestExtra) {
  std::string config(kBase);
  config.replace(config.find("workers = 2"), 11, "workers = 1\nlinger = 100ms\nmax-workers = 2");
  ASSERT_TRUE(reload(config).at("ok").as_bool());
  EXPECT_TRUE(eventually([&] { return broker.status().workers.size() == 1; }));
  Client client(broker.port());
  EXPECT_EQ(client.claim(1), kHello);
}

TEST_F(Reload, PinsChange) {
  Client before(broker.port());
  const int owner = before.join(7).worker;
  ASSERT_TRUE(reload(std::string(kBase) + "route = 7=" + std::to_string(1 - owner) + "\n")
                  .at("ok")
                  .as_bool());
  Client after(broker.port());
  EXPECT_EQ(after.join(7).worker, 1 - owner);
  EXPECT_EQ(before.message(), kHello);
}

TEST_F(Reload, AnInvalidFileChangesNothingAndSaysSo) {
  Client client(broker.port());
  ASSERT_EQ(client.claim(1), kHello);
  const auto workers = broker.processes();
  const struct {
    const char* text;
    const char* told;  // what is wrong
  } kFiles[] = {
      {"workers = many\n[listener main]\nlisten = 127.0.0.1:PORT\n", "workers = many"},
      {"wrokers = 3\n[listener main]\nlisten = 127.0.0.1:PORT\n", "wrokers"},
      {"workers = 4\n", "no listener"},
      {"workers = 4\n[listener main]\nlisten = 127.0.0.1:PORT\nprotocol = telepathy\n",
       "telepathy"},
      {"workers = 4\n[listener main]\nlisten = 192.0.2.1:1\n", "192.0.2.1:1"},
      {"workers = 0\n[listener main]\nlisten = 127.0.0.1:PORT\n", "workers = 0"},
      {"[listener main\n", "mpbroker.ini:1"},
  };
  for (const auto& file : kFiles) {
    const auto event = reload(file.text);
    ASSERT_FALSE(event.empty()) << file.text;
    EXPECT_FALSE(event.at("ok").as_bool()) << file.text;
    const std::string why(event.at("why").as_string());
    EXPECT_NE(why.find(file.told), std::string::npos) << why;
    EXPECT_NE(broker.log().find(file.told), std::string::npos);
  }
  EXPECT_EQ(broker.processes(), workers);
  EXPECT_EQ(client.message(), kHello);
  Client next(broker.port());
  EXPECT_EQ(next.claim(2), kHello);
}

TEST_F(Reload, TheSameFileDisturbsNobody) {
  Crowd crowd(broker.port(), 4);
  ASSERT_EQ(crowd.join([](std::size_t i) { return i; }), 4U) << crowd.failures();
  const auto counts = broker.fd_counts();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(reload(std::string(kBase)).at("ok").as_bool());
  EXPECT_EQ(crowd.message(), 4U) << crowd.failures();
  EXPECT_TRUE(broker.await_fd_counts(counts));
}

}  // namespace
}  // namespace mpb::test
