#include "worker/registry.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

namespace mpb {
namespace {

class Shout final : public Handler {
 public:
  Step on_bytes(Client&, std::string_view bytes, std::string& out) override {
    out += "SHOUT";
    return {Step::Next::kContinue, bytes.size()};
  }
};

Environment& environment() {
  static EventLoop loop;
  static Environment instance(loop);
  return instance;
}

std::string first_answer(const Registry::Service& service) {
  Client client;
  std::string out;
  service.handler->on_bytes(client, std::string_view("M\0", 2), out);
  return out;
}

bool mentions(const Error& error, std::string_view text) {
  return error.text.find(text) != std::string::npos;
}

TEST(Registry, KnowsItsDefaults) {
  const Registry registry = Registry::with_defaults();
  for (const char* protocol : {"control", "ping"}) {
    for (const char* handler : {"", "echo"}) {
      const auto service = registry.make(protocol, handler, environment(), {});
      ASSERT_TRUE(service.has_value()) << protocol;
      EXPECT_NE(service->classifier, nullptr);
      EXPECT_EQ(first_answer(*service).substr(0, 5), "hello");
    }
  }
}

TEST(Registry, EachListenerGetsItsOwnHandler) {
  const Registry registry = Registry::with_defaults();
  EXPECT_NE(registry.make("control", "", environment(), {})->handler,
            registry.make("control", "", environment(), {})->handler);
}

TEST(Registry, AnUnknownProtocolIsAUsageErrorThatListsTheKnown) {
  const auto service = Registry::with_defaults().make("smtp", "", environment(), {});
  ASSERT_FALSE(service.has_value());
  EXPECT_EQ(service.error().kind, ErrorKind::kUsage);
  EXPECT_TRUE(mentions(service.error(), "'smtp'")) << service.error().text;
  EXPECT_TRUE(mentions(service.error(), "control, ping")) << service.error().text;
}

TEST(Registry, AnUnknownHandlerIsAUsageErrorThatListsTheKnown) {
  Registry registry = Registry::with_defaults();
  registry.add_handler("control", "shout", [](auto&, auto&) { return std::make_unique<Shout>(); });
  const auto service = registry.make("control", "whisper", environment(), {});
  ASSERT_FALSE(service.has_value());
  EXPECT_EQ(service.error().kind, ErrorKind::kUsage);
  EXPECT_TRUE(mentions(service.error(), "'whisper'")) << service.error().text;
  EXPECT_TRUE(mentions(service.error(), "'control'")) << service.error().text;
  EXPECT_TRUE(mentions(service.error(), "echo, shout")) << service.error().text;
}

TEST(Registry, TakesHandlersAndProtocolsOfOthers) {
  Registry registry = Registry::with_defaults();
  registry.add_handler("control", "shout", [](auto&, auto&) { return std::make_unique<Shout>(); });
  registry.add_protocol("mine", "loud",
                        [](auto&, auto&) { return std::make_unique<PingClassifier>(); });
  registry.add_handler("mine", "loud", [](auto&, auto&) { return std::make_unique<Shout>(); });
  EXPECT_EQ(first_answer(*registry.make("control", "shout", environment(), {})), "SHOUT");
  EXPECT_EQ(first_answer(*registry.make("control", "", environment(), {})).substr(0, 5), "hello");
  EXPECT_EQ(first_answer(*registry.make("mine", "", environment(), {})), "SHOUT");
}

TEST(Registry, AHandlerMayBeAddedBeforeItsProtocol) {
  Registry registry;
  registry.add_handler("mine", "loud", [](auto&, auto&) { return std::make_unique<Shout>(); });
  EXPECT_FALSE(registry.make("mine", "loud", environment(), {}).has_value())
      << "its protocol is missing";
  registry.add_protocol("mine", "loud",
                        [](auto&, auto&) { return std::make_unique<PingClassifier>(); });
  EXPECT_EQ(first_answer(*registry.make("mine", "", environment(), {})), "SHOUT");
}

}  // namespace
}  // namespace mpb
