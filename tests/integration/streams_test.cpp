// `mpctl streams` and `mpctl kick` against workers that answer, and such that do not.
#include <gtest/gtest.h>

#include <csignal>
#include <set>
#include <string>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

namespace json = boost::json;

constexpr const char* kStream = "a.test/live/s1";

BrokerSetup oracles(int streams = 1) {
  BrokerSetup setup;
  setup.arguments = {"--workers", "2", "--worker-program", program_path("oracle_worker")};
  setup.worker_environment = {"ORACLE_STREAMS=" + std::to_string(streams)};
  return setup;
}

Outcome mpctl(const BrokerProcess& broker, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"--control-socket", broker.control_path()});
  return run("mpctl", arguments);
}

std::vector<std::string> names_in(const json::object& report) {
  std::vector<std::string> names;
  for (const json::value& stream : report.at("streams").as_array()) {
    names.emplace_back(stream.at("stream").as_string());
  }
  return names;
}

std::vector<std::string> streams_of(const BrokerProcess& broker) {
  return names_in(broker.request({{"command", "streams"}}));
}

TEST(Streams, OfAllWorkersAreTold) {
  const BrokerProcess broker(oracles());
  const Outcome as_json = mpctl(broker, {"streams", "--json"});
  ASSERT_EQ(as_json.exit, "exit 0") << as_json.err;
  EXPECT_EQ(as_json.err, "");
  const json::object report = json::parse(as_json.out).as_object();
  EXPECT_EQ(names_in(report), (std::vector<std::string>{"s0", "s1"}));
  const json::object& second = report.at("streams").as_array()[1].as_object();
  EXPECT_EQ(second, json::parse(R"({"vhost":"a.test","app":"live","stream":"s1",
      "publisher":"192.0.2.1:0","video":"avc1","audio":"mp4a","width":1280,"height":720,
      "fps":29.97,"kbps_in":2500,"kbps_out":5000,"players":2,"drops":3,"cut":1,"age_s":3661,
      "kept_bytes":0,"given_up":0,"slot":1})"));
  const Outcome as_table = mpctl(broker, {"streams"});
  ASSERT_EQ(as_table.exit, "exit 0") << as_table.err;
  for (const char* part : {"VHOST", "s0", "s1", "avc1+mp4a", "1280x720", "29.97", "1h1m",
                           "2 streams, 4 players; 5000 kbit/s in, 10000 kbit/s out\n"}) {
    EXPECT_NE(as_table.out.find(part), std::string::npos) << part << "\n" << as_table.out;
  }
}

TEST(Streams, AnAnswerOfManyPiecesIsToldWhole) {
  const BrokerProcess broker(oracles(5000));  // about 1 MB in each worker
  const std::vector<std::string> names = streams_of(broker);
  EXPECT_EQ(names.size(), 10'000U);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 10'000U);
  Client client(broker.port());
  EXPECT_EQ(client.claim(1), kHello);
}

TEST(Streams, AKickEndsOneAndSaysHowManyThatWere) {
  const BrokerProcess broker(oracles());
  const json::object kicked = broker.request({{"command", "kick"}, {"stream", kStream}});
  EXPECT_EQ(kicked, json::parse(R"({"ok":true,"kicked":3})").as_object());
  EXPECT_EQ(streams_of(broker), std::vector<std::string>{"s0"});
  const Outcome again = mpctl(broker, {"kick", kStream});
  EXPECT_EQ(again.exit, "exit 1");
  EXPECT_NE(again.err.find("no such stream 'a.test/live/s1'"), std::string::npos) << again.err;
  const Outcome other = mpctl(broker, {"kick", "a.test/live/s0"});
  EXPECT_EQ(other.exit, "exit 0") << other.err;
  EXPECT_EQ(streams_of(broker), std::vector<std::string>{});
}

TEST(Streams, AMalformedKickIsRefused) {
  const BrokerProcess broker(oracles());
  for (const json::object& request :
       {json::object{{"command", "kick"}}, json::object{{"command", "kick"}, {"stream", 7}},
        json::object{{"command", "kick"}, {"stream", "a.test/live"}},
        json::object{{"command", "kick"}, {"stream", "/" + std::string(5000, '/')}}}) {
    const json::object answer = broker.request(request);
    EXPECT_FALSE(answer.at("ok").as_bool());
    EXPECT_NE(answer.at("error").as_string().find("'stream' must be"), std::string::npos);
  }
}

TEST(Streams, WorkersThatHaveNoneSayNothingAndCauseNoDelay) {
  const BrokerProcess broker({"--workers", "2"});
  const json::object report = broker.request({{"command", "streams"}});
  EXPECT_EQ(report, json::parse(R"({"ok":true,"streams":[],"ignored":0})").as_object());
  EXPECT_EQ(mpctl(broker, {"kick", kStream}).exit, "exit 1");
}

TEST(Streams, AWorkerThatIsStoppedIsDoneWithoutAndMayAnswerLater) {
  BrokerSetup setup = oracles();
  setup.arguments.insert(setup.arguments.end(), {"--answer-timeout", "3s"});
  const BrokerProcess broker(setup);
  const pid_t stopped = broker.worker_pid(1);
  ::kill(stopped, SIGSTOP);
  const Outcome without = mpctl(broker, {"streams"});
  EXPECT_EQ(without.exit, "exit 0") << without.err;
  EXPECT_EQ(without.err, "no answer from worker 1\n");
  EXPECT_NE(without.out.find("1 streams"), std::string::npos) << without.out;
  ::kill(stopped, SIGCONT);
  EXPECT_EQ(streams_of(broker), (std::vector<std::string>{"s0", "s1"}));
  EXPECT_EQ(broker.worker_pid(1), stopped) << "its late answer was no violation";
}

TEST(Streams, AWorkerThatDiesIsNotWaitedFor) {
  BrokerSetup setup = oracles();
  const BrokerProcess broker(setup);
  const pid_t victim = broker.worker_pid(1);
  ::kill(victim, SIGSTOP);
  ControlLink link(broker.control_path());
  link.send("{\"command\":\"streams\"}\n");
  (void)broker.status();  // which waits for the stopped worker, too: by then it has been asked
  ::kill(victim, SIGKILL);
  const json::object report = json::parse(link.read_line()).as_object();
  EXPECT_EQ(names_in(report), std::vector<std::string>{"s0"});
  EXPECT_EQ(report.at("missing"), json::value({1}));
  EXPECT_TRUE(broker.await_workers(2));
  EXPECT_EQ(streams_of(broker), (std::vector<std::string>{"s0", "s1"}));
}

TEST(Streams, ManyOperatorsAreAnsweredOneAfterTheOther) {
  const BrokerProcess broker(oracles(100));
  std::vector<ControlLink> links;
  for (int i = 0; i < 20; ++i) {
    links.emplace_back(broker.control_path());
    links.back().send("{\"command\":\"streams\"}\n{\"command\":\"streams\"}\n");
  }
  for (ControlLink& link : links) {
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(names_in(json::parse(link.read_line()).as_object()).size(), 200U);
    }
  }
  EXPECT_EQ(broker.status().count("online"), 2U);
}

TEST(Streams, ThePythonWorkerSaysThatItDoesNotKnow) {
  const BrokerProcess broker({"--workers", "1", "--worker-program",
                              MPB_SOURCE_DIR "/tests/integration/control_worker.py"});
  const json::object report = broker.request({{"command", "streams"}});
  EXPECT_EQ(report, json::parse(R"({"ok":true,"streams":[],"ignored":0})").as_object());
}

TEST(Streams, TheSingleProcessHasNobodyToAsk) {
  BrokerSetup setup;
  setup.arguments = {"--workers", "0"};
  const BrokerProcess alone(setup);
  const Outcome outcome = mpctl(alone, {"streams"});
  EXPECT_EQ(outcome.exit, "exit 1");
  EXPECT_NE(outcome.err.find("is mpbroker running"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace mpb::test
