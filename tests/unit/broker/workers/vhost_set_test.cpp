#include "broker/workers/vhost_set.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace mpb {
namespace {

using Texts = std::vector<std::string>;

VhostSettings vhost(std::string_view name, std::uint32_t max_players = 0) {
  VhostSettings settings;
  settings.name = name;
  settings.max_players = max_players;
  return settings;
}

/// With a listener whose clients are forwarded.
Settings forwarding() {
  Settings settings;
  ListenerSettings& listener = settings.listeners.emplace_back();
  listener.name = "front";
  listener.protocol = "rtmp";
  listener.handler = "forward";
  return settings;
}

TEST(VhostSet, WorkersAreToldOfWhatTheConfigurationHas) {
  VhostSet set;
  EXPECT_TRUE(set.empty());
  EXPECT_TRUE(set.texts().empty());
  EXPECT_FALSE(set.replace({})) << "nothing before, nothing now";
  EXPECT_TRUE(set.replace({vhost("a.test"), vhost("b.test", 2)}));
  EXPECT_EQ(set.texts(), Texts{"[vhost a.test]\n[vhost b.test]\nmax-players = 2\n"});
  EXPECT_FALSE(set.replace({vhost("a.test"), vhost("b.test", 2)})) << "the same";
  EXPECT_TRUE(set.replace({}));
  EXPECT_TRUE(set.texts().empty());
}

TEST(VhostSet, AnOperatorChangesOneUntilTheNextReload) {
  VhostSet set;
  set.replace({vhost("a.test", 1), vhost("b.test", 2)});
  ASSERT_TRUE(set.change("A.Test.", Texts{"latency=merge:350ms"}, {}, {}));
  EXPECT_EQ(set.texts(), Texts{"[vhost a.test]\nlatency = merge:350ms\nmax-players = 1\n"
                               "[vhost b.test]\nmax-players = 2\n"});
  EXPECT_TRUE(set.replace({vhost("a.test", 1), vhost("b.test", 2)}));
  EXPECT_EQ(set.texts(),
            Texts{"[vhost a.test]\nmax-players = 1\n[vhost b.test]\nmax-players = 2\n"});
}

TEST(VhostSet, OneThatIsNotThereIsMade) {
  VhostSet set;
  ASSERT_TRUE(set.change("*.a.test", Texts{"latency=realtime"}, {}, {}));
  EXPECT_EQ(set.texts(), Texts{"[vhost *.a.test]\n"});
}

TEST(VhostSet, OneIsRemoved) {
  VhostSet set;
  set.replace({vhost("a.test"), vhost("b.test"), vhost("c.test")});
  ASSERT_TRUE(set.remove("b.test.", {}));
  EXPECT_EQ(set.texts(), Texts{"[vhost a.test]\n[vhost c.test]\n"});
  const auto again = set.remove("b.test", {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().text, "there is no vhost 'b.test'");
  EXPECT_TRUE(set.remove("a.test", {})->warnings.empty());
  EXPECT_EQ(set.remove("c.test", {})->warnings.size(), 1U) << "the door is open now";
}

TEST(VhostSet, WhatTheOperatorChangedHoldsUnderTheNextBrokerIfItFits) {
  VhostSet before;
  before.replace({vhost("a.test", 1), vhost("b.test")});
  ASSERT_TRUE(before.change("a.test", Texts{"max-players=7"}, {}, {}));
  ASSERT_TRUE(before.change("new.test", Texts{"max-players=8"}, {}, {}));
  ASSERT_TRUE(before.remove("b.test", {}));
  VhostSet next;
  next.replace({vhost("a.test", 1), vhost("b.test")});
  EXPECT_TRUE(next.resume(before.changes(), {}).empty());
  EXPECT_EQ(next.texts(), before.texts());
  EXPECT_EQ(next.changes(), before.changes());

  VhostSet other;
  other.admit_cells_by([](const CellSettings&) { return Status(usage_error("no such user")); });
  other.replace({vhost("a.test", 1), vhost("b.test")});
  EXPECT_EQ(other.resume(before.changes(), {}).size(), 2U) << "why, for each";
  EXPECT_EQ(other.texts(), Texts{"[vhost a.test]\nmax-players = 1\n"}) << "as the file has it";
}

TEST(VhostSet, AnErrorChangesNothing) {
  VhostSet set;
  set.replace({vhost("a.test", 1)});
  const Texts before = set.texts();
  const auto value = set.change("a.test", Texts{"max-players=2", "latency=slow"}, {}, {});
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().text,
            "vhost a.test: latency = slow: expected realtime, or merge:TIME with a TIME from 1ms "
            "to 10s");
  EXPECT_FALSE(set.change("new.test", Texts{"latency=slow"}, {}, {}));
  const auto name = set.change("a b", Texts{"latency=realtime"}, {}, {});
  ASSERT_FALSE(name);
  EXPECT_TRUE(name.error().text.starts_with("vhost 'a b': expected a host name of at most 255"));
  EXPECT_FALSE(set.remove("", {}));
  EXPECT_EQ(set.texts(), before);
  ASSERT_TRUE(set.change("a.test", Texts{"jitter=off"}, {}, {}));
  EXPECT_EQ(set.texts(), Texts{"[vhost a.test]\njitter = off\nmax-players = 1\n"});
}

TEST(VhostSet, AChangeIsJudgedAsAFileIs) {
  VhostSet set;
  VhostSettings forwarded = vhost("a.test");
  forwarded.upstreams = {{"127.0.0.1:1", false}};
  set.replace({forwarded});
  const Texts before = set.texts();
  const auto open = set.change("a.test", Texts{"publish-key=s3cret"}, {}, forwarding());
  ASSERT_FALSE(open) << "nobody would ask for it";
  EXPECT_TRUE(open.error().text.starts_with("vhost a.test: publish-key = ...: its clients are"));
  EXPECT_EQ(set.texts(), before);
  const auto idle = set.change("a.test", Texts{"jitter=off", "latency=realtime"}, {}, forwarding());
  ASSERT_TRUE(idle);
  ASSERT_EQ(idle->warnings.size(), 1U) << "not of a default";
  EXPECT_TRUE(idle->warnings.front().text().starts_with("jitter = off: no listener relays"));
}

TEST(VhostSet, AChangeThatOpensWhatWasSetBeforeIsRefused) {
  VhostSet set;
  VhostSettings guarded = vhost("a.test");
  guarded.publish.key = "s3cret";
  set.replace({guarded});
  const Texts before = set.texts();
  Settings relaying = forwarding();
  relaying.listeners.front().handler = "relay";
  const auto open =
      set.change("a.test", Texts{"handler=forward", "upstream=127.0.0.1:1"}, {}, relaying);
  ASSERT_FALSE(open) << "the upstream does not ask for the key";
  EXPECT_TRUE(open.error().text.starts_with("vhost a.test: publish-key = ...: its clients are"));
  EXPECT_EQ(set.texts(), before);
  EXPECT_TRUE(set.change("a.test", Texts{"handler=forward", "upstream=127.0.0.1:1"},
                         Texts{"publish-key"}, relaying));
}

TEST(VhostSet, AKeyIsNotSetAndUnsetAtOnce) {
  VhostSet set;
  set.replace({vhost("a.test")});
  const auto both = set.change("a.test", Texts{"play-key=s3cret"}, Texts{"play-key"}, {});
  ASSERT_FALSE(both);
  EXPECT_EQ(both.error().text, "vhost a.test: play-key: set and unset at once");
}

TEST(VhostSet, AListenerThatForwardsKeepsItsLastUpstream) {
  const Settings settings = forwarding();
  VhostSet set;
  VhostSettings with_upstream = vhost("a.test");
  with_upstream.upstreams = {{"127.0.0.1:1", false}};
  set.replace({with_upstream, vhost("b.test")});
  const Texts before = set.texts();
  const auto removed = set.remove("a.test", settings);
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().text,
            "vhost a.test: no vhost would have an upstream, which listener front needs");
  EXPECT_FALSE(set.change("a.test", {}, Texts{"upstream"}, settings));
  EXPECT_EQ(set.texts(), before);
  ASSERT_TRUE(set.change("b.test", Texts{"upstream=127.0.0.1:2"}, {}, settings));
  EXPECT_TRUE(set.remove("a.test", settings));
}

/// "set [vhost a]... removed b": what workers are told.
std::string told(const VhostChange& change) {
  std::string text;
  for (const std::string& part : change.set) text += "set " + part;
  for (const std::string& part : change.removed) text += "removed " + part;
  return text;
}

TEST(VhostSet, OfManyOnlyWhatIsDifferentIsTold) {
  std::vector<VhostSettings> many;
  for (int i = 0; i < 20'000; ++i) many.push_back(vhost("v" + std::to_string(i) + ".test", 5));
  VhostSet set;
  ASSERT_TRUE(set.replace(many));
  EXPECT_FALSE(set.replace(many)) << "nothing is different";
  EXPECT_EQ(told(set.change("v7.test", Texts{"max-players=6"}, {}, {}).value()),
            "set [vhost v7.test]\nmax-players = 6\n");
  EXPECT_EQ(told(set.change("new.test", Texts{"max-players=6"}, {}, {}).value()),
            "set [vhost new.test]\nmax-players = 6\n");
  EXPECT_EQ(told(set.remove("v8.test", {}).value()), "removed v8.test\n");
  many[100].max_players = 9;
  many.erase(many.begin() + 200);
  const auto change = set.replace(many);
  ASSERT_TRUE(change);
  EXPECT_EQ(told(*change),
            "set [vhost v7.test]\nmax-players = 5\n[vhost v8.test]\nmax-players = 5\n"
            "[vhost v100.test]\nmax-players = 9\nremoved new.test\nv200.test\n");
}

TEST(VhostSet, WhatIsToldOneByOneAddsUpToTheWhole) {
  VhostSet set;
  set.replace({vhost("a.test"), vhost("b.test"), vhost("c.test")});
  ASSERT_TRUE(set.remove("a.test", {}));
  ASSERT_TRUE(set.change("c.test", Texts{"max-players=3"}, {}, {}));
  ASSERT_TRUE(set.change("d.test", Texts{"max-players=4"}, {}, {}));
  ASSERT_TRUE(set.remove("b.test", {}));
  ASSERT_TRUE(set.change("b.test", Texts{"max-players=2"}, {}, {}));
  std::string all;
  for (const std::string& text : set.texts()) all += text;
  for (const char* section :
       {"[vhost b.test]\nmax-players = 2\n", "[vhost c.test]\nmax-players = 3\n",
        "[vhost d.test]\nmax-players = 4\n"}) {
    EXPECT_NE(all.find(section), std::string::npos) << all;
  }
  EXPECT_EQ(all.find("a.test"), std::string::npos);
}

}  // namespace
}  // namespace mpb
