// Processes near their limit of open files: what they have left is for clients that are handed
// over.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

BrokerSetup with_descriptors(rlim_t limit, std::vector<std::string> arguments) {
  BrokerSetup setup;
  setup.arguments = std::move(arguments);
  setup.descriptors = limit;
  return setup;
}

/// Of a process whose limit is 64.
bool keeps_reserve(pid_t pid) {
  for (int number = 48; number < 64; ++number) {
    const std::string path = "/proc/" + std::to_string(pid) + "/fd/" + std::to_string(number);
    if (std::filesystem::is_symlink(path)) return false;
  }
  return true;
}

/// Ids that no worker owns yet: many of them are handed over.
void expect_dispatch(const BrokerProcess& broker, int first_id) {
  Crowd crowd(broker.port(), 20);
  const auto id = [first_id](std::size_t i) { return first_id + static_cast<int>(i); };
  EXPECT_EQ(crowd.join(id), 20U) << crowd.failures();
}

TEST(DescriptorsOfTheBroker, AreKeptForClientsOnTheirWay) {
  BrokerProcess broker(with_descriptors(64, {"--workers", "2"}));
  broker.forget_rest();
  const auto answer = broker.request({{"command", "workers"}, {"count", 60}});
  EXPECT_TRUE(answer.at("ok").as_bool());
  ASSERT_TRUE(answer.contains("warning"));
  const std::string warning(answer.at("warning").as_string());
  EXPECT_NE(warning.find("RLIMIT_NOFILE = 64"), std::string::npos) << warning;
  ASSERT_TRUE(eventually(
      [&] { return broker.log().find("no descriptors for another worker") != std::string::npos; }));
  expect_dispatch(broker, 0);

  std::vector<ControlLink> subscribers;
  bool refused = false;
  while (!refused && subscribers.size() < 64) {
    subscribers.emplace_back(broker.control_path());
    refused = !subscribers.back().ask("events").at("ok").as_bool();
  }
  EXPECT_TRUE(refused);
  EXPECT_TRUE(eventually([&] { return keeps_reserve(broker.pid()); }));
  expect_dispatch(broker, 1000);

  subscribers.clear();
  EXPECT_TRUE(eventually([&] {
    try {
      return broker.status().count("online") >= 10;
    } catch (const std::exception&) {
      return false;
    }
  })) << "the operator gets in again";
  EXPECT_TRUE(broker.request({{"command", "workers"}, {"count", 2}}).at("ok").as_bool());
}

TEST(DescriptorsOfTheBroker, TooFewForTheWorkersAreToldAtTheStart) {
  BrokerProcess broker(with_descriptors(64, {"--workers", "2", "--max-workers", "60"}));
  EXPECT_NE(broker.log().find("event=descriptors"), std::string::npos);
  const BrokerProcess enough({"--workers", "2", "--max-workers", "60"});
  EXPECT_EQ(enough.log().find("event=descriptors"), std::string::npos);
}

TEST(DescriptorsOfAWorker, AreNotAllTakenByClients) {
  const BrokerProcess broker(with_descriptors(160, {"--workers", "0"}));
  Crowd crowd(broker.port(), 150);
  const auto full = [&] { return descriptors_of(broker.pid()) >= 96; };
  EXPECT_TRUE(eventually(full));
  EXPECT_TRUE(throughout(300ms, [&] { return descriptors_of(broker.pid()) <= 96 + 2; }))
      << descriptors_of(broker.pid());
}

}  // namespace
}  // namespace mpb::test
