// The control socket as a program meets it, well-behaved or not.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <csignal>
#include <list>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"

namespace mpb::test {
namespace {

bool is_failure(const std::string& line) {
  if (line.empty()) return false;
  const auto answer = boost::json::parse(line).as_object();
  return !answer.at("ok").as_bool() && !answer.at("error").as_string().empty();
}

class ControlSocketTest : public testing::Test {
 protected:
  BrokerProcess broker{{"--workers", "2", "--max-workers", "3", "--max-clients", "50"}};
};

TEST_F(ControlSocketTest, IsForItsOwnerOnly) {
  struct stat status {};
  ASSERT_EQ(::stat(broker.control_path().c_str(), &status), 0);
  EXPECT_TRUE(S_ISSOCK(status.st_mode));
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(ControlSocketTest, StatusTellsWhatAUserExpects) {
  Crowd crowd(broker.port(), 40);
  ASSERT_EQ(crowd.join([](std::size_t i) { return i % 10; }), 40U) << crowd.failures();
  ASSERT_TRUE(broker.await_held(40));
  const BrokerStatus status = broker.status();
  EXPECT_EQ(status.state, "running");
  ASSERT_EQ(status.workers.size(), 2U);
  for (const WorkerStatus& worker : status.workers) {
    EXPECT_EQ(worker.state, "online");
    EXPECT_EQ(worker.clients, static_cast<std::int64_t>(crowd.per_worker()[worker.slot]));
    EXPECT_EQ(worker.clients, worker.held);
    EXPECT_GT(worker.fds, worker.clients);
    EXPECT_GT(worker.rss_bytes, 100'000);
    EXPECT_EQ(worker.restarts, 0);
  }
  EXPECT_EQ(status.sum([](const WorkerStatus& w) { return w.accepted; }), 40);
  EXPECT_EQ(status.sum([](const WorkerStatus& w) { return w.keys; }), 10);
  EXPECT_EQ(status.keys, 10);
  EXPECT_GT(status.fds, 0);
  EXPECT_GT(status.rss_bytes, 100'000);
  const auto report = ControlLink(broker.control_path()).ask("status");
  ASSERT_EQ(report.at("listeners").as_array().size(), 1U);
  const auto& listener = report.at("listeners").as_array()[0].as_object();
  EXPECT_EQ(listener.at("address").as_string(), "127.0.0.1:" + std::to_string(broker.port()));
  EXPECT_EQ(listener.at("protocol").as_string(), "control");
  EXPECT_EQ(listener.at("clients").to_number<int>(), 40);
  EXPECT_EQ(listener.at("accepted").to_number<int>(), 40);
}

TEST_F(ControlSocketTest, RequestsOfOneConnectionAreAnsweredInOrder) {
  ControlLink link(broker.control_path());
  link.send("{\"command\":\"status\"}\n{\"command\":\"nonsense\"}\n{\"command\":\"status\"}\n");
  EXPECT_TRUE(boost::json::parse(link.read_line()).as_object().contains("workers"));
  EXPECT_TRUE(is_failure(link.read_line()));
  EXPECT_TRUE(boost::json::parse(link.read_line()).as_object().contains("workers"));
}

TEST_F(ControlSocketTest, ARequestMayComeInPieces) {
  ControlLink link(broker.control_path());
  for (const char c : std::string("{\"command\":\"status\"}\n")) link.send({&c, 1});
  EXPECT_TRUE(boost::json::parse(link.read_line()).as_object().at("ok").as_bool());
}

TEST_F(ControlSocketTest, MalformedRequestsAreRefusedAndHarmNobody) {
  Client client(broker.port());
  ASSERT_EQ(client.claim(1), kHello);
  for (const std::string& line :
       {std::string("hello"), std::string("[]"), std::string("{}"), std::string("{\"command\":7}"),
        std::string("{\"command\":\"drain\"}"), std::string("{\"command\":\"drain\",\"slot\":-1}"),
        std::string("{\"command\":\"drain\",\"slot\":77}"),
        std::string("{\"command\":\"drain\",\"slot\":1e300}"),
        std::string("{\"command\":\"route\",\"key\":\"1\",\"slots\":[99]}"),
        std::string("{\"command\":\"route\",\"key\":\"1\",\"slots\":\"0\"}"),
        std::string("{\"command\":\"route\",\"key\":\"\",\"slots\":[0]}"),
        std::string("{\"command\":\"workers\",\"count\":0}"),
        std::string("{\"command\":\"workers\"}"), std::string(10000, '['), std::string("\0\xff", 2),
        std::string()}) {
    ControlLink link(broker.control_path());
    link.send(line + "\n");
    EXPECT_TRUE(is_failure(link.read_line())) << line;
    const std::string next = (link.send("{\"command\":\"status\"}\n"), link.read_line());
    EXPECT_NE(next.find("\"workers\""), std::string::npos) << "after: " << line;
  }
  EXPECT_EQ(client.message(), kHello);
  EXPECT_EQ(broker.status().count("online"), 2U);
}

TEST_F(ControlSocketTest, AnEndlessLineIsCutOff) {
  ControlLink link(broker.control_path());
  link.send(std::string(256 * 1024, 'x'));
  EXPECT_TRUE(is_failure(link.read_line()));
  EXPECT_EQ(link.read_line(), "") << "closed";
  EXPECT_EQ(broker.status().count("online"), 2U);
}

TEST_F(ControlSocketTest, ControlClientsThatNeverReadDelayNobody) {
  std::list<ControlLink> links;
  std::string requests;
  for (int i = 0; i < 500; ++i) requests += "{\"command\":\"status\"}\n";
  for (int i = 0; i < 5; ++i) {
    ControlLink& link = links.emplace_back(broker.control_path());
    (void)!::send(link.fd(), requests.data(), requests.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  for (int i = 0; i < 20; ++i) {
    Client client(broker.port());
    EXPECT_EQ(client.claim(100 + i), kHello);
  }
  EXPECT_EQ(broker.status().count("online"), 2U);
}

TEST_F(ControlSocketTest, ConnectionsWithoutARequestAreBoundedInNumber) {
  std::list<ControlLink> links;
  for (int i = 0; i < 300; ++i) {
    try {
      links.emplace_back(broker.control_path());
    } catch (const std::exception&) {
      break;  // its queue is full, too
    }
  }
  EXPECT_GE(links.size(), 64U);
  Client client(broker.port());
  EXPECT_EQ(client.claim(1), kHello);
  links.clear();
  EXPECT_TRUE(eventually([&] {
    try {
      return broker.status().count("online") == 2;
    } catch (const std::exception&) {
      return false;
    }
  }));
}

TEST_F(ControlSocketTest, EventsTellTheLifeOfAWorker) {
  EventStream events(broker.control_path());
  EventStream second(broker.control_path());
  const pid_t pid = broker.worker_pid(1);
  ::kill(pid, SIGKILL);
  const auto exit = events.await("exit", 1);
  ASSERT_FALSE(exit.empty());
  EXPECT_EQ(exit.at("pid").to_number<pid_t>(), pid);
  EXPECT_FALSE(exit.at("time").as_string().empty());
  EXPECT_FALSE(events.await("restart", 1).empty());
  EXPECT_FALSE(events.await("fork", 1).empty());
  const auto online = events.await("online", 1);
  ASSERT_FALSE(online.empty());
  EXPECT_EQ(online.at("pid").to_number<pid_t>(), broker.worker_pid(1));
  EXPECT_FALSE(second.await("online", 1).empty()) << "each subscriber is told";
}

TEST_F(ControlSocketTest, DrainAndReloadAreEvents) {
  EventStream events(broker.control_path());
  EXPECT_TRUE(broker.request({{"command", "drain"}, {"slot", 0}}).at("ok").as_bool());
  EXPECT_FALSE(events.await("drain", 0).empty());
  EXPECT_FALSE(events.await("exit", 0).empty());
  EXPECT_FALSE(events.await("online", 0).empty());
  EXPECT_TRUE(broker.request({{"command", "reload"}}).at("ok").as_bool());
  EXPECT_FALSE(events.await("reload").empty());
}

TEST(ControlSocketAtStart, ListeningIsLoggedAndASocketLeftBehindIsReplaced) {
  const TempFolder folder;
  EXPECT_EQ(run("mpbroker", {"--listen", "127.0.0.1:0", "--control-socket", "/proc/1/no/way"}).exit,
            "exit 1");
  BrokerProcess first;
  EXPECT_NE(first.log().find("event=listening"), std::string::npos) << first.log();
  const Outcome taken =
      run("mpbroker", {"--listen", "127.0.0.1:0", "--control-socket", first.control_path()});
  EXPECT_EQ(taken.exit, "exit 1") << "it is served by the first";
  EXPECT_NE(taken.err.find(first.control_path()), std::string::npos) << taken.err;
  first.signal(SIGKILL);
  ASSERT_EQ(first.wait_exit(), "signal 9");
  ProgramStart second;
  second.program = program_path("mpbroker");
  second.arguments = {"--listen", "127.0.0.1:0",      "--workers",
                      "1",        "--control-socket", first.control_path()};
  second.errors = folder.file("log");
  ChildProcess child(second);
  EXPECT_TRUE(eventually([&] {
    try {
      return first.status().count("online") == 1;
    } catch (const std::exception&) {
      return false;
    }
  }));
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait_exit(kPatience), "exit 0");
}

}  // namespace
}  // namespace mpb::test
