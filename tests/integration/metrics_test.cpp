// What Prometheus and probes read of a running broker: mpctl metrics and mpctl health.
#include <gtest/gtest.h>

#include <csignal>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"
#include "tests/integration/harness/processes.hpp"
#include "tests/support/open_metrics_reader.hpp"

namespace mpb::test {
namespace {

Outcome ask(const BrokerProcess& broker, const std::string& command) {
  return run("mpctl", {"--control-socket", broker.control_path(), command});
}

MetricsRead metrics(const BrokerProcess& broker) {
  const Outcome outcome = ask(broker, "metrics");
  EXPECT_EQ(outcome.exit, "exit 0") << outcome.err;
  return read_metrics(outcome.out);
}

/// Each counter that was there is there, and no less.
void expect_none_fell(const MetricsRead& before, const MetricsRead& after) {
  EXPECT_FALSE(before.counters.empty());
  for (const auto& [series, value] : before.counters) {
    const auto now = after.counters.find(series);
    ASSERT_NE(now, after.counters.end()) << series;
    EXPECT_GE(now->second, value) << series;
  }
}

double sum(const MetricsRead& read, const std::string& family) {
  double total = 0;
  for (const auto& [series, value] : read.counters) {
    if (series.starts_with(family + "{")) total += value;
  }
  return total;
}

/// Clients come, are served and leave.
void serve(const BrokerProcess& broker, std::size_t clients) {
  Crowd crowd(broker.port(), clients);
  EXPECT_EQ(crowd.join([](std::size_t i) { return i; }), clients) << crowd.failures();
}

TEST(Metrics, TellWhatTheStatusTells) {
  const BrokerProcess broker({"--workers", "2"});
  serve(broker, 20);
  ASSERT_TRUE(broker.await_held(0));
  const MetricsRead read = metrics(broker);
  EXPECT_EQ(read.samples.at("mpbroker_workers{state=\"online\"}"), 2);
  EXPECT_EQ(read.samples.at("mpbroker_state{mpbroker_state=\"running\"}"), 1);
  EXPECT_EQ(read.samples.at("mpbroker_worker_clients{slot=\"0\"}"), 0);
  EXPECT_GT(read.samples.at("mpbroker_worker_rss_bytes{slot=\"1\"}"), 100'000);
  EXPECT_GT(read.samples.at("mpbroker_broker_fds"), 3);
  EXPECT_EQ(read.units.at("mpbroker_uptime_seconds"), "seconds");
  const BrokerStatus status = broker.status();
  EXPECT_EQ(sum(read, "mpbroker_listener_accepted_total"), 20);
  EXPECT_EQ(sum(read, "mpbroker_worker_accepted_total"), 20);
  EXPECT_EQ(read.counters.at("mpbroker_worker_handoffs_out_total{slot=\"0\"}"),
            static_cast<double>(status.worker(0).handoffs.out));
  EXPECT_EQ(read.counters.at("mpbroker_broker_handoffs_total"),
            static_cast<double>(status.handoffs));
}

TEST(Metrics, CountersStayWhenWorkersAreKilledAndGoOn) {
  const BrokerProcess broker({"--workers", "2"});
  serve(broker, 20);
  ASSERT_TRUE(broker.await_held(0));
  const MetricsRead before = metrics(broker);
  for (const int slot : {0, 1}) ::kill(broker.worker_pid(slot), SIGKILL);
  ASSERT_TRUE(
      eventually([&] { return broker.worker(0).restarts + broker.worker(1).restarts == 2; }));
  expect_none_fell(before, metrics(broker));
  ASSERT_TRUE(broker.await_workers(2));
  EXPECT_EQ(broker.worker(0).accepted + broker.worker(1).accepted, 0) << "the status begins anew";
  expect_none_fell(before, metrics(broker));
  serve(broker, 10);
  ASSERT_TRUE(broker.await_held(0));
  const MetricsRead after = metrics(broker);
  expect_none_fell(before, after);
  EXPECT_EQ(sum(after, "mpbroker_listener_accepted_total"), 30);
  EXPECT_EQ(sum(after, "mpbroker_worker_accepted_total"), 30);
  EXPECT_EQ(sum(after, "mpbroker_worker_restarts_total"), 2);
  EXPECT_EQ(sum(after, "mpbroker_worker_taken_total"),
            after.counters.at("mpbroker_broker_delivered_total") +
                after.counters.at("mpbroker_broker_kept_total"));
}

TEST(Metrics, CountersStayWhenAnExtraWorkerRetires) {
  const BrokerProcess broker(
      {"--workers", "1", "--max-workers", "2", "--max-clients", "5", "--linger", "100ms"});
  MetricsRead before;
  {
    Crowd crowd(broker.port(), 8);
    EXPECT_EQ(crowd.join([](std::size_t i) { return i; }), 8U) << crowd.failures();
    EXPECT_EQ(broker.status().count("online"), 2U);
    before = metrics(broker);
    EXPECT_GT(before.counters.at("mpbroker_worker_taken_total{slot=\"1\"}"), 0);
  }
  ASSERT_TRUE(eventually([&] { return !broker.status().has(1); }));
  const MetricsRead after = metrics(broker);
  expect_none_fell(before, after);
  EXPECT_EQ(after.samples.count("mpbroker_worker_uptime_seconds{slot=\"1\"}"), 0U);
  EXPECT_EQ(sum(after, "mpbroker_listener_accepted_total"), 8);
}

TEST(Metrics, NeedABrokerThatAnswers) {
  const Outcome nobody = run("mpctl", {"--control-socket", "/nonexistent/mp.sock", "metrics"});
  EXPECT_EQ(nobody.exit, "exit 1");
  EXPECT_EQ(nobody.out, "");
}

TEST(Health, IsWellWrongOrDown) {
  BrokerProcess broker({"--workers", "2", "--drain-timeout", "30s"});
  const Outcome well = ask(broker, "health");
  EXPECT_EQ(well.exit, "exit 0");
  EXPECT_EQ(well.out, "well: 2 workers online, 0 clients\n");
  Client client(broker.port());
  const Who who = client.join(1);
  EXPECT_EQ(
      run("mpctl", {"--control-socket", broker.control_path(), "drain", std::to_string(who.worker)})
          .exit,
      "exit 0");
  const Outcome wrong = ask(broker, "health");
  EXPECT_EQ(wrong.exit, "exit 1");
  EXPECT_EQ(wrong.out, "wrong: 1 of 2 base workers online; worker " + std::to_string(who.worker) +
                           " is draining\n");
  client.close();
  EXPECT_TRUE(eventually([&] { return ask(broker, "health").exit == "exit 0"; }));
}

TEST(Health, OfABrokerThatStopsIsNeverWell) {
  BrokerProcess broker({"--workers", "2", "--drain-timeout", "30s"});
  Client client(broker.port());
  EXPECT_EQ(client.claim(1), kHello);
  EXPECT_EQ(ask(broker, "stop").exit, "exit 0");
  EXPECT_TRUE(eventually([&] {
    const Outcome outcome = ask(broker, "health");
    return outcome.exit == "exit 2" && outcome.out.starts_with("down: nobody is online; ");
  }));
  client.close();
  EXPECT_EQ(broker.wait_exit(), "exit 0");
  const Outcome gone = ask(broker, "health");
  EXPECT_EQ(gone.exit, "exit 2");
  EXPECT_TRUE(gone.out.starts_with("down: cannot reach the broker at ")) << gone.out;
  EXPECT_EQ(gone.err, "");
}

TEST(Health, IsDownWhenEveryWorkerIsParked) {
  BrokerSetup setup;
  setup.await_ready = false;
  const TempFolder folder;
  setup.arguments = {"--workers", "2", "--worker-program",
                     folder.write("worker", "#!/bin/sh\nexit 2\n", 0755)};
  const BrokerProcess broker(setup);
  EXPECT_TRUE(eventually([&] {
    const Outcome outcome = ask(broker, "health");
    return outcome.exit == "exit 2" &&
           outcome.out.find("worker 1 is parked (exit code 2)") != std::string::npos;
  })) << ask(broker, "health").out;
}

}  // namespace
}  // namespace mpb::test
