#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <stdexcept>

#include <boost/json.hpp>

#include "mpctl/metrics_text.hpp"
#include "mpctl/open_metrics.hpp"
#include "tests/support/open_metrics_reader.hpp"

namespace mpb::ctl {
namespace {

using test::read_metrics;

TEST(OpenMetrics, WritesFamiliesWithTheirMetadata) {
  OpenMetrics metrics;
  metrics.begin({"a_cpu", MetricType::kCounter, "seconds", "Time."});
  metrics.add(std::array{MetricLabel{"slot", "0"}, MetricLabel{"listener", "main"}}, 1.5);
  metrics.add(std::array{MetricLabel{"slot", "1"}}, 2);
  metrics.begin({"a_clients", MetricType::kGauge, "", ""});
  metrics.add({}, 0);
  metrics.begin({"a", MetricType::kInfo, "", "Which."});
  metrics.add(std::array{MetricLabel{"version", "1"}}, 1);
  EXPECT_EQ(metrics.finish(),
            "# TYPE a_cpu_seconds counter\n"
            "# UNIT a_cpu_seconds seconds\n"
            "# HELP a_cpu_seconds Time.\n"
            "a_cpu_seconds_total{slot=\"0\",listener=\"main\"} 1.5\n"
            "a_cpu_seconds_total{slot=\"1\"} 2\n"
            "# TYPE a_clients gauge\n"
            "a_clients 0\n"
            "# TYPE a info\n"
            "# HELP a Which.\n"
            "a_info{version=\"1\"} 1\n"
            "# EOF\n");
}

TEST(OpenMetrics, EscapesLabelsAndHelp) {
  OpenMetrics metrics;
  metrics.begin({"a", MetricType::kGauge, "", "A \"b\" \\ c\nd"});
  metrics.add(std::array{MetricLabel{"l", "x\"} 9\n\\n ü"}}, 1);
  const std::string text = metrics.finish();
  EXPECT_EQ(text,
            "# TYPE a gauge\n"
            "# HELP a A \\\"b\\\" \\\\ c\\nd\n"
            "a{l=\"x\\\"} 9\\n\\\\n ü\"} 1\n"
            "# EOF\n");
  EXPECT_EQ(read_metrics(text).samples.size(), 1U);
}

TEST(OpenMetrics, AFamilyWithoutSamplesLeavesNothing) {
  OpenMetrics metrics;
  EXPECT_EQ(metrics.finish(), "# EOF\n");
  metrics.begin({"a", MetricType::kGauge, "bytes", "A."});
  EXPECT_EQ(metrics.finish(), "# EOF\n");
}

TEST(OpenMetrics, LargeNumbersAreWhole) {
  OpenMetrics metrics;
  metrics.begin({"a", MetricType::kGauge, "", ""});
  metrics.add({}, 9'007'199'254'740'992);
  EXPECT_NE(metrics.finish().find("a 9007199254740992\n"), std::string::npos);
}

boost::json::object sample_status() {
  return boost::json::parse(R"({
    "ok":true,"version":"0.1.0","state":"degraded","uptime_ms":61500,
    "listeners":[{"name":"main","address":"[::1]:1","clients":7,"accepted":1},
                 {"name":"main","address":"127.0.0.1:1","clients":2},
                 {"name":"a\"b\\c\u001b","address":"unix:@n","clients":1}],
    "workers":[
      {"slot":0,"state":"online","base":true,"uptime_ms":1000,"clients":5,"rss_bytes":4096,
       "accepted":1,"queue_high_water":{"broker":9,"worker":8}},
      {"slot":1,"state":"backoff","base":true,"uptime_ms":0,"in_flight":0}],
    "broker":{"handoffs":50,"cpu_ms":1500,"fds":12,"keys":3},
    "totals":{
      "listeners":[{"name":"main","address":"[::1]:1","accepted":100,"rejected":{"busy":2}}],
      "workers":[{"slot":0,"accepted":60,"handoffs":{"out":4},"restarts":2},
                 {"slot":7,"accepted":40}],
      "refused":{"key":3,"max-players":0}}})")
      .as_object();
}

TEST(MpctlMetrics, AreTheStatusInBaseUnits) {
  const auto read = read_metrics(metrics_text(sample_status()));
  const auto& samples = read.samples;
  EXPECT_EQ(samples.at("mpbroker_info{version=\"0.1.0\"}"), 1);
  EXPECT_EQ(samples.at("mpbroker_state{mpbroker_state=\"degraded\"}"), 1);
  EXPECT_EQ(samples.at("mpbroker_state{mpbroker_state=\"running\"}"), 0);
  EXPECT_EQ(samples.at("mpbroker_uptime_seconds"), 61.5);
  EXPECT_EQ(samples.at("mpbroker_workers{state=\"online\"}"), 1);
  EXPECT_EQ(samples.at("mpbroker_workers{state=\"backoff\"}"), 1);
  EXPECT_EQ(samples.at("mpbroker_workers{state=\"parked\"}"), 0);
  EXPECT_EQ(samples.at("mpbroker_base_workers"), 2);
  EXPECT_EQ(samples.at("mpbroker_listener_clients{listener=\"main\",address=\"[::1]:1\"}"), 7);
  EXPECT_EQ(samples.at("mpbroker_listener_clients{listener=\"main\",address=\"127.0.0.1:1\"}"), 2);
  EXPECT_EQ(samples.at("mpbroker_worker_uptime_seconds{slot=\"0\"}"), 1);
  EXPECT_EQ(samples.at("mpbroker_worker_rss_bytes{slot=\"0\"}"), 4096);
  EXPECT_EQ(samples.at("mpbroker_worker_queue_high_water_broker{slot=\"0\"}"), 9);
  EXPECT_EQ(samples.at("mpbroker_broker_cpu_seconds_total"), 1.5);
  EXPECT_EQ(samples.at("mpbroker_broker_handoffs_total"), 50);
  EXPECT_EQ(read.types.at("mpbroker_worker_queue_high_water_broker"), "gauge");
  EXPECT_EQ(read.types.at("mpbroker_state"), "stateset");
  EXPECT_EQ(read.units.at("mpbroker_broker_cpu_seconds"), "seconds");
  EXPECT_EQ(read.units.at("mpbroker_worker_rss_bytes"), "bytes");
}

TEST(MpctlMetrics, CountersAreTheTotals) {
  const auto counters = read_metrics(metrics_text(sample_status())).counters;
  EXPECT_EQ(counters.at("mpbroker_listener_accepted_total{listener=\"main\",address=\"[::1]:1\"}"),
            100);
  EXPECT_EQ(
      counters.at("mpbroker_listener_rejected_busy_total{listener=\"main\",address=\"[::1]:1\"}"),
      2);
  EXPECT_EQ(counters.at("mpbroker_worker_accepted_total{slot=\"0\"}"), 60);
  EXPECT_EQ(counters.at("mpbroker_worker_accepted_total{slot=\"7\"}"), 40) << "retired";
  EXPECT_EQ(counters.at("mpbroker_worker_handoffs_out_total{slot=\"0\"}"), 4);
  EXPECT_EQ(counters.at("mpbroker_worker_restarts_total{slot=\"0\"}"), 2);
  EXPECT_EQ(counters.at("mpbroker_refused_total{reason=\"key\"}"), 3);
}

TEST(MpctlMetrics, ShowNamesFromElsewhereHarmlessAndEscaped) {
  const std::string text = metrics_text(sample_status());
  EXPECT_NE(text.find(R"({listener="a\"b\\c\\x1b",address="unix:@n"} 1)"), std::string::npos)
      << text;
}

TEST(MpctlMetrics, LeaveOutWhatTheAnswerLacks) {
  for (const char* odd : {"{}", R"({"workers":{},"listeners":3,"broker":[],"totals":1})",
                          R"({"workers":[1,{}],"totals":{"workers":[{}],"refused":{}}})"}) {
    const auto read = read_metrics(metrics_text(boost::json::parse(odd).as_object()));
    EXPECT_TRUE(read.counters.empty()) << odd;
  }
  auto older = sample_status();
  older.erase("totals");
  const auto counters = read_metrics(metrics_text(older)).counters;
  EXPECT_EQ(counters.count("mpbroker_worker_accepted_total{slot=\"0\"}"), 0U)
      << "those of the process would fall";
}

TEST(OpenMetricsReader, TakesNoOther) {
  for (const char* wrong :
       {"", "# EOF", "a 1\n# EOF\n", "# TYPE a gauge\na 1\n", "# TYPE a counter\na 1\n# EOF\n",
        "# TYPE a gauge\n# UNIT a bytes\n# EOF\n", "# TYPE a gauge\na{l=\"\\x\"} 1\n# EOF\n",
        "# TYPE a gauge\na 1\na 1\n# EOF\n", "# TYPE a gauge\na 1\n# EOF\na 2\n",
        "# TYPE a gauge\n# TYPE b gauge\na 1\n# EOF\n", "# TYPE a gauge\n# HELP a \\x\n# EOF\n"}) {
    EXPECT_THROW(read_metrics(wrong), std::runtime_error) << wrong;
  }
}

}  // namespace
}  // namespace mpb::ctl
