#include "bench/mprtmp/report.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include <boost/json.hpp>

namespace mpb::rtmp_load {
namespace {

Report sample_report() {
  Report report;
  report.settings.target = parse_endpoint("127.0.0.1:1935").value();
  report.settings.publish = report.settings.play = true;
  report.settings.clients = 10;
  report.seconds = 4;
  report.own_load = {1, 4, 1};
  Tally& tally = report.tally;
  tally.publishers.started = tally.publishers.served = 1;
  tally.players.started = tally.players.served = 10;
  tally.video = {1'200, 2, 1, 0, 0};
  tally.total.bytes_received = 4'000'000;
  tally.total.bytes_sent = 500'000;
  for (int i = 1; i <= 100; ++i) tally.transit.record(i * 1'000);
  return report;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(MprtmpReport, PassesOnlyWhenNobodyWasHarmed) {
  EXPECT_TRUE(sample_report().passed());
  for (ClientCounts Tally::*clients : {&Tally::publishers, &Tally::players}) {
    for (std::uint64_t ClientCounts::*counter : {&ClientCounts::lost, &ClientCounts::wrong}) {
      Report report = sample_report();
      (report.tally.*clients).*counter = 1;
      EXPECT_FALSE(report.passed());
    }
  }
  Report report = sample_report();
  report.tally.players.unfinished = 1;
  EXPECT_TRUE(report.passed());
}

TEST(MprtmpReport, TellsBitsOfTheWindowWhenThereWasOne) {
  Report report = sample_report();
  EXPECT_DOUBLE_EQ(report.bits_received_per_second(), 8e6);
  EXPECT_DOUBLE_EQ(report.bits_sent_per_second(), 1e6);
  report.window_seconds = 2;
  report.tally.window.bytes_received = 2'500'000;
  EXPECT_DOUBLE_EQ(report.bits_received_per_second(), 10e6);
}

TEST(MprtmpReport, CountsSessionsOfChurnOnly) {
  Report report = sample_report();
  EXPECT_DOUBLE_EQ(report.sessions_per_second(), 0);
  report.settings.play = false;
  report.settings.churn = true;
  EXPECT_DOUBLE_EQ(report.sessions_per_second(), 2.5);
}

TEST(MprtmpReport, SaysWhatHappened) {
  Report report = sample_report();
  report.tally.problems[static_cast<std::size_t>(Problem::kSilent)] = 3;
  report.tally.add_sample("player 7 of x: got no media for too long");
  const std::string text = text_report(report);
  EXPECT_TRUE(contains(text, "played    10 started, 10 served, 0 lost"));
  EXPECT_TRUE(contains(text, "received  8.00 Mbit/s"));
  EXPECT_TRUE(contains(text, "1200 frames, 2 lost in 1 gaps"));
  EXPECT_TRUE(contains(text, "transit"));
  EXPECT_FALSE(contains(text, "key frame  "));
  EXPECT_TRUE(contains(text, "3 got no media for too long"));
  EXPECT_TRUE(contains(text, "player 7"));
  EXPECT_TRUE(contains(text, "busy 25 %"));
}

TEST(MprtmpReport, HasTheSameAsJson) {
  Report report = sample_report();
  report.tally.problems[static_cast<std::size_t>(Problem::kReset)] = 1;
  const auto json = boost::json::parse(json_report(report)).as_object();
  EXPECT_EQ(json.at("mode"), "publish+play");
  EXPECT_EQ(json.at("players").at("served").to_number<int>(), 10);
  EXPECT_EQ(json.at("video").at("lost").to_number<int>(), 2);
  EXPECT_EQ(json.at("total").at("bytes_received").to_number<int>(), 4'000'000);
  EXPECT_EQ(json.at("latency_us").at("transit").at("count").to_number<int>(), 100);
  EXPECT_EQ(json.at("errors").at("reset").to_number<int>(), 1);
  EXPECT_EQ(json.at("errors").as_object().size(), kProblems);
  EXPECT_TRUE(json.at("passed").as_bool());
}

TEST(MprtmpReport, NamesProblemsOfTheKernel) {
  EXPECT_EQ(problem_of_errno(ECONNREFUSED, true), Problem::kConnectRefused);
  EXPECT_EQ(problem_of_errno(ETIMEDOUT, true), Problem::kConnectTimeout);
  EXPECT_EQ(problem_of_errno(ECONNRESET, false), Problem::kReset);
  EXPECT_EQ(problem_of_errno(EADDRNOTAVAIL, true), Problem::kNoLocalPort);
  EXPECT_EQ(problem_of_errno(EIO, false), Problem::kOtherSystem);
}

}  // namespace
}  // namespace mpb::rtmp_load
