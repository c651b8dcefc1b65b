#include "proto/rtmp/location.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mpb::rtmp {
namespace {

using namespace std::string_literals;

/// A connect with these properties, in this order.
Command connect(std::vector<std::pair<std::string, amf0::Value>> properties) {
  amf0::Object object;
  for (auto& property : properties) object.properties.push_back(std::move(property));
  Command command{"connect", 1, {}};
  command.arguments.emplace_back(std::move(object));
  return command;
}

std::optional<ConnectTarget> target_of(const std::string& app, const std::string& tc_url) {
  return read_connect(connect({{"app", app}, {"tcUrl", tc_url}}));
}

TEST(RtmpLocation, VhostNamesAreNormalised) {
  const std::string longest(kMaxVhost, 'a');
  const std::vector<std::pair<std::string, std::string>> cases{
      {"a.test", "a.test"},
      {"A.TeSt", "a.test"},
      {"a.test.", "a.test"},
      {"a.test..", "a.test"},
      {"a.test:1935", "a.test"},
      {"a.test.:1935", "a.test"},
      {"a.test:", "a.test"},
      {"with_underscore-and-dash", "with_underscore-and-dash"},
      {"b\xc3\xbc"
       "cher.test",
       "b\xc3\xbc"
       "cher.test"},
      {"1.2.3", "1.2.3"},
      {"1.2.3.4.5", "1.2.3.4.5"},
      {longest, longest},
      {longest + ".:1935", longest},
  };
  for (const auto& [name, normal] : cases) EXPECT_EQ(normalize_vhost(name), normal) << name;
}

TEST(RtmpLocation, AddressesAndNoNameAreTheDefaultVhost) {
  for (const char* name :
       {"", ".", ":1935", "__defaultVhost__", "__DEFAULTVHOST__", "__defaultvhost__.", "127.0.0.1",
        "127.0.0.1:1935", "127.0.0.1.", "::1", "2001:DB8::1", "[::1]", "[::1]:1935",
        "[::1]:", "::ffff:192.0.2.1", "fe80::1%eth0", "[fe80::1%eth0]:1935"}) {
    EXPECT_EQ(normalize_vhost(name), kDefaultVhost) << name;
  }
}

TEST(RtmpLocation, VhostNamesWithOtherBytesAreRefused) {
  for (const std::string& name : {"a b"s,
                                  "a/b"s,
                                  "/"s,
                                  "a\0b"s,
                                  "\0"s,
                                  "a\n"s,
                                  "a\x7f"s,
                                  "*.a.test"s,
                                  "a,b"s,
                                  "a?b"s,
                                  "a%2e"s,
                                  "a:b"s,
                                  "a:1:2"s,
                                  "a:123456"s,
                                  "[::1"s,
                                  "[::1]x"s,
                                  "[::1]:x"s,
                                  "[a.test]"s,
                                  "[]"s,
                                  "[1.2.3.4]"s,
                                  "::1\0"s,
                                  "::1%a b"s,
                                  std::string(kMaxVhost + 1, 'a')}) {
    EXPECT_EQ(normalize_vhost(name), std::nullopt) << testing::PrintToString(name);
  }
}

struct ConnectCase {
  std::string app;
  std::string tc_url;
  std::string vhost;
  std::string want_app;
  std::string parameters;
};

TEST(RtmpLocation, ConnectNamesVhostAndAppInEachForm) {
  const std::string long_name(300, 'n');
  const std::string token(20'000, 't');
  const std::vector<ConnectCase> cases{
      // The host of tcUrl.
      {"live", "rtmp://a.test/live", "a.test", "live", ""},
      {"live", "rtmp://A.Test.:1935/live", "a.test", "live", ""},
      {"live", "rtmp://127.0.0.1:1935/live", "__defaultVhost__", "live", ""},
      {"live", "rtmp://[::1]:1935/live", "__defaultVhost__", "live", ""},
      {"live", "rtmp://user:word@a.test/live", "a.test", "live", ""},
      {"live", "rtmps://a.test", "a.test", "live", ""},
      {"live", "rtmp://a.test?vhost=b.test", "b.test", "live", ""},
      {"live", "", "__defaultVhost__", "live", ""},
      {"live", "a.test/live", "__defaultVhost__", "live", ""},
      // Parameters of tcUrl, of app, and of both.
      {"live", "rtmp://a.test/live?vhost=b.test", "b.test", "live", ""},
      {"live", "rtmp://a.test/live?domain=b.test", "b.test", "live", ""},
      {"live?vhost=b.test", "rtmp://a.test/live", "b.test", "live", ""},
      {"live?domain=b.test", "rtmp://a.test/live", "b.test", "live", ""},
      {"live?domain=c.test&vhost=b.test", "rtmp://a.test/live", "b.test", "live", ""},
      {"live?vhost=c.test", "rtmp://a.test/live?vhost=b.test", "c.test", "live", ""},
      {"live?vhost=B.test:1935", "rtmp://a.test/live?vhost=B.test:1935", "b.test", "live", ""},
      {"live?vhost=%62.test", "rtmp://a.test/live", "b.test", "live", ""},
      {"live?vhost=b.test/", "rtmp://a.test/live?vhost=b.test/", "b.test", "live", ""},
      {"live?vhost=192.0.2.7", "rtmp://a.test/live", "__defaultVhost__", "live", ""},
      // These name none.
      {"live?vhost=", "rtmp://a.test/live", "a.test", "live", ""},
      {"live?vhost", "rtmp://a.test/live", "a.test", "live", ""},
      {"live?vhost=__defaultVhost__", "rtmp://a.test/live", "a.test", "live", ""},
      {"live?xvhost=b.test", "rtmp://a.test/live", "a.test", "live", "xvhost=b.test"},
      // The old form.
      {"live...vhost...b.test", "rtmp://a.test/live", "b.test", "live", ""},
      {"live", "rtmp://a.test/live...vhost...b.test", "b.test", "live", ""},
      {"live...vhost...b.test", "rtmp://a.test/live...vhost...c.test", "b.test", "live", ""},
      {"live?vhost=c.test", "rtmp://a.test/live...vhost...b.test", "b.test", "live", ""},
      {"live...vhost...b.test...key...x", "rtmp://a.test/live", "b.test", "live", ""},
      {"live...key...x...vhost...b.test", "rtmp://a.test/live", "b.test", "live", ""},
      {"live...vhost...b.test?key=x", "rtmp://a.test/live", "b.test", "live", "key=x"},
      {"live...vhost...", "rtmp://a.test/live", "a.test", "live", ""},
      // Apps.
      {"live/room", "rtmp://a.test/live/room", "a.test", "live/room", ""},
      {"/live/", "rtmp://a.test/live/", "a.test", "live", ""},
      {"live/?vhost=b.test", "rtmp://a.test/live", "b.test", "live", ""},
      {"live/_definst_", "rtmp://a.test/live/_definst_", "a.test", "live", ""},
      {"", "rtmp://a.test/live/room?key=x", "a.test", "live/room", "key=x"},
      {long_name, "rtmp://a.test/" + long_name, "a.test", long_name, ""},
      {"live", "rtmp://a.test/live?key=" + token, "a.test", "live", "key=" + token},
      {"live?key=" + token, "rtmp://a.test/live", "a.test", "live", "key=" + token},
      // Hosts that are no names count as addresses, and their ports count for nothing.
      {"live", "rtmp://a.test:0/live", "a.test", "live", ""},
      {"live", "rtmp://A.test:/live", "a.test", "live", ""},
      {"live", "rtmp://a.test:1935:1936/live", "a.test", "live", ""},
      {"live", "rtmp://a.test:port/live", "a.test", "live", ""},
      {"live", "rtmp://a.test:1234567/live", "a.test", "live", ""},
      {"live", "rtmp://a b/live", "__defaultVhost__", "live", ""},
      {"live", "rtmp://a,b:1935/live", "__defaultVhost__", "live", ""},
      {"live", "rtmp://[::1/live", "__defaultVhost__", "live", ""},
      {"live", "rtmp://[::1]x/live", "__defaultVhost__", "live", ""},
      {"live", "rtmp://::1/live", "__defaultVhost__", "live", ""},
      {"live", "rtmp:///live", "__defaultVhost__", "live", ""},
      {"live", "://", "__defaultVhost__", "live", ""},
      {"live", "rtmp://" + long_name + "/live", "__defaultVhost__", "live", ""},
      // What is left of the parameters.
      {"live?key=a&vhost=b.test&x=y", "rtmp://a.test/live", "b.test", "live", "key=a&x=y"},
      {"live?domain=b.test&&key=%41", "rtmp://a.test/live", "b.test", "live", "key=%41"},
      {"live", "rtmp://a.test/live?key=a/b/", "a.test", "live", "key=a/b/"},
      {"live?key=app", "rtmp://a.test/live?key=url", "a.test", "live", "key=app"},
  };
  for (const ConnectCase& one : cases) {
    const std::optional<ConnectTarget> target = target_of(one.app, one.tc_url);
    const std::string shown = one.app + " at " + one.tc_url;
    ASSERT_TRUE(target) << shown;
    EXPECT_EQ(target->vhost, one.vhost) << shown;
    EXPECT_EQ(target->app, one.want_app) << shown;
    EXPECT_EQ(target->parameters, one.parameters) << shown;
    EXPECT_EQ(target->tc_url, one.tc_url) << shown;
  }
}

TEST(RtmpLocation, ConnectsThatNameNothingUsableAreRefused) {
  const std::string long_name(kMaxName + 1, 'a');
  const std::string long_vhost(kMaxVhost + 1, 'a');
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "rtmp://a.test"},
      {"", "rtmp://a.test/"},
      {"/", "rtmp://a.test/"},
      {"?vhost=b.test", "rtmp://a.test"},
      {"...vhost...b.test", "rtmp://a.test"},
      {long_name, "rtmp://a.test/live"},
      {"li\nve", "rtmp://a.test/live"},
      {"li\0ve"s, "rtmp://a.test/live"},
      {"live?vhost=a/b", "rtmp://a.test/live"},
      {"live?vhost=a%00b", "rtmp://a.test/live"},
      {"live...vhost...a/b", "rtmp://a.test/live"},
      {"live?vhost=" + long_vhost, "rtmp://a.test/live"},
      {"live", "rtmp://a.test/" + long_name},
      {"live?key=" + long_name, "rtmp://a.test/live"},
  };
  for (const auto& [app, tc_url] : cases) {
    EXPECT_FALSE(target_of(app, tc_url)) << testing::PrintToString(app) << " at " << tc_url;
  }
}

TEST(RtmpLocation, OnlyAConnectWithAnObjectIsOne) {
  Command command = connect({{"app", "live"}, {"tcUrl", "rtmp://a.test/live"}});
  EXPECT_TRUE(read_connect(command));
  command.name = "Connect";
  EXPECT_FALSE(read_connect(command));
  EXPECT_FALSE(read_connect(Command{"connect", 1, {}}));
  Command null{"connect", 1, {}};
  null.arguments.emplace_back(amf0::Null{});
  EXPECT_FALSE(read_connect(null));
  EXPECT_FALSE(read_connect(connect({{"app", 1.0}, {"tcUrl", true}})));
}

TEST(RtmpLocation, ConnectTellsTransactionAndObjectEncoding) {
  Command command = connect({{"app", "live"}, {"objectEncoding", 3.0}});
  command.transaction = 7;
  EXPECT_EQ(read_connect(command)->transaction, 7);
  EXPECT_EQ(read_connect(command)->object_encoding, 3);
  EXPECT_EQ(read_connect(connect({{"app", "live"}}))->object_encoding, 0);
  EXPECT_EQ(read_connect(connect({{"app", "live"}, {"objectEncoding", 4.0}}))->object_encoding, 0);
  EXPECT_EQ(read_connect(connect({{"app", "live"}, {"objectEncoding", "3"}}))->object_encoding, 0);
}

TEST(RtmpLocation, ConnectTellsWhetherAVhostWasAskedForByName) {
  EXPECT_FALSE(target_of("live", "rtmp://a.test/live")->names_vhost);
  EXPECT_FALSE(target_of("live?vhost=", "rtmp://a.test/live")->names_vhost);
  EXPECT_TRUE(target_of("live?vhost=b.test", "rtmp://a.test/live")->names_vhost);
  EXPECT_TRUE(target_of("live", "rtmp://a.test/live?domain=b.test")->names_vhost);
  EXPECT_TRUE(target_of("live...vhost...b.test", "rtmp://a.test/live")->names_vhost);
}

TEST(RtmpLocation, ConnectTellsWhetherTheClientKnowsEnhancedRtmp) {
  EXPECT_FALSE(read_connect(connect({{"app", "live"}}))->enhanced);
  for (const char* name : {"fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap", "capsEx"}) {
    EXPECT_TRUE(read_connect(connect({{"app", "live"}, {name, 4.0}}))->enhanced) << name;
  }
}

TEST(RtmpLocation, OnlyWhatNeedsAConnectionEndsTheOpening) {
  for (const char* name : {"connect", "createStream", "deleteStream", "publish", "play"}) {
    EXPECT_TRUE(ends_opening(name)) << name;
  }
  for (const char* name : {"", "someCall", "_result", "onStatus", "@setDataFrame"}) {
    EXPECT_FALSE(ends_opening(name)) << name;
  }
}

TEST(RtmpLocation, StreamNamesMayNameAVhost) {
  struct Case {
    std::string name, stream, vhost, parameters;
  };
  const std::vector<Case> cases{
      {"s", "s", "", ""},
      {"", "", "", ""},
      {"?vhost=b.test", "", "b.test", ""},
      {"s?vhost=B.test:1935&key=abc", "s", "b.test", "key=abc"},
      {"s?key=abc&domain=b.test", "s", "b.test", "key=abc"},
      {"s?vhost=", "s", "", ""},
      {"s?vhost=__defaultVhost__&key=a", "s", "", "key=a"},
      {"s?vhost=192.0.2.7", "s", "__defaultVhost__", ""},
      {"mp4:dir/s.mp4?key=a?b", "mp4:dir/s.mp4", "", "key=a?b"},
      {"/dir/s/", "dir/s", "", ""},
      {std::string(kMaxName, 's'), std::string(kMaxName, 's'), "", ""},
  };
  for (const Case& one : cases) {
    const std::optional<StreamTarget> target = read_stream_name(one.name);
    ASSERT_TRUE(target) << one.name;
    EXPECT_EQ(target->stream, one.stream) << one.name;
    EXPECT_EQ(target->vhost, one.vhost) << one.name;
    EXPECT_EQ(target->parameters, one.parameters) << one.name;
  }
}

TEST(RtmpLocation, StreamNamesThatCannotBeAreRefused) {
  for (const std::string& name :
       {std::string(kMaxName + 1, 's'), "s?key=" + std::string(kMaxName, 'a'), "s\r\n"s, "s\0"s,
        "s?vhost=a b"s, "s?vhost=a/b"s, "s?domain=" + std::string(kMaxVhost + 1, 'a')}) {
    EXPECT_FALSE(read_stream_name(name)) << testing::PrintToString(name);
  }
}

TEST(RtmpLocation, ParametersAreFoundAndDecoded) {
  EXPECT_EQ(find_parameter("a=1&b=2", "b"), "2");
  EXPECT_EQ(find_parameter("a=1&a=2", "a"), "1");
  EXPECT_EQ(find_parameter("a=b=c", "a"), "b=c");
  EXPECT_EQ(find_parameter("a&b=2", "a"), "");
  EXPECT_EQ(find_parameter("a=%2F%2f+%41", "a"), "//+A");
  EXPECT_EQ(find_parameter("a=%", "a"), "%");
  EXPECT_EQ(find_parameter("a=%4", "a"), "%4");
  EXPECT_EQ(find_parameter("a=%4g&b=%zz", "b"), "%zz");
  EXPECT_EQ(find_parameter("", "a"), std::nullopt);
  EXPECT_EQ(find_parameter("ab=1&ba=2", "a"), std::nullopt);
}

TEST(RtmpLocation, SixCommandsNameAStream) {
  for (const char* name :
       {"releaseStream", "FCPublish", "FCSubscribe", "getStreamLength", "play", "publish"}) {
    EXPECT_TRUE(names_stream(name)) << name;
  }
  for (const char* name : {"", "connect", "createStream", "FCUnpublish", "Play", "deleteStream"}) {
    EXPECT_FALSE(names_stream(name)) << name;
  }
}

TEST(RtmpLocation, APathJoinsTheThreeNames) {
  EXPECT_EQ(stream_path("a.test", "live/room", "s"), "a.test/live/room/s");
}

}  // namespace
}  // namespace mpb::rtmp
