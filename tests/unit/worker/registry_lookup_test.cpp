#include "worker/registry_lookup.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "proto/control/classifier.hpp"
#include "worker/worker_environment.hpp"

namespace mpb {
namespace {

class Shout final : public Handler {
 public:
  Step on_bytes(Client&, std::string_view bytes, std::string& out) override {
    out += "SHOUT";
    return {Step::Next::kContinue, bytes.size()};
  }
};

WorkerEnvironment& environment() {
  static EventLoop loop;
  static WorkerEnvironment instance(loop);
  return instance;
}

Registry with_echo() {
  Registry registry;
  add_echo(registry);
  return registry;
}

std::string first_answer(const ServedListener& listener) {
  Client client;
  std::string out;
  listener.handler->on_bytes(client, std::string_view("M\0", 2), out);
  return out;
}

bool mentions(const Error& error, std::string_view text) {
  return error.text.find(text) != std::string::npos;
}

TEST(Registry, KnowsTheEchoes) {
  const Registry registry = with_echo();
  for (const char* protocol : {"control", "ping"}) {
    for (const char* handler : {"", "echo"}) {
      const auto listener = make_listener(registry, protocol, handler, environment(), {});
      ASSERT_TRUE(listener.has_value()) << protocol;
      EXPECT_NE(listener->classifier, nullptr);
      EXPECT_EQ(first_answer(*listener).substr(0, 5), "hello");
    }
  }
}

TEST(Registry, EachListenerGetsItsOwnHandler) {
  const Registry registry = with_echo();
  EXPECT_NE(make_listener(registry, "control", "", environment(), {})->handler,
            make_listener(registry, "control", "", environment(), {})->handler);
}

TEST(Registry, AnUnknownProtocolIsAUsageErrorThatListsTheKnown) {
  const auto listener = make_listener(with_echo(), "smtp", "", environment(), {});
  ASSERT_FALSE(listener.has_value());
  EXPECT_EQ(listener.error().kind, ErrorKind::kUsage);
  EXPECT_TRUE(mentions(listener.error(), "'smtp'")) << listener.error().text;
  EXPECT_TRUE(mentions(listener.error(), "control, ping")) << listener.error().text;
}

TEST(Registry, AnErrorNamesOnlyWhatCanBeChosen) {
  Registry registry;
  EXPECT_EQ(make_listener(registry, "smtp", "", environment(), {}).error().text,
            "this worker program has added no protocol");
  registry.add_handler("pop", "shout", [](auto&, auto&) { return std::make_unique<Shout>(); });
  EXPECT_EQ(check_listener(registry, "pop", "").error().text,
            "this worker program has added no protocol");
  registry.add_protocol("line", "shout",
                        [](auto&, auto&) { return std::make_unique<PingClassifier>(); });
  EXPECT_EQ(check_listener(registry, "pop", "").error().text,
            "protocol 'pop' is not known to this worker: expected one of line");
  EXPECT_EQ(check_listener(registry, "line", "").error().text,
            "this worker program has added no handler for protocol 'line'");
  registry.add_handler("line", "shout", [](auto&, auto&) { return std::make_unique<Shout>(); });
  EXPECT_TRUE(check_listener(registry, "line", ""));
}

TEST(Registry, AnUnknownHandlerIsAUsageErrorThatListsTheKnown) {
  Registry registry = with_echo();
  registry.add_handler("control", "shout", [](auto&, auto&) { return std::make_unique<Shout>(); });
  const auto listener = make_listener(registry, "control", "whisper", environment(), {});
  ASSERT_FALSE(listener.has_value());
  EXPECT_EQ(listener.error().kind, ErrorKind::kUsage);
  EXPECT_TRUE(mentions(listener.error(), "'whisper'")) << listener.error().text;
  EXPECT_TRUE(mentions(listener.error(), "'control'")) << listener.error().text;
  EXPECT_TRUE(mentions(listener.error(), "echo, shout")) << listener.error().text;
}

TEST(Registry, TakesHandlersAndProtocolsOfOthers) {
  Registry registry = with_echo();
  registry.add_handler("control", "shout", [](auto&, auto&) { return std::make_unique<Shout>(); });
  registry.add_protocol("mine", "loud",
                        [](auto&, auto&) { return std::make_unique<PingClassifier>(); });
  registry.add_handler("mine", "loud", [](auto&, auto&) { return std::make_unique<Shout>(); });
  EXPECT_EQ(first_answer(*make_listener(registry, "control", "shout", environment(), {})), "SHOUT");
  EXPECT_EQ(first_answer(*make_listener(registry, "control", "", environment(), {})).substr(0, 5),
            "hello");
  EXPECT_EQ(first_answer(*make_listener(registry, "mine", "", environment(), {})), "SHOUT");
}

TEST(Registry, AHandlerMayBeAddedBeforeItsProtocol) {
  Registry registry;
  registry.add_handler("mine", "loud", [](auto&, auto&) { return std::make_unique<Shout>(); });
  EXPECT_FALSE(make_listener(registry, "mine", "loud", environment(), {}).has_value())
      << "its protocol is missing";
  registry.add_protocol("mine", "loud",
                        [](auto&, auto&) { return std::make_unique<PingClassifier>(); });
  EXPECT_EQ(first_answer(*make_listener(registry, "mine", "", environment(), {})), "SHOUT");
}

}  // namespace
}  // namespace mpb
