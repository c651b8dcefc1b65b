// A worker without its broker, and a broker whose worker has closed the channel.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

TEST(Orphan, KeepsItsKeysBeyondTheirLinger) {
  BrokerProcess broker({"--workers", "2", "--acceptors", "1", "--route", "7=0", "--route", "8=0",
                        "--key-linger", "200ms", "--route-timeout", "60s", "--on-broker-death",
                        "serve"});
  Client first(broker.port());
  Client other(broker.port());
  const pid_t owner = first.join(7).pid;
  ASSERT_EQ(other.join(8).pid, owner);
  broker.signal(SIGKILL);
  ASSERT_EQ(broker.wait_exit(), "signal 9");
  first.close();
  ASSERT_TRUE(throughout(600ms, [&] { return is_running(owner); }));
  EXPECT_EQ(other.claim(7), kHello) << "nobody else could serve it";
  EXPECT_EQ(other.who().pid, owner);
}

TEST(Orphan, WithoutClientsEnds) {
  BrokerProcess broker({"--workers", "2"});
  const std::vector<pid_t> workers = broker.processes();
  broker.signal(SIGKILL);
  ASSERT_EQ(broker.wait_exit(), "signal 9");
  for (const pid_t worker : workers) {
    EXPECT_TRUE(eventually([&] { return !is_running(worker); }));
  }
}

/// Slot 0 is a real worker. Another is Ready and answers pings until a file `close` appears in the
/// folder; then it takes that away, closes its channel and lives on.
std::string leaves_its_channel(const TempFolder& folder) {
  const std::string flag = folder.file("close");
  return folder.write("worker",
                      "#!/usr/bin/env python3\n"
                      "import os, socket, struct, time\n"
                      "channel = socket.socket(fileno=3)\n"
                      "first = channel.recv(100000, socket.MSG_PEEK)\n"
                      "if struct.unpack_from('<H', first, 20)[0] == 0:\n"
                      "    os.set_inheritable(3, True)\n"
                      "    os.execv('" +
                          program_path("mpworker") +
                          "', ['mpworker'])\n"
                          "START, PING, READY, PONG = 0x04, 0x0c, 0x11, 0x17\n"
                          "channel.settimeout(0.02)\n"
                          "while not os.path.exists('" +
                          flag +
                          "'):\n"
                          "    try: message = channel.recv(100000)\n"
                          "    except TimeoutError: continue\n"
                          "    nonce = struct.unpack_from('<Q', message, 8)[0]\n"
                          "    if message[1] == START:\n"
                          "        channel.send(struct.pack('<BBHIQIH', 2, READY, 0, 6, 0, "
                          "os.getpid(), 2))\n"
                          "    elif message[1] == PING:\n"
                          "        channel.send(struct.pack('<BBHIQI', 2, PONG, 0, 4, nonce, 0))\n"
                          "channel.close()\n"
                          "os.unlink('" +
                          flag +
                          "')\n"
                          "time.sleep(1000)\n",
                      0755);
}

TEST(ClosedChannel, ItsWorkerIsSentNoMoreClientsThoughItLivesOn) {
  const TempFolder folder;
  const BrokerProcess broker({"--workers", "2", "--acceptors", "1", "--route", "5=0",
                              "--worker-program", leaves_its_channel(folder)});
  const pid_t other = broker.worker_pid(1);
  EventStream events(broker.control_path());
  // With these at slot 0 the policy prefers slot 1.
  std::vector<Client> kept;
  for (int i = 0; i < 4; ++i) {
    kept.emplace_back(broker.port());
    ASSERT_EQ(kept.back().join(5).worker, 0);
  }
  const std::string flag = folder.write("close", "");
  ASSERT_TRUE(eventually([&] { return ::access(flag.c_str(), F_OK) != 0; }));

  int served = 0;
  int id = 1000;
  // Its process is granted some time to end by itself.
  while (is_running(other)) {
    Client client(broker.port());
    const std::string answer = client.claim(id++);
    if (!is_running(other)) break;
    ASSERT_EQ(answer, kHello) << "client " << served;
    ++served;
  }
  EXPECT_GE(served, 5);
  EXPECT_FALSE(events.await("disconnect", 1).empty());
  EXPECT_FALSE(events.await("online", 1).empty());
  for (Client& client : kept) EXPECT_EQ(client.message(), kHello);
}

}  // namespace
}  // namespace mpb::test
