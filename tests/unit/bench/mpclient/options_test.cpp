#include "bench/mpclient/options.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/command_line_reading.hpp"

namespace mpb::load {
namespace {

Settings read(const std::string& line) {
  return test::settings_of(read_command_line, line);
}

std::string error_of(const std::string& line) {
  return test::error_of(read_command_line, line);
}

TEST(MpclientOptions, ReadTheFormOf2012) {
  const Settings settings = read("127.0.0.1 1990 20 500");
  EXPECT_EQ(settings.mode, Mode::kPaced);
  EXPECT_EQ(settings.target.to_string(), "127.0.0.1:1990");
  EXPECT_EQ(settings.clients, 20U);
  EXPECT_EQ(settings.interval, Duration{500});
  EXPECT_EQ(settings.ids.id(19), 19);
  EXPECT_EQ(settings.duration, Duration{0});
  EXPECT_EQ(read("127.0.0.1 1990 20 0").interval, Duration{0});
  EXPECT_EQ(read("127.0.0.1 1990 20 5 --duration 3s").duration, Duration{3000});
}

TEST(MpclientOptions, KnowTheFormsOfATarget) {
  EXPECT_EQ(read("localhost 1990").target.to_string(), "127.0.0.1:1990");
  EXPECT_EQ(read("::1 1990").target.to_string(), "[::1]:1990");
  EXPECT_EQ(read("--connect [::1]:5").target.to_string(), "[::1]:5");
  EXPECT_EQ(read("--connect localhost:5").target.to_string(), "127.0.0.1:5");
  EXPECT_EQ(read("--connect unix:/run/x.sock").target.to_string(), "unix:/run/x.sock");
}

TEST(MpclientOptions, DefaultToAClosedLoop) {
  const Settings settings = read("127.0.0.1 1990");
  EXPECT_EQ(settings.mode, Mode::kClosed);
  EXPECT_EQ(settings.concurrency, 64U);
  EXPECT_EQ(settings.timeout, Duration{10'000});
  EXPECT_EQ(settings.threads, 1U);
  EXPECT_EQ(settings.message_size, 20U);
  EXPECT_FALSE(settings.script.ask_who);
  EXPECT_FALSE(settings.reset_on_close);
}

TEST(MpclientOptions, ChooseTheMode) {
  EXPECT_EQ(read("::1 1 --rate 0.5").mode, Mode::kOpen);
  EXPECT_EQ(read("::1 1 --rate 0.5").concurrency, 0U);
  EXPECT_EQ(read("::1 1 --hold 5s --clients 10").mode, Mode::kHold);
  EXPECT_EQ(read("::1 1 --storm --clients 10").mode, Mode::kStorm);
  EXPECT_EQ(read("::1 1 --storm --hold 1s --clients 10").hold, Duration{1000});
  EXPECT_EQ(read("::1 1 --interval 1s --clients 10").mode, Mode::kPaced);
}

TEST(MpclientOptions, VerifyAsksWho) {
  EXPECT_TRUE(read("::1 1 --verify").script.ask_who);
  EXPECT_TRUE(read("::1 1 --who").script.ask_who);
  EXPECT_FALSE(read("::1 1 --who").verify);
}

TEST(MpclientOptions, TakeAsManySourcesAsThePortsNeed) {
  EXPECT_EQ(read("127.0.0.1 1 --hold 1s --clients 25000").sources, 0U);
  EXPECT_EQ(read("127.0.0.1 1 --hold 1s --clients 25001").sources, 2U);
  EXPECT_EQ(read("127.0.0.1 1 --hold 1s --clients 100000").sources, 4U);
  EXPECT_GT(read("127.0.0.1 1 --duration 5s").sources, 1U);
  EXPECT_EQ(read("127.0.0.1 1 --clients 100").sources, 0U);
  EXPECT_EQ(read("127.0.0.1 1 --duration 5s --close rst").sources, 0U);
  EXPECT_EQ(read("::1 1 --duration 5s").sources, 0U);
  EXPECT_EQ(read("127.0.0.1 1 --sources 3").sources, 3U);
}

TEST(MpclientOptions, CountDescriptorsWithWitnesses) {
  const std::uint64_t plain = descriptors_needed(read("::1 1 --concurrency 100"));
  EXPECT_GT(plain, 100U);
  EXPECT_EQ(descriptors_needed(read("::1 1 --concurrency 100 --verify")), plain + 100);
  EXPECT_GT(descriptors_needed(read("::1 1 --hold 1s --clients 5000")), 5000U);
  EXPECT_EQ(descriptors_needed(read("::1 1 --rate 5")), 0U);
}

TEST(MpclientOptions, ErrorsNameTheOptionAndWhatIsAllowed) {
  EXPECT_EQ(error_of("::1 1 --clients ten"),
            "--clients ten: expected a whole number from 1 to 1000000000");
  EXPECT_EQ(error_of("::1 1 --duration 5"),
            "--duration 5: expected a duration above 0 such as 200ms, 5s, 1m, 2h or 1d, whole and "
            "with its unit, at most 49d");
  EXPECT_EQ(error_of("::1 1 --message-size 5KiB"),
            "--message-size 5KiB: expected a size such as 20B or 1KiB of at most 4096 bytes");
  EXPECT_EQ(error_of("::1 1 --close maybe"), "--close maybe: expected one of fin, rst");
  EXPECT_EQ(error_of("::1 1 --hold 5s"), "--clients is needed: how many clients to keep connected");
}

TEST(MpclientOptions, RefuseWrongCommandLines) {
  for (const char* line : {"",
                           "127.0.0.1",
                           "127.0.0.1 1 2",
                           "127.0.0.1 1 2 3 4",
                           "example.org 1990",
                           "127.0.0.1 65536",
                           "127.0.0.1 x",
                           "127.0.0.1 1 0 5",
                           "127.0.0.1 1 5 -1",
                           "127.0.0.1 1 5 5ms",
                           "127.0.0.1 1 --connect ::1",
                           "--connect nowhere",
                           "::1 1 --nonsense",
                           "::1 1 --client 5",
                           "::1 1 --clients",
                           "::1 1 --clients 0",
                           "::1 1 --clients 1 --clients 2",
                           "::1 1 --rate 0",
                           "::1 1 --rate -1",
                           "::1 1 --rate nan",
                           "::1 1 --rate 5x",
                           "::1 1 --ids uniform",
                           "::1 1 --threads 0",
                           "::1 1 --sources 2",
                           "::1 1 --timeout 0",
                           "::1 1 --rate 5 --storm --clients 5",
                           "::1 1 --storm --clients 5 --duration 5s",
                           "::1 1 --hold 1s --clients 5 --concurrency 2",
                           "::1 1 --interval 1s --clients 5 --rate 2",
                           "::1 1 5 5 --clients 6",
                           "::1 1 5 5 --hold 1s",
                           "::1 1 5 5 --messages 5"}) {
    EXPECT_NE(error_of(line), "no error") << line;
  }
}

TEST(MpclientOptions, HelpNeedsNothingElse) {
  const auto line = read_command_line({"--help"});
  ASSERT_TRUE(line.has_value());
  for (const char* text : {"--timeout TIME", "(default: 10s)", "--ids KIND", "(default: seq)",
                           "--storm", "--json FILE"}) {
    EXPECT_NE(line->print.find(text), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace mpb::load
