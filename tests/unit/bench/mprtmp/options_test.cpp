#include "bench/mprtmp/options.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/command_line_reading.hpp"

namespace mpb::rtmp_load {
namespace {

Settings read(const std::string& line) {
  return test::settings_of(read_command_line, line);
}

std::string error_of(const std::string& line) {
  return test::error_of(read_command_line, line);
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(MprtmpOptions, ReadAPublisher) {
  const Settings settings = read(
      "127.0.0.1 1935 --publish --vhosts 3 --streams 2 --bitrate 1.5Mbit --audio 64kbit --fps 25 "
      "--gop 4s --duration 20s");
  EXPECT_EQ(settings.target.to_string(), "127.0.0.1:1935");
  EXPECT_EQ(mode_name(settings), "publish");
  EXPECT_EQ(settings.publishers(), 6U);
  EXPECT_EQ(settings.shape, (StreamShape{1'500'000, 64'000, 25, Duration{4'000}}));
  EXPECT_EQ(settings.duration, Duration{20'000});
  EXPECT_EQ(settings.sources, 0U);
}

TEST(MprtmpOptions, ReadPlayers) {
  const Settings settings = read(
      "localhost 1935 --publish --play --clients 1000 --rate 200 --app a --stream x --vhost "
      "h%d.example --vhost-form app --hold 5s --digest --json -");
  EXPECT_EQ(mode_name(settings), "publish+play");
  EXPECT_EQ(settings.at_once(), 1'001U);
  EXPECT_EQ(settings.rate, 200);
  EXPECT_EQ(settings.hold, Duration{5'000});
  EXPECT_EQ(settings.names.form, VhostForm::kApp);
  EXPECT_TRUE(settings.digest);
  EXPECT_EQ(settings.json_file, "-");
  EXPECT_EQ(read("::1 1935 --play --clients 1").target.to_string(), "[::1]:1935");
}

TEST(MprtmpOptions, ReadChurn) {
  const Settings settings = read("127.0.0.1 1935 --churn --until key --close rst");
  EXPECT_EQ(mode_name(settings), "churn");
  EXPECT_EQ(settings.concurrency, 16U);
  EXPECT_EQ(settings.until, Until::kKey);
  EXPECT_EQ(settings.sources, 0U);
  EXPECT_EQ(read("127.0.0.1 1935 --churn").sources, 8U);
  EXPECT_EQ(read("127.0.0.1 1935 --churn").until, Until::kMedia);
}

TEST(MprtmpOptions, NameWhatIsWrong) {
  EXPECT_TRUE(contains(error_of("127.0.0.1 1935"), "--publish"));
  EXPECT_TRUE(contains(error_of("127.0.0.1 --play"), "HOST PORT"));
  EXPECT_TRUE(contains(error_of("127.0.0.1 1 2 --play"), "HOST PORT"));
  EXPECT_TRUE(contains(error_of("--connect unix:/x --publish"), "TCP"));
  EXPECT_TRUE(contains(error_of("127.0.0.1 1935 --play"), "--clients"));
  EXPECT_TRUE(contains(error_of("127.0.0.1 1935 --publish --clients 3"), "--clients"));
  EXPECT_TRUE(contains(error_of("127.0.0.1 1935 --churn --play"), "--churn"));
  EXPECT_TRUE(contains(error_of("127.0.0.1 1935 --churn --hold 1s"), "--hold"));
  EXPECT_TRUE(contains(error_of("127.0.0.1 1935 --play --clients 1 --until key"), "--until"));
  EXPECT_TRUE(contains(error_of("127.0.0.1 1935 --publish --bitrate 2.5"), "--bitrate"));
  EXPECT_TRUE(contains(error_of("127.0.0.1 1935 --publish --bitrate 2Gbit"), "--bitrate"));
  EXPECT_TRUE(contains(error_of("127.0.0.1 1935 --publish --bitrate 20kbit"), "too few"));
  EXPECT_TRUE(contains(error_of("127.0.0.1 1935 --publish --vhosts 2 --vhost x"), "%d"));
  EXPECT_TRUE(contains(error_of("127.0.0.1 1935 --publish --vhost-form host"), "tcurl"));
  EXPECT_TRUE(contains(error_of("127.0.0.1 1935 --publish --pub"), "--pub"));
  EXPECT_TRUE(contains(error_of("[::1] 1935 --publish --sources 2"), "--sources"));
}

TEST(MprtmpOptions, HelpNamesThemAll) {
  const std::string help = read_command_line({"--help"})->print;
  for (const auto& option : program().options) {
    EXPECT_TRUE(contains(help, "--" + std::string(option.name))) << option.name;
  }
  EXPECT_TRUE(read_command_line({"--version"})->print.starts_with("mprtmp "));
}

TEST(MprtmpAddress, NamesTheVhostInEachForm) {
  const Endpoint target = parse_endpoint("127.0.0.1:1935").value();
  StreamNames names;
  names.vhosts = 3;
  names.streams = 2;
  EXPECT_EQ(make_address(names, 1, target), (Address{"rtmp://v1.test/live", "live", "s0"}));
  EXPECT_EQ(make_address(names, 4, target), (Address{"rtmp://v1.test/live", "live", "s1"}));
  names.streams = 1;
  EXPECT_EQ(make_address(names, 2, target), (Address{"rtmp://v2.test/live", "live", "s"}));
  names.form = VhostForm::kApp;
  EXPECT_EQ(make_address(names, 2, target),
            (Address{"rtmp://127.0.0.1:1935/live?vhost=v2.test", "live?vhost=v2.test", "s"}));
  names.form = VhostForm::kStream;
  EXPECT_EQ(make_address(names, 2, target),
            (Address{"rtmp://127.0.0.1:1935/live", "live", "s?vhost=v2.test"}));
}

}  // namespace
}  // namespace mpb::rtmp_load
