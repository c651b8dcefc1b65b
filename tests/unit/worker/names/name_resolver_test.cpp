// Names looked up beside the loop: by the system, and by look-ups that behave as a test needs.
#include "worker/names/name_resolver.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <string>
#include <vector>

#include "tests/support/descriptors.hpp"

namespace mpb {
namespace {

constexpr Duration kPatience{20'000};  // far beyond what anything here takes

class NameResolverTest : public ::testing::Test {
 protected:
  template <class Condition>
  bool turn_until(Condition condition) {
    const TimePoint limit = Clock::now() + kPatience;
    while (!condition() && Clock::now() < limit) loop.turn(Duration{100});
    return condition();
  }
  /// What it gives, now or later.
  std::vector<std::string> addresses_of(const std::string& name, Duration limit = kPatience) {
    std::optional<NameResolver::Found> found = names().find(name, 1935);
    if (!found) {
      names().wait(name, 1935, limit, [&](const NameResolver::Found& got) { found = got; });
      EXPECT_TRUE(turn_until([&] { return found.has_value(); }));
    }
    if (!*found) return {"error: " + found->error().text};
    std::vector<std::string> texts;
    for (const Endpoint& endpoint : **found) texts.push_back(endpoint.to_string());
    return texts;
  }
  NameResolver& names() { return environment->shared<NameResolver>(); }

  EventLoop loop;
  std::unique_ptr<WorkerEnvironment> environment = std::make_unique<WorkerEnvironment>(loop);
};

TEST_F(NameResolverTest, TheSystemsNamesAreFound) {
  const auto found = addresses_of("localhost");
  ASSERT_FALSE(found.empty());
  for (const std::string& text : found) {
    EXPECT_TRUE(text == "127.0.0.1:1935" || text == "[::1]:1935") << text;
  }
  EXPECT_TRUE(names().find("localhost", 1935)) << "known by now";
}

TEST_F(NameResolverTest, ANameThatIsNoneFailsAndSaysSo) {
  const auto found = addresses_of("name.invalid");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found[0].starts_with("error: cannot look up name.invalid: ")) << found[0];
}

TEST_F(NameResolverTest, ALookUpThatHangsHoldsUpNeitherTheLoopNorOthersNorTheEnd) {
  std::promise<void> open;
  const auto opened = open.get_future().share();
  names().look_up_by([opened](const std::string& name) -> NameResolver::Looked {
    if (name == "slow.test") opened.wait();
    return {{parse_endpoint("192.0.2.1:0").value()}, {}};
  });
  bool told = false;
  ASSERT_FALSE(names().find("slow.test", 1));
  names().wait("slow.test", 1, Duration{50}, [&](const NameResolver::Found& found) {
    EXPECT_FALSE(found);
    told = true;
  });
  EXPECT_EQ(addresses_of("quick.test"), std::vector<std::string>{"192.0.2.1:1935"});
  ASSERT_TRUE(turn_until([&] { return told; }));
  names().wait("slow.test", 1, kPatience, [](const NameResolver::Found&) { FAIL(); });
  environment.reset();
  open.set_value();
  loop.turn(Duration{0});
}

TEST_F(NameResolverTest, ACancelledOneIsNotTold) {
  ASSERT_FALSE(names().find("localhost", 1));
  names().cancel(names().wait("localhost", 1, kPatience, [](const auto&) { FAIL(); }));
  EXPECT_FALSE(addresses_of("localhost").empty());
}

TEST_F(NameResolverTest, WithoutADescriptorItFails) {
  names();
  const test::NoMoreDescriptors none;
  const auto found = names().find("localhost", 1);
  ASSERT_TRUE(found);
  EXPECT_FALSE(*found);
}

TEST_F(NameResolverTest, ANewAddressIsFoundOnceTheOldOneDidNotServe) {
  auto calls = std::make_shared<std::atomic<int>>(0);
  names().look_up_by([calls](const std::string&) -> NameResolver::Looked {
    const int call = ++*calls;
    return {{parse_endpoint("192.0.2." + std::to_string(call) + ":0").value()}, {}};
  });
  EXPECT_EQ(addresses_of("moves.test"), std::vector<std::string>{"192.0.2.1:1935"});
  names().doubt("moves.test");
  ASSERT_TRUE(turn_until(
      [&] { return addresses_of("moves.test") == std::vector<std::string>{"192.0.2.2:1935"}; }));
}

}  // namespace
}  // namespace mpb
