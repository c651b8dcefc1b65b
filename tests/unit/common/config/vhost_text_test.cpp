// Vhosts written as text are read back as the same, whatever is set.
#include "common/config/vhost_text.hpp"

#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "common/config/option_table.hpp"
#include "common/config/vhost_values.hpp"
#include "proto/channel/message.hpp"

namespace mpb {
namespace {

/// Values of each key that are not its default.
const std::map<std::string_view, std::vector<std::string>> kValues{
    {"latency", {"merge:350ms", "merge:10s"}},
    {"gop-cache", {"no"}},
    {"handler", {"relay", "forward"}},
    {"queue", {"3s", "1500ms"}},
    {"jitter", {"zero", "off"}},
    {"publish-notify", {"yes"}},
    {"publish-allow", {"192.0.2.1,10.0.0.0/8,2001:db8::/32,::1,all", "0.0.0.0/0"}},
    {"publish-deny", {"all"}},
    {"play-allow", {"::ffff:192.0.2.1"}},
    {"play-deny", {"128.0.0.0/1,8000::/1"}},
    {"publish-key", {"a?b=/c%20", "#a", "\"a\"", "a\\"}},
    {"play-key", {"'\"\\;$[x]", "'a'", ";"}},
    {"publish-secret", {"=", " a # b ", "\"", "\xc3\xa4"}},
    {"play-secret", {"0", "a ;b\\\"", "\\"}},
    {"on-connect", {"http://127.0.0.1:8085/api/v1/clients?a=b"}},
    {"on-publish", {"http://[::1]:80/"}},
    {"on-play", {"http://localhost:1/x"}},
    {"on-unpublish", {"http://localhost:1/x"}},
    {"on-stop", {"http://localhost:1/x"}},
    {"hook-timeout", {"1ms"}},
    {"hook-failure", {"open"}},
    {"publisher", {"first", "last", "silent:1500ms"}},
    {"max-players", {"1000000000"}},
    {"max-publishers", {"1"}},
    {"max-bitrate", {"6Mbit", "800kbit", "1001bit"}},
    {"publish-timeout", {"0", "90s"}},
    {"standby-timeout", {"0"}},
    {"play-wait", {"49d"}},
    {"upstream", {"192.0.2.1:1935", "unix:/run/srs.sock backup"}},
    {"upstream-prefix", {"proxy-v1", "proxy-v2", "srs-real-ip"}},
    {"upstream-timeout", {"1s"}},
    {"upstream-fails", {"1"}},
    {"upstream-pause", {"0"}},
    {"user", {"nobody", "0"}},
    {"group", {"nogroup"}},
    {"nofile", {"128", "1000000000"}},
    {"memory-max", {"16MiB", "1GiB", "16777217B"}},
    {"cpu-weight", {"1", "10000"}},
};

std::string joined(const std::vector<std::string>& texts) {
  return std::accumulate(texts.begin(), texts.end(), std::string());
}

/// What becomes of a vhost on its way to a worker.
std::vector<VhostSettings> sent(const std::vector<VhostSettings>& vhosts) {
  const auto parsed = parse_vhosts(joined(format_vhosts(vhosts)), "Vhosts");
  EXPECT_TRUE(parsed) << parsed.error().text;
  return parsed ? *parsed : std::vector<VhostSettings>{};
}

VhostSettings named(std::string_view name) {
  VhostSettings vhost;
  vhost.name = name;
  return vhost;
}

TEST(VhostText, EveryKeyIsReadBackAsItWasWritten) {
  Settings unused;
  for (const OptionSpec& spec : vhost_option_table()) {
    ASSERT_TRUE(kValues.contains(spec.name)) << spec.name;
    for (const std::string& value : kValues.at(spec.name)) {
      VhostSettings vhost = named("a.test");
      const Status applied = spec.apply({unused, nullptr, &vhost}, value);
      ASSERT_TRUE(applied) << spec.name << ": " << applied.error().text;
      EXPECT_NE(vhost, named("a.test")) << spec.name;
      EXPECT_EQ(sent({vhost}), std::vector{vhost}) << spec.name << " = " << value;
    }
  }
}

TEST(VhostText, SeveralVhostsWithEverythingSet) {
  Settings unused;
  std::vector<VhostSettings> vhosts{named("a.test"), named("*.b.test"), named(kDefaultVhost)};
  for (const OptionSpec& spec : vhost_option_table()) {
    for (const std::string& value : kValues.at(spec.name)) {
      ASSERT_TRUE(spec.apply({unused, nullptr, &vhosts[1]}, value));
    }
  }
  EXPECT_EQ(sent(vhosts), vhosts);
  EXPECT_TRUE(sent({}).empty());
}

TEST(VhostText, OnlyWhatIsNotTheDefaultIsWritten) {
  VhostSettings vhost = named("a.test");
  EXPECT_EQ(format_vhosts(std::vector{vhost}), std::vector<std::string>{"[vhost a.test]\n"});
  vhost.merge = Duration{350};
  vhost.upstreams = {{"[::1]:1", false}, {"[::1]:2", true}};
  EXPECT_EQ(format_vhosts(std::vector{vhost}),
            std::vector<std::string>{"[vhost a.test]\nlatency = merge:350ms\nupstream = [::1]:1\n"
                                     "upstream = [::1]:2 backup\n"});
}

TEST(VhostText, IsSplitBetweenVhosts) {
  std::vector<VhostSettings> vhosts;
  for (int i = 0; i < 10'000; ++i) vhosts.push_back(named("v" + std::to_string(i) + ".test"));
  const auto texts = format_vhosts(vhosts);
  EXPECT_GE(texts.size(), 2U);
  EXPECT_LE(texts.size(), 5U);
  for (const std::string& text : texts) {
    EXPECT_LE(text.size(), kMaxVhostText);
    EXPECT_TRUE(text.starts_with("[vhost v"));
    EXPECT_TRUE(text.ends_with("]\n"));
  }
  EXPECT_EQ(sent(vhosts), vhosts);
}

TEST(VhostText, TheLargestVhostFitsADatagram) {
  VhostSettings vhost = named(std::string(255, 'n'));
  Network network;
  network.address.fill(0xfa);
  network.bits = 127;
  vhost.publish.allow.assign(kMaxNetworks, network);
  vhost.publish.deny = vhost.play.allow = vhost.play.deny = vhost.publish.allow;
  vhost.publish.key = vhost.publish.secret = vhost.play.key = vhost.play.secret =
      std::string(kMaxSecret, 's');
  HookSettings& hooks = vhost.hooks;
  hooks.on_connect = hooks.on_publish = hooks.on_play = hooks.on_unpublish = hooks.on_stop =
      std::string(kMaxHookUrl, 'u');
  vhost.upstreams.assign(kMaxUpstreams, {"unix:" + std::string(107, 'p'), true});
  const auto texts = format_vhosts(std::vector{vhost});
  ASSERT_EQ(texts.size(), 1U);
  EXPECT_LE(texts.front().size() + 2048, kMaxVhostText) << "and all other keys";
  EXPECT_LE(kMaxVhostText, channel::kMaxPayload);
}

TEST(VhostText, AnythingElseIsRefused) {
  const std::pair<const char*, const char*> wrong[] = {
      {"latency = realtime\n", "Vhosts:1: expected [vhost NAME] sections only"},
      {"[listener l]\nlisten = :1\n", "Vhosts:1: expected [vhost NAME] sections only"},
      {"[vhost a b]\n", "Vhosts:1: [vhost a b]: expected a host name of at most 255"},
      {"[vhost a]\nlatency = slow\n", "Vhosts:2: [vhost a] latency = slow: expected realtime, or"},
      {"[vhost a]\nnews = 1\n", "Vhosts:2: [vhost a] news: unknown key"},
      {"[vhost a]\n[vhost a]\n", "Vhosts:2: [vhost a]: a vhost of this name is there already"},
      {"[vhost a", "Vhosts:1: expected [section], and nothing behind it"},
  };
  for (const auto& [text, told] : wrong) {
    const auto parsed = parse_vhosts(text, "Vhosts");
    ASSERT_FALSE(parsed) << text;
    EXPECT_TRUE(parsed.error().text.starts_with(told)) << parsed.error().text;
  }
}

TEST(ChangeVhost, SetsKeysAsAFileDoes) {
  VhostSettings vhost = named("a.test");
  ASSERT_TRUE(change_vhost(vhost, std::vector<std::string>{"latency=merge:1s", "play-key=a=b"}));
  EXPECT_EQ(vhost.merge, Duration{1'000});
  EXPECT_EQ(vhost.play.key, "a=b");
  EXPECT_FALSE(change_vhost(vhost, std::vector<std::string>{"play-key="}));
  EXPECT_EQ(vhost.play.key, "a=b") << "nothing is unset by mistake";
  ASSERT_TRUE(unset_in_vhost(vhost, std::vector<std::string>{"play-key"}));
  EXPECT_EQ(vhost.play.key, "");
  EXPECT_EQ(vhost.merge, Duration{1'000}) << "the others stay";
  EXPECT_FALSE(unset_in_vhost(vhost, std::vector<std::string>{"latency", "nonsense"}));
  EXPECT_EQ(vhost.merge, Duration{1'000}) << "an error changes nothing";
}

TEST(ChangeVhost, AKeyIsGivenOnce) {
  VhostSettings vhost = named("a.test");
  const Status done = change_vhost(vhost, std::vector<std::string>{"play-key=a", "play-key=b"});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().text, "play-key: given twice");
}

TEST(ChangeVhost, UpstreamsTakeThePlaceOfAllThereWere) {
  VhostSettings vhost = named("a.test");
  vhost.upstreams = {{"[::1]:1", false}, {"[::1]:2", false}};
  ASSERT_TRUE(
      change_vhost(vhost, std::vector<std::string>{"upstream=[::1]:2 backup", "upstream=[::1]:3"}));
  EXPECT_EQ(vhost.upstreams, (std::vector<Upstream>{{"[::1]:2", true}, {"[::1]:3", false}}));
  EXPECT_FALSE(change_vhost(vhost, std::vector<std::string>{"upstream="}));
  ASSERT_TRUE(unset_in_vhost(vhost, std::vector<std::string>{"upstream"}));
  EXPECT_TRUE(vhost.upstreams.empty());
}

TEST(ChangeVhost, BadOnesAreToldAsInAFile) {
  const std::pair<const char*, const char*> wrong[] = {
      {"latency", "expected KEY=VALUE, found no '='"},
      {"latency=slow",
       "latency = slow: expected realtime, or merge:TIME with a TIME from 1ms to 10s"},
      {"latancy=realtime", "latancy: unknown key; did you mean latency?"},
      {"policy=hash", "policy: belongs to a listener: expected in a [listener NAME] section"},
      {"play-key=",
       "play-key = ...: expected 1 to 255 visible ASCII characters, no '&' among them: it stands "
       "in a URL"},
      {"play-key=a #b",
       "play-key = ...: expected comments on a line of their own; a value with # or ; at its "
       "beginning or behind a blank stands in double quotes"},
      {"latency= realtime", "latency =  realtime: expected no blanks around it, or double quotes"},
      {"jitter=off\n[vhost b]",
       "jitter = off\\x0a[vhost b]: expected one line without control characters"},
  };
  for (const auto& [assignment, told] : wrong) {
    VhostSettings vhost;
    const Status changed = change_vhost(vhost, std::vector<std::string>{assignment});
    ASSERT_FALSE(changed) << assignment;
    EXPECT_EQ(changed.error().text, told);
  }
  VhostSettings vhost;
  EXPECT_FALSE(
      change_vhost(vhost, std::vector<std::string>{"upstream=[::1]:1", "upstream=[::1]:1"}));
}

}  // namespace
}  // namespace mpb
