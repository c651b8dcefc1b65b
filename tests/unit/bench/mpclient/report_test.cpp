#include "bench/mpclient/report.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include <boost/json.hpp>

namespace mpb::load {
namespace {

Report sample_report() {
  Report report;
  report.settings.target = parse_endpoint("127.0.0.1:1990").value();
  report.settings.ids_text = "seq";
  report.settings.concurrency = 8;
  report.seconds = 2;
  report.wall_seconds = 2;
  report.cpu_seconds = 0.5;
  Tally& tally = report.tally;
  tally.started = tally.served = 100;
  tally.messages = 300;
  for (int i = 1; i <= 100; ++i) tally.dispatch.record(i * 1000);
  for (int i = 0; i < 100; ++i) tally.count_who({{i % 4 == 0 ? 0 : 1, 50 + i % 2}, i, 0});
  return report;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(MpclientReport, PassesOnlyWhenNobodyWasHarmed) {
  EXPECT_TRUE(sample_report().passed());
  for (std::uint64_t Tally::*counter : {&Tally::lost, &Tally::wrong, &Tally::refused}) {
    Report report = sample_report();
    report.tally.*counter = 1;
    EXPECT_FALSE(report.passed());
  }
  Report report = sample_report();
  report.tally.refused = 1;
  report.settings.allow_busy = true;
  EXPECT_TRUE(report.passed());
}

TEST(MpclientReport, CountsRates) {
  Report report = sample_report();
  EXPECT_DOUBLE_EQ(report.clients_per_second(), 50);
  EXPECT_DOUBLE_EQ(report.messages_per_second(), 150);
  report.first_wave_seconds = 0.5;
  EXPECT_DOUBLE_EQ(report.clients_per_second(), 200);
  report = Report{};
  EXPECT_DOUBLE_EQ(report.clients_per_second(), 0);
  EXPECT_DOUBLE_EQ(report.own_load().busy_percent(), 0);
}

TEST(MpclientReport, WarnsWhenMpclientWasTheBottleneck) {
  Report report = sample_report();
  EXPECT_DOUBLE_EQ(report.own_load().busy_percent(), 25);
  EXPECT_FALSE(contains(text_report(report), "warning"));
  report.cpu_seconds = 1.7;
  EXPECT_TRUE(contains(text_report(report), "warning"));
  report.settings.threads = 2;
  EXPECT_DOUBLE_EQ(report.own_load().busy_percent(), 42.5);
  EXPECT_FALSE(contains(text_report(report), "warning"));
}

TEST(MpclientReport, TextSaysWhatHappened) {
  Report report = sample_report();
  report.tally.lost = 2;
  report.tally.problems[static_cast<std::size_t>(Problem::kReset)] = 2;
  report.tally.add_sample("client 7 was reset");
  const std::string text = text_report(report);
  EXPECT_TRUE(contains(text, "100 started, 100 served, 2 lost, 0 wrong, 0 refused"));
  EXPECT_TRUE(contains(text, "50 clients/s, 150 messages/s"));
  EXPECT_TRUE(contains(text, "2 reset by the server"));
  EXPECT_TRUE(contains(text, "client 7 was reset"));
  EXPECT_TRUE(contains(text, "closed loop, 8 clients in flight"));
  EXPECT_FALSE(contains(text, "connection refused"));
  EXPECT_FALSE(contains(text, "message  "));  // no latencies of what did not happen
}

TEST(MpclientReport, JsonHoldsTheSame) {
  Report report = sample_report();
  report.tally.lost = 2;
  report.tally.problems[static_cast<std::size_t>(Problem::kReset)] = 2;
  const std::string text = json_report(report);
  EXPECT_EQ(text.back(), '\n');
  const auto json = boost::json::parse(text);
  EXPECT_EQ(json.at("clients").at("served").to_number<int>(), 100);
  EXPECT_EQ(json.at("clients").at("lost").to_number<int>(), 2);
  EXPECT_EQ(json.at("errors").at("reset").to_number<int>(), 2);
  EXPECT_EQ(json.at("errors").at("misrouted").to_number<int>(), 0);
  EXPECT_FALSE(json.at("passed").as_bool());
  EXPECT_EQ(json.at("mode").as_string(), "closed");
  const auto& dispatch = json.at("latency_us").at("dispatch");
  EXPECT_EQ(dispatch.at("count").to_number<int>(), 100);
  EXPECT_NEAR(dispatch.at("p50").to_number<double>(), 50, 0.5);
  EXPECT_NEAR(dispatch.at("p99.9").to_number<double>(), 100, 1);
  EXPECT_DOUBLE_EQ(dispatch.at("max").to_number<double>(), 100);
  double shares = 0;
  for (const auto& worker : json.at("workers").as_array()) {
    shares += worker.at("share").to_number<double>();
  }
  EXPECT_DOUBLE_EQ(shares, 1);
}

TEST(MpclientTally, MergesThreads) {
  Tally one = sample_report().tally;
  Tally two = one;
  two.wrong = 3;
  two.problems[static_cast<std::size_t>(Problem::kMisrouted)] = 3;
  two.count_who({{9, 9}, 1, 2});
  for (int i = 0; i < 10; ++i) two.add_sample("sample");
  one.merge(two);
  EXPECT_EQ(one.started, 200U);
  EXPECT_EQ(one.wrong, 3U);
  EXPECT_EQ(one.messages, 600U);
  EXPECT_EQ(one.dispatch.count(), 200U);
  EXPECT_EQ(one.handed_over, 1U);
  EXPECT_EQ(one.answered_where_accepted, 200U);
  EXPECT_EQ(one.samples.size(), Tally::kMaxSamples);
  std::uint64_t clients = 0;
  for (const WorkerShare& share : one.workers) clients += share.clients;
  EXPECT_EQ(clients, 201U);
  EXPECT_EQ(one.workers.back().worker, (Worker{9, 9}));
}

TEST(MpclientTally, NamesEveryProblem) {
  EXPECT_EQ(problem_names().size(), kProblems);
  for (const ProblemName& name : problem_names()) {
    EXPECT_FALSE(name.key.empty());
    EXPECT_FALSE(name.text.empty());
  }
  EXPECT_EQ(problem_names()[static_cast<std::size_t>(Problem::kMisrouted)].key, "misrouted");
  EXPECT_EQ(problem_names()[static_cast<std::size_t>(Problem::kReset)].key, "reset");
  EXPECT_FALSE(is_wrong(Problem::kOtherSystem));
  EXPECT_TRUE(is_wrong(Problem::kBadAnswer));
  EXPECT_EQ(problem_of_errno(ECONNREFUSED, true), Problem::kConnectRefused);
  EXPECT_EQ(problem_of_errno(ECONNRESET, false), Problem::kReset);
  EXPECT_EQ(problem_of_errno(EADDRNOTAVAIL, true), Problem::kNoLocalPort);
  EXPECT_EQ(problem_of_errno(EMFILE, true), Problem::kNoDescriptor);
}

}  // namespace
}  // namespace mpb::load
