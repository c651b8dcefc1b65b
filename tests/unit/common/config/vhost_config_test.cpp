// [vhost NAME] sections of a configuration file: their names, and every key.
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "common/config/options.hpp"

namespace mpb {
namespace {

constexpr std::string_view kListener = "[listener l]\nlisten = :1\n";

/// `lines` from line 4 on.
std::string in_vhost(const std::string& lines) {
  return std::string(kListener) + "[vhost a.test]\n" + lines;
}

std::string error_of(const std::string& text) {
  const auto settings = parse_config(text, "mp.ini");
  if (settings) return "no error";
  EXPECT_EQ(settings.error().kind, ErrorKind::kUsage);
  return settings.error().text;
}

VhostSettings read(const std::string& lines) {
  const auto settings = parse_config(in_vhost(lines), "mp.ini");
  EXPECT_TRUE(settings) << settings.error().text;
  if (!settings || settings->vhosts.size() != 1) return {};
  return settings->vhosts.front();
}

/// What is told of the value behind "mp.ini:4: [vhost a.test] KEY = VALUE: expected ".
std::string expected_by(const std::string& line) {
  const std::string error = error_of(in_vhost(line));
  const std::string head = "mp.ini:4: [vhost a.test] " + line + ": expected ";
  EXPECT_TRUE(error.starts_with(head)) << error;
  return error.substr(std::min(error.size(), head.size()));
}

// --- cells ---------------------------------------------------------------------------------------

TEST(CellConfig, IsReadFromVhostsAndKeys) {
  const std::string lines =
      "user = root\ngroup = daemon\nnofile = 4096\nmemory-max = 64MiB\ncpu-weight = 50\n";
  const CellSettings wanted{"root", "daemon", 4096, 64ULL << 20, 50};
  const std::string listeners =
      "max-workers = 9\n[listener r]\nlisten = :1\nprotocol = rtmp\nisolate = key\n"
      "[listener c]\nlisten = :2\nisolate = key\n";
  const auto settings = parse_config(
      listeners + "[vhost a.test]\n" + lines + "[key 1*]\nprotocol = control\n" + lines, "mp.ini");
  ASSERT_TRUE(settings) << settings.error().text;
  EXPECT_EQ(settings->vhosts.at(0).cell, wanted);
  EXPECT_EQ(settings->keys.at(0), (KeySettings{"1*", "control", wanted}));
}

TEST(CellConfig, BadValuesAreTold) {
  for (const char* line : {"user = 60600..60610", "nofile = 5", "memory-max = 1MiB",
                           "memory-max = 64", "cpu-weight = 0", "cpu-weight = 10001"}) {
    EXPECT_NE(expected_by(line), "") << line;
  }
  const std::string head(kListener);
  EXPECT_NE(error_of(head + "[key a*b*]\n").find("with one *"), std::string::npos);
  EXPECT_NE(error_of(head + "[key a]\n[key a]\n").find("there already"), std::string::npos);
  EXPECT_NE(error_of(head + "[key a]\nlatency = realtime\n").find("belongs to a vhost"),
            std::string::npos);
}

// --- names ---------------------------------------------------------------------------------------

std::string name_of(const std::string& section) {
  const auto settings = parse_config(std::string(kListener) + "[" + section + "]\n", "mp.ini");
  return settings ? settings->vhosts.at(0).name : settings.error().text;
}

TEST(VhostNames, AreNormalised) {
  EXPECT_EQ(name_of("vhost a.test"), "a.test");
  EXPECT_EQ(name_of("vhost \t Live-1.Example_2.COM."), "live-1.example_2.com");
  EXPECT_EQ(name_of("vhost *.Example.com"), "*.example.com");
  EXPECT_EQ(name_of("vhost __defaultVhost__"), "__defaultVhost__");
  EXPECT_EQ(name_of("vhost __defaultvhost__"), "__defaultVhost__");
  EXPECT_EQ(name_of("vhost " + std::string(255, 'n')), std::string(255, 'n'));
}

TEST(VhostNames, BadOnesAreRefusedWithTheirLine) {
  const std::string long_name(256, 'n');
  for (const std::string& name :
       {std::string("a b"), std::string("a/b"), std::string("a..b"), std::string(".a"),
        std::string("a.."), std::string("*"), std::string("*."), std::string("*a.test"),
        std::string("*.*.test"), std::string("a.*"), std::string("192.0.2.1"), std::string("[::1]"),
        std::string("a:1935"), std::string("\xc3\xa4.test"), long_name}) {
    const std::string error = name_of("vhost " + name);
    EXPECT_TRUE(error.starts_with("mp.ini:3: [vhost ")) << error;
    EXPECT_NE(error.find("]: expected a host name of at most 255 letters, digits, '-', '_' and "
                         "'.', *.NAME for all names below it, or __defaultVhost__"),
              std::string::npos)
        << error;
  }
  EXPECT_NE(name_of("vhost").find("unknown section"), std::string::npos);
  EXPECT_NE(name_of("vhosts a").find("unknown section"), std::string::npos);
}

TEST(VhostNames, TheSameTwiceIsRefusedWithBothLines) {
  EXPECT_EQ(error_of(in_vhost("[vhost b.test]\n[vhost A.test.]\n")),
            "mp.ini:5: [vhost A.test.]: a vhost of this name is there already: mp.ini:3: [vhost "
            "a.test]");
  EXPECT_EQ(error_of(in_vhost("[vhost l]\n")), "no error") << "a listener has this name";
}

// --- keys ----------------------------------------------------------------------------------------

TEST(VhostKeys, OfDelivery) {
  EXPECT_EQ(read("latency = merge:350ms").merge, Duration{350});
  EXPECT_EQ(read("latency = merge:1ms").merge, Duration{1});
  EXPECT_EQ(read("latency = merge:10s").merge, Duration{10'000});
  EXPECT_EQ(read("latency = realtime").merge, Duration{0});
  for (const char* value : {"", "merge", "merge:", "merge:0", "merge:350", "merge:10001ms",
                            "merge: 1s", "Realtime", "350ms"}) {
    EXPECT_EQ(expected_by(std::string("latency = ") + value),
              "realtime, or merge:TIME with a TIME from 1ms to 10s");
  }
  EXPECT_FALSE(read("gop-cache = no").gop_cache);
  EXPECT_TRUE(read("publish-notify = yes").publish_notify);
  EXPECT_EQ(expected_by("gop-cache = off"), "one of yes, no");
  EXPECT_EQ(read("queue = 3s").queue, Duration{3'000});
  EXPECT_TRUE(expected_by("queue = 0").starts_with("a duration above 0 such as"));
  EXPECT_TRUE(expected_by("queue = 3").starts_with("a duration above 0 such as"));
  EXPECT_EQ(read("jitter = zero").jitter, Jitter::kZero);
  EXPECT_EQ(read("jitter = off").jitter, Jitter::kOff);
  EXPECT_EQ(expected_by("jitter = no"), "one of full, zero, off");
}

TEST(VhostKeys, OfAddresses) {
  const AccessRules publish =
      read("publish-allow = 192.0.2.1 , 10.0.0.0/8,\t2001:db8::/32, ::1\npublish-deny = all")
          .publish;
  ASSERT_EQ(publish.allow.size(), 4U);
  EXPECT_EQ(publish.allow[0],
            (Network{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}, 128}));
  EXPECT_EQ(publish.allow[1], (Network{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10}, 104}));
  EXPECT_EQ(publish.allow[2], (Network{{0x20, 0x01, 0x0d, 0xb8}, 32}));
  EXPECT_EQ(publish.allow[3], (Network{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128}));
  EXPECT_EQ(publish.deny, std::vector{Network{}});
  const AccessRules play = read("play-allow = 0.0.0.0/0\nplay-deny = ::/0").play;
  EXPECT_EQ(play.allow, (std::vector{Network{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}}));
  EXPECT_EQ(play.deny, std::vector{Network{}});
  for (const char* key : {"publish-allow", "publish-deny", "play-allow", "play-deny"}) {
    for (const char* value : {"", "localhost", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/-1", "::/129",
                              "2001:db8::1/32", "10.0.0.0/", "1.2.3.4,", ",", "1.2.3.4 5.6.7.8",
                              "All", "1.2.3.4:80", "[::1]", "::1%lo"}) {
      EXPECT_TRUE(expected_by(std::string(key) + " = " + value)
                      .starts_with("at most 256 addresses or networks such as"));
    }
  }
  EXPECT_NE(error_of(in_vhost("publish-allow = \"\"")), "no error");
  std::string many = "1.2.3.4";
  for (int i = 1; i < 256; ++i) many += ",1.2.3.4";
  EXPECT_EQ(read("play-deny = " + many).play.deny.size(), 256U);
  EXPECT_NE(error_of(in_vhost("play-deny = 1.2.3.4," + many)), "no error");
}

TEST(VhostKeys, OfSecretsThatNoMessageShows) {
  const std::string longest(255, 's');
  const VhostSettings vhost = read(
      "publish-key = a?b=/c%20\nplay-key = k\npublish-secret = " + longest + "\nplay-secret = p\n");
  EXPECT_EQ(vhost.publish.key, "a?b=/c%20");
  EXPECT_EQ(vhost.play.key, "k");
  EXPECT_EQ(vhost.publish.secret, longest);
  EXPECT_EQ(vhost.play.secret, "p");
  EXPECT_EQ(read("play-key = a#b;c").play.key, "a#b;c") << "whole";
  EXPECT_EQ(read("play-key = \"#b\"").play.key, "#b");
  EXPECT_EQ(read("play-secret = \" a & b # c \"").play.secret, " a & b # c ");
  EXPECT_EQ(read("play-secret = s\xc3\xa9").play.secret, "s\xc3\xa9");
  for (const char* key : {"publish-key", "play-key"}) {
    for (const std::string& value :
         {std::string(), std::string("\"\""), std::string("se cret"), std::string("se&cret"),
          std::string("s\xc3\xa9"), std::string(256, 's')}) {
      EXPECT_EQ(error_of(in_vhost(std::string(key) + " = " + value)),
                std::string("mp.ini:4: [vhost a.test] ") + key +
                    " = ...: expected 1 to 255 visible ASCII characters, no '&' among them: it "
                    "stands in a URL");
    }
  }
  for (const char* key : {"publish-key", "play-key", "publish-secret", "play-secret"}) {
    for (const std::string& value :
         {std::string(), std::string(256, 's'), std::string("#s3cret"), std::string("s3cret # why"),
          std::string("'s3cret'"), std::string("\"s3cret"), std::string("s3cret\\")}) {
      const std::string error = error_of(in_vhost(std::string(key) + " = " + value));
      EXPECT_TRUE(
          error.starts_with(std::string("mp.ini:4: [vhost a.test] ") + key + " = ...: expected "))
          << error;
      EXPECT_EQ(error.find("s3cret"), std::string::npos) << error;
    }
  }
  EXPECT_EQ(error_of(in_vhost("play-key = a\nplay-key = b")).find("= a"), std::string::npos);
}

TEST(VhostKeys, OfSecretsWithAMistakeAroundThem) {
  for (const char* line :
       {"play-kye = s3cret", "play-key s3cret", "play-key: s3cret",
        "play-key s3cret==", "s3cret and more", "play-key = \xff s3cret", "play-key = s3cret\x1b",
        "[vhost b] play-key = s3cret", "on-play = http://127.0.0.1/x y?token=s3cret",
        "on-play = http://u:s3cret@127.0.0.1/"}) {
    const std::string error = error_of(in_vhost(line));
    EXPECT_TRUE(error.starts_with("mp.ini:4: ")) << line << ": " << error;
    EXPECT_EQ(error.find("s3cret"), std::string::npos) << error;
  }
  const std::string misplaced =
      error_of(std::string(kListener) + "play-key = s3cret\npublish-key\n");
  EXPECT_EQ(misplaced,
            "mp.ini:3: [listener l] play-key: belongs to a vhost: expected in a [vhost NAME] "
            "section\nmp.ini:4: publish-key: expected = and a value behind the key");
}

TEST(VhostKeys, OfHttpCallbacks) {
  const HookSettings hooks =
      read(
          "on-connect = http://127.0.0.1:8085/api/v1/clients\non-publish = http://[::1]:80/\n"
          "on-play = http://localhost:1/x?y=z\non-unpublish = http://10.0.0.1:65535/u\n"
          "on-stop = http://hooks.example.com/s\nhook-timeout = 1500ms\nhook-failure = open")
          .hooks;
  EXPECT_EQ(hooks.on_connect, "http://127.0.0.1:8085/api/v1/clients");
  EXPECT_EQ(hooks.on_publish, "http://[::1]:80/");
  EXPECT_EQ(hooks.on_play, "http://localhost:1/x?y=z");
  EXPECT_EQ(hooks.on_unpublish, "http://10.0.0.1:65535/u");
  EXPECT_EQ(hooks.on_stop, "http://hooks.example.com/s");
  EXPECT_EQ(hooks.timeout, Duration{1'500});
  EXPECT_TRUE(hooks.fail_open);
  for (const char* key : {"on-connect", "on-publish", "on-play", "on-unpublish", "on-stop"}) {
    const std::string head = std::string(key) + " = ";
    EXPECT_EQ(error_of(in_vhost(head + "https://127.0.0.1:1/x")),
              "mp.ini:4: [vhost a.test] " + head +
                  "https://127.0.0.1:1/x: there is no TLS: expected http://HOST[:PORT]/PATH");
    for (const char* value :
         {"", "127.0.0.1:1/x", "http://", "http:///x", "http://1.2.3:80/x", "http://-a.test/x",
          "http://127.0.0.1:0/x", "http://127.0.0.1:65536/x", "http://:80/x", "http://unix:/x",
          "http://::1:80/x", "http://127.0.0.1:1/a b", "http://127.0.0.1:1/a\"b",
          "ftp://127.0.0.1:1/x"}) {
      EXPECT_TRUE(expected_by(head + value).starts_with("http://HOST[:PORT]/PATH of at most 1024"));
    }
    const std::string longest = "http://[::1]:80/" + std::string(1024 - 16, 'x');
    EXPECT_EQ(error_of(in_vhost(head + longest)), "no error");
    EXPECT_NE(error_of(in_vhost(head + longest + "x")), "no error");
  }
  EXPECT_TRUE(expected_by("hook-timeout = 0").starts_with("a duration above 0 such as"));
  EXPECT_EQ(expected_by("hook-failure = fail"), "one of open, closed");
}

TEST(VhostKeys, OfLimits) {
  const VhostSettings vhost = read(
      "max-players = 1000000000\nmax-publishers = 2\nmax-bitrate = 6Mbit\n"
      "publish-timeout = 0\nstandby-timeout = 1m\nplay-wait = 5s");
  EXPECT_EQ(vhost.max_players, 1'000'000'000U);
  EXPECT_EQ(vhost.max_publishers, 2U);
  EXPECT_EQ(vhost.max_bitrate, 6'000'000U);
  EXPECT_EQ(vhost.publish_timeout, Duration{0});
  EXPECT_EQ(vhost.standby_timeout, Duration{60'000});
  EXPECT_EQ(vhost.play_wait, Duration{5'000});
  EXPECT_EQ(read("max-bitrate = 800kbit").max_bitrate, 800'000U);
  EXPECT_EQ(read("max-bitrate = 1000Gbit").max_bitrate, 1'000'000'000'000U);
  EXPECT_EQ(read("max-bitrate = 7bit").max_bitrate, 7U);
  EXPECT_EQ(read("max-bitrate = 0").max_bitrate, 0U);
  for (const char* value : {"", "6000000", "6mbit", "6 Mbit", "1.5Mbit", "-1kbit", "1001Gbit"}) {
    EXPECT_TRUE(expected_by(std::string("max-bitrate = ") + value)
                    .starts_with("a bitrate such as 800kbit, 6Mbit or 1Gbit"));
  }
  for (const char* key : {"max-players", "max-publishers"}) {
    for (const char* value : {"-1", "1000000001", "many", ""}) {
      EXPECT_EQ(expected_by(std::string(key) + " = " + value),
                "a whole number from 0 to 1000000000");
    }
  }
  for (const char* key : {"publish-timeout", "standby-timeout", "play-wait"}) {
    for (const char* value : {"-1s", "5", "50d", ""}) {
      EXPECT_TRUE(expected_by(std::string(key) + " = " + value).starts_with("a duration such as"));
    }
  }
}

TEST(VhostKeys, OfTheHandler) {
  EXPECT_EQ(VhostSettings().handler, VhostHandler::kListeners);
  EXPECT_EQ(read("handler = relay").handler, VhostHandler::kRelay);
  EXPECT_EQ(read("handler = forward\nupstream = 192.0.2.1:1").handler, VhostHandler::kForward);
  EXPECT_EQ(expected_by("handler = echo"), "one of relay, forward");
  EXPECT_NE(error_of(in_vhost("handler = forward")).find("there is no upstream"),
            std::string::npos);
}

TEST(VhostKeys, OfThePublisherThatHasAStream) {
  EXPECT_EQ(VhostSettings().publisher_yields, Duration{3'000});
  EXPECT_EQ(read("publisher = first").publisher_yields, std::nullopt);
  EXPECT_EQ(read("publisher = last").publisher_yields, Duration{0});
  EXPECT_EQ(read("publisher = silent:500ms").publisher_yields, Duration{500});
  for (const char* value : {"", "silent", "silent:", "silent:0", "silent:3", "second", "last:3s"}) {
    EXPECT_TRUE(expected_by(std::string("publisher = ") + value).starts_with("first, last, or"));
  }
}

TEST(VhostKeys, OfForwarding) {
  const VhostSettings vhost = read(
      "upstream = 192.0.2.1:1935\nupstream = [2001:db8::1]:1935  backup\n"
      "upstream = unix:/run/srs.sock backup\nupstream = origin.example.com:1935\nupstream-prefix = "
      "proxy-v2\n"
      "upstream-timeout = 1s\nupstream-fails = 1\nupstream-pause = 0");
  EXPECT_EQ(vhost.upstreams, (std::vector<Upstream>{{"192.0.2.1:1935", false},
                                                    {"[2001:db8::1]:1935", true},
                                                    {"unix:/run/srs.sock", true},
                                                    {"origin.example.com:1935", false}}));
  EXPECT_EQ(vhost.upstream_prefix, UpstreamPrefix::kProxyV2);
  EXPECT_EQ(vhost.upstream_timeout, Duration{1'000});
  EXPECT_EQ(vhost.upstream_fails, 1U);
  EXPECT_EQ(vhost.upstream_pause, Duration{0});
  EXPECT_EQ(read("upstream-prefix = proxy-v1").upstream_prefix, UpstreamPrefix::kProxyV1);
  EXPECT_EQ(read("upstream-prefix = srs-real-ip").upstream_prefix, UpstreamPrefix::kSrsRealIp);
  for (const char* value :
       {"", "backup", "localhost", "192.0.2.1", "192.0.2:1935", "a..b:1935", "a.test:0", ":1935",
        "192.0.2.1:0", "192.0.2.1:1935 spare", "192.0.2.1:1935 backup backup", "/run/x.sock",
        "unix:", "unix:/a b", "::1:1935"}) {
    EXPECT_TRUE(expected_by(std::string("upstream = ") + value)
                    .starts_with("an address such as 192.0.2.1:1935"));
  }
  EXPECT_EQ(error_of(in_vhost("upstream = [::1]:1\nupstream = [::1]:1 backup")),
            "mp.ini:5: [vhost a.test] upstream = [::1]:1 backup: expected an address that is not "
            "there already");
  std::string many;
  for (int port = 1; port <= 32; ++port) many += "upstream = [::1]:" + std::to_string(port) + "\n";
  EXPECT_EQ(read(many).upstreams.size(), 32U);
  EXPECT_EQ(error_of(in_vhost(many + "upstream = [::1]:33")),
            "mp.ini:36: [vhost a.test] upstream = [::1]:33: expected at most 32 upstreams");
  EXPECT_EQ(expected_by("upstream-prefix = proxy"), "one of none, proxy-v1, proxy-v2, srs-real-ip");
  EXPECT_TRUE(expected_by("upstream-timeout = 0").starts_with("a duration above 0"));
  EXPECT_EQ(expected_by("upstream-fails = 0"), "a whole number from 1 to 1000000");
  EXPECT_TRUE(expected_by("upstream-pause = x").starts_with("a duration such as"));
  const std::string forward = "[listener l]\nlisten = :1\nprotocol = rtmp\nhandler = forward\n";
  EXPECT_EQ(error_of(forward + "[vhost a]\n[vhost b]\nupstream = [::1]:1\n"), "no error");
}

TEST(VhostKeys, OnlyTheirOwnStandInASection) {
  const std::pair<const char*, const char*> wrong[] = {
      {"latancy = realtime", "unknown key; did you mean latency?"},
      {"polcy = hash", "unknown key; --help lists the known ones"},
      {"policy = hash", "belongs to a listener: expected in a [listener NAME] section"},
      {"workers = 2", "belongs to no section: expected before the first one"},
      {"config = x", "can be given on the command line only"},
  };
  for (const auto& [line, told] : wrong) {
    const std::string_view text = line;
    EXPECT_EQ(error_of(in_vhost(line)), std::string("mp.ini:4: [vhost a.test] ")
                                            .append(text.substr(0, text.find(' ')))
                                            .append(": ")
                                            .append(told));
  }
  EXPECT_EQ(error_of(std::string(kListener) + "jitter = off"),
            "mp.ini:3: [listener l] jitter: belongs to a vhost: expected in a [vhost NAME] "
            "section");
  EXPECT_EQ(error_of(in_vhost("jitter = off\njitter = full")),
            "mp.ini:5: [vhost a.test] jitter = full: given twice; before: mp.ini:4: [vhost a.test] "
            "jitter = off");
}

TEST(VhostSections, TenThousandFitAFile) {
  std::string text(kListener);
  for (int i = 0; i < 10'000; ++i) {
    text += "[vhost v" + std::to_string(i) + ".example.com]\nlatency = merge:350ms\n" +
            "publish-key = 0123456789\nplay-allow = 10.0.0.0/8,192.168.0.0/16\n" +
            "on-publish = http://127.0.0.1:8085/api/v1/streams\nmax-bitrate = 6Mbit\n";
  }
  const auto settings = parse_config(text, "mp.ini");
  ASSERT_TRUE(settings) << settings.error().text;
  ASSERT_EQ(settings->vhosts.size(), 10'000U);
  EXPECT_EQ(settings->vhosts.back().name, "v9999.example.com");
  EXPECT_EQ(settings->vhosts.back().max_bitrate, 6'000'000U);
}

}  // namespace
}  // namespace mpb
