// The broker is killed, and something else is wrong besides: a broken state, workers that lie in
// their reports or give none. And what goes on: streams, shared tables.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"
#include "tests/integration/harness/held_broker.hpp"
#include "tests/integration/harness/media.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

/// Slot 0 is a real worker; another is ready, answers pings, and answers Resync with `report`, an
/// expression of Python with the whole datagram, or None.
std::string answers_resync_with(const TempFolder& folder, const std::string& report) {
  return folder.write("worker",
                      "#!/usr/bin/env python3\n"
                      "import os, socket, struct\n"
                      "channel = socket.socket(fileno=3)\n"
                      "channel.setblocking(True)\n"
                      "first = channel.recv(100000, socket.MSG_PEEK)\n"
                      "if struct.unpack_from('<H', first, 20)[0] == 0:\n"
                      "    os.set_inheritable(3, True)\n"
                      "    os.execv('" +
                          program_path("mpworker") +
                          "', ['mpworker'])\n"
                          "def text(data): return struct.pack('<I', len(data)) + data\n"
                          "def datagram(kind, flags, ident, body):\n"
                          "    return struct.pack('<BBHIQ', 2, kind, flags, len(body), ident) + "
                          "body\n"
                          "while True:\n"
                          "    message = channel.recv(100000)\n"
                          "    if not message: break\n"
                          "    ident = struct.unpack_from('<Q', message, 8)[0]\n"
                          "    if message[1] == 0x04:\n"
                          "        channel.send(datagram(0x11, 0, 0, struct.pack('<IH', "
                          "os.getpid(), 2)))\n"
                          "    elif message[1] == 0x0c:\n"
                          "        channel.send(datagram(0x17, 0, ident, text(b'')))\n"
                          "    elif message[1] == 0x0d:\n"
                          "        report = " +
                          report +
                          "\n"
                          "        if report: channel.send(report)\n",
                      0755);
}

struct Lie {
  const char* name;
  const char* report;
};

class SuccessionLie : public testing::TestWithParam<Lie> {};

TEST_P(SuccessionLie, HarmsOnlyTheLiar) {
  const TempFolder folder;
  const BrokerProcess broker(
      held({"--workers", "2", "--acceptors", "1", "--route", "1=0", "--ping-limit", "2s",
            "--worker-program", answers_resync_with(folder, GetParam().report)}));
  Client witness(broker.port());
  ASSERT_EQ(witness.join(1).worker, 0);
  const pid_t honest = broker.worker_pid(0);
  const pid_t liar = broker.worker_pid(1);
  const pid_t before = broker.kill_broker();
  ASSERT_TRUE(broker.await_next_broker(before));
  EXPECT_TRUE(eventually([&] { return !is_running(liar); })) << GetParam().name;
  EXPECT_EQ(broker.worker_pid(0), honest);
  EXPECT_EQ(witness.message(), kHello);
  Client other(broker.port());
  EXPECT_EQ(other.join(1).worker, 0) << "the key is its owner's still";
}

INSTANTIATE_TEST_SUITE_P(
    All, SuccessionLie,
    testing::Values(
        Lie{"OwnsAKeyThatItWasNotGiven",
            "datagram(0x18, 3, ident, struct.pack('<II', 0, 0) + text(b'') + text(b'') + "
            "text(struct.pack('<IHH', 5, 0, 4) + bytes([0, 0, 0, 1])) + text(b''))"},
        Lie{"AdoptedAClientThatItWasNotSent",
            "datagram(0x18, 3, ident, struct.pack('<II', 0, 0) + text(b'') + "
            "text(struct.pack('<QH6x', 7, 0)) + text(b'') + text(struct.pack('<Q', 9)))"},
        Lie{"HasMoreThanItsWindow",
            "datagram(0x18, 3, ident, struct.pack('<II', 0, 0) + text(bytes(8 * 10000)) + "
            "text(b'') + text(b'') + text(b''))"},
        Lie{"AnswersAsTheVersionBefore",
            "datagram(0x18, 1, ident, struct.pack('<II', 0, 0) + text(b'') + text(b'') + "
            "text(b''))"},
        Lie{"DoesNotAnswer", "None"},
        Lie{"AnswersAnotherRound",
            "datagram(0x18, 3, ident + 1, struct.pack('<II', 0, 0) + text(b'') * 4)"}),
    [](const auto& info) { return std::string(info.param.name); });

/// The state as its holder has it.
std::string path_of_state(pid_t holder) {
  const std::string folder = "/proc/" + std::to_string(holder) + "/fd/";
  for (int fd = 3; fd < 200; ++fd) {
    std::string target(256, '\0');
    const std::string path = folder + std::to_string(fd);
    const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
    if (size > 0 && target.starts_with("/memfd:mpb-state")) return path;
  }
  return {};
}

TEST(SuccessionFault, ABrokenStateIsAFreshStart) {
  const BrokerProcess broker(held({"--workers", "2"}));
  const std::string path = path_of_state(broker.pid());
  ASSERT_FALSE(path.empty());
  Client client(broker.port());
  ASSERT_EQ(client.claim(1), kHello);
  const std::vector<pid_t> workers = broker.processes();
  const pid_t before = broker.broker_pid();
  ::kill(before, SIGSTOP);  // so that it writes nothing more
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(file);
  const std::string garbage(4096, 'x');
  for (const off_t at : {off_t{0}, off_t{64} << 20}) {
    ASSERT_EQ(::pwrite(file.get(), garbage.data(), garbage.size(), at),
              static_cast<ssize_t>(garbage.size()));
  }
  ::kill(before, SIGKILL);
  ASSERT_TRUE(broker.await_next_broker(before));
  EXPECT_NE(broker.log().find("succession.lost"), std::string::npos);
  for (const pid_t worker : workers) EXPECT_TRUE(eventually([&] { return !is_running(worker); }));
  ASSERT_TRUE(broker.await_workers(2));
  Client fresh(broker.port());
  EXPECT_EQ(fresh.claim(1), kHello);
  const pid_t second = broker.kill_broker();
  EXPECT_TRUE(broker.await_next_broker(second)) << "and that one is followed again";
  EXPECT_EQ(fresh.message(), kHello);
}

TEST(SuccessionFault, ClientsOnTheirWayToAWorkerThatDiesWithTheBrokerAreServedOrClosed) {
  const BrokerProcess broker(
      held({"--workers", "3", "--acceptors", "1", "--route", "1=1", "--route-timeout", "60s"}));
  for (int round = 0; round < 4; ++round) {
    const pid_t target = broker.worker_pid(1);
    const pid_t before = broker.broker_pid();
    Crowd crowd(broker.port(), 40);
    for (Client& client : crowd.clients()) client.send(claim_bytes(1) + "W");
    ::kill(before, SIGKILL);
    ::kill(target, SIGKILL);
    for (Client& client : crowd.clients()) {
      const std::string first = client.read_text();
      if (first == kHello) {
        const std::string text = client.read_text();
        EXPECT_TRUE(text.starts_with("worker") || text == kEof || text == kReset) << text;
        EXPECT_TRUE(client.is_quiet() || client.sees_eof()) << "one voice only";
      } else {
        EXPECT_TRUE(first == kEof || first == kReset) << first;
      }
    }
    ASSERT_TRUE(broker.await_next_broker(before));
    ASSERT_TRUE(broker.await_workers(3));
  }
}

TEST(SuccessionFault, SharedTablesStay) {
  const BrokerProcess broker(held({"--workers", "2"}));
  const auto put = [&](const std::string& table, const std::string& key, const std::string& value,
                       int ttl_ms) {
    boost::json::object request{
        {"command", "table"}, {"name", table}, {"put", key}, {"value", value}};
    if (ttl_ms > 0) request["ttl_ms"] = ttl_ms;
    return broker.request(request);
  };
  const auto get = [&](const std::string& table, const std::string& key) {
    return broker.request({{"command", "table"}, {"name", table}, {"get", key}});
  };
  ASSERT_TRUE(put("things", "a", "1", 0).at("ok").as_bool());
  ASSERT_TRUE(put("things", "b", "2", 0).at("ok").as_bool());
  ASSERT_TRUE(put("deny", "192.0.2.0/24", "", 0).at("ok").as_bool());
  const auto before = get("things", "b");
  replace(broker);
  replace(broker);
  EXPECT_TRUE(get("things", "a").at("ok").as_bool());
  EXPECT_EQ(get("things", "b"), before);
  EXPECT_TRUE(get("deny", "192.0.2.0/24").at("ok").as_bool());
  const auto next = put("things", "c", "3", 0);
  EXPECT_GT(next.at("version").to_number<int>(), 3) << "versions go on";
}

TEST(SuccessionFault, TheUserThatMpctlHasGivenAVhostStays) {
  const passwd* account = ::getpwnam("daemon");
  if (::geteuid() != 0 || account == nullptr) GTEST_SKIP() << "needs root, and a user daemon";
  const TempFolder folder;
  BrokerSetup setup = held({});
  setup.config =
      "workers = 1\nmax-workers = 3\n[listener rtmp]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\n"
      "handler = relay\nisolate = key\n";
  const BrokerProcess broker(setup);
  ASSERT_TRUE(broker.request({{"command", "vhost"}, {"name", "a.test"}, {"set", {"user=daemon"}}})
                  .at("ok")
                  .as_bool());
  replace(broker);
  const pid_t next = broker.broker_pid();
  const std::string url =
      "rtmp://127.0.0.1:" + std::to_string(broker.port()) + "/live?vhost=a.test/s";
  Publisher publisher(folder, url, make_clip(folder, Tint::kGreen, 4));
  std::string user;
  ASSERT_TRUE(eventually([&] {
    for (const WorkerStatus& worker : broker.status().workers) {
      if (worker.key == "a.test" && worker.state == "online") user = worker.user;
    }
    return !user.empty();
  })) << broker.log();
  EXPECT_EQ(user, "daemon");
  EXPECT_EQ(broker.broker_pid(), next) << broker.log();
  replace(broker);
  EXPECT_TRUE(publisher.process().running());
}

TEST(SuccessionFault, AStreamGoesOnWithoutAGap) {
  const TempFolder folder;
  BrokerSetup setup = held({});
  setup.config =
      "workers = 2\n[listener rtmp]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\nhandler = relay\n";
  const BrokerProcess broker(setup);
  const std::string clip = make_clip(folder, Tint::kGreen, 4);
  const std::string url =
      "rtmp://127.0.0.1:" + std::to_string(broker.port()) + "/live?vhost=a.test/s";
  Publisher publisher(folder, url, clip);
  Recorder player(folder, url, 8);
  ASSERT_TRUE(eventually([&] { return player.has(100'000); })) << player.log();
  for (int i = 0; i < 8; ++i) replace(broker);
  ASSERT_TRUE(player.finished()) << player.log();
  EXPECT_EQ(difference(folder, clip, player.file()), "");
  EXPECT_TRUE(publisher.process().running());
}

}  // namespace
}  // namespace mpb::test
