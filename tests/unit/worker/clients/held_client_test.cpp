// A client as a value: its places in the books, its descriptor, and the queues it waits in.
#include "worker/clients/held_client.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/support/socket_pair.hpp"
#include "worker/clients/client_queue.hpp"
#include "worker/served_listener.hpp"
#include "worker/worker_context.hpp"
#include "worker/worker_environment.hpp"

namespace mpb {
namespace {

class HeldClientTest : public testing::Test {
 protected:
  HeldClient come() {
    test::SocketPair pair = test::tcp_pair();
    peers_.push_back(std::move(pair.peer));
    return {worker_, listener_, {std::move(pair.ours), StreamKind::kTcp}};
  }
  /// What the last one's peer reads: 0: its end.
  ssize_t peer_reads() {
    char byte = 0;
    return ::recv(peers_.back().get(), &byte, 1, MSG_DONTWAIT);
  }
  void expect_empty_books() {
    EXPECT_EQ(listener_.counters.clients, 0U);
    EXPECT_EQ(worker_.clients.held(), 0U);
    EXPECT_EQ(worker_.clients.routed(), 0U);
    EXPECT_EQ(environment_.memory.used(), 0U);
  }

  EventLoop loop_;
  WorkerEnvironment environment_{loop_};
  WorkerContext worker_{loop_, environment_};
  ServedListener listener_;
  std::vector<UniqueFd> peers_;
};

TEST_F(HeldClientTest, LeavesTheBooksOnceWhereverItWasMovedTo) {
  {
    HeldClient client = come();
    client.input = std::string(1000, '.');
    client.enter("a", 7);
    client.account();
    std::vector<HeldClient> elsewhere;
    elsewhere.push_back(std::move(client));
    client = std::move(elsewhere.front());
    EXPECT_EQ(listener_.counters.clients, 1U);
    EXPECT_EQ(worker_.clients.held(), 1U);
    EXPECT_EQ(worker_.clients.routed(), 1U);
    EXPECT_GT(environment_.memory.used(), 1000U);
    EXPECT_EQ(worker_.keys.owned(0, "a")->clients, 1U);
    EXPECT_EQ(peer_reads(), -1);
  }
  expect_empty_books();
  EXPECT_EQ(worker_.keys.owned(0, "a")->clients, 0U);
  EXPECT_EQ(peer_reads(), 0);
}

TEST_F(HeldClientTest, GivesWayToWhoIsAssigned) {
  HeldClient client = come();
  client = come();
  EXPECT_EQ(worker_.clients.held(), 1U);
  EXPECT_EQ(peer_reads(), -1);
  client.close();
  client.close();
  expect_empty_books();
}

TEST_F(HeldClientTest, BelongsToTheKeyThatItEnteredLast) {
  HeldClient client = come();
  client.wanted = "b";
  client.enter("a", 1);
  EXPECT_EQ(client.wanted, "");
  client.wanted = "b";
  client.enter(client.wanted, 2);
  EXPECT_EQ(client.key_text(), "b");
  EXPECT_EQ(worker_.keys.owned(0, "a")->clients, 0U);
  EXPECT_EQ(worker_.clients.routed(), 1U);
  worker_.draining = true;
  client.enter("c", 3);
  EXPECT_EQ(worker_.keys.owned(0, "c"), nullptr) << "a worker that drains owns nothing";
  client.enter({}, 0);
  EXPECT_EQ(client.key_text(), "");
}

TEST_F(HeldClientTest, IsShutDownOnlyWhereNobodyElseMayServeIt) {
  for (const bool elsewhere : {true, false}) {
    HeldClient client = come();
    const UniqueFd copy(::dup(client.fd.get()));
    client.exposed = true;
    client.elsewhere = elsewhere;
    client.close();
    EXPECT_EQ(peer_reads(), elsewhere ? -1 : 0);
  }
}

TEST_F(HeldClientTest, WaitsInTurn) {
  std::vector<std::string> gone;
  const auto note = [&gone](const HeldClient& client) { gone.push_back(client.wanted); };
  ClientQueue queue(environment_.memory_keepers, note);
  const TimePoint began{Duration{1000}};
  std::vector<ClientQueue::Place> places;
  for (const char* name : {"a", "b", "c"}) {
    HeldClient client = come();
    client.wanted = name;
    places.push_back(queue.add(std::move(client), began + Duration{places.size()}));
  }
  EXPECT_EQ(queue.take(places[1]).wanted, "b");
  EXPECT_EQ(queue.next(Duration{10}), began + Duration{10});
  EXPECT_EQ(queue.next(Duration{0}), std::nullopt) << "no limit";
  queue.expire(began + Duration{11}, Duration{10}, note);
  EXPECT_EQ(gone, std::vector<std::string>{"a"});
  EXPECT_EQ(queue.size(), 1U);
}

TEST_F(HeldClientTest, GivesUpItsMemoryWhileItWaits) {
  std::vector<std::string> gone;
  ClientQueue queue(environment_.memory_keepers,
                    [&gone](const HeldClient& client) { gone.push_back(client.wanted); });
  for (const char* name : {"small", "large"}) {
    HeldClient client = come();
    client.wanted = name;
    if (client.wanted == "large") client.input = std::string(100'000, '.');
    queue.add(std::move(client), TimePoint{});
  }
  ASSERT_EQ(environment_.memory_keepers.size(), 1U);
  MemoryKeeper& keeper = *environment_.memory_keepers.front();
  std::vector<MemoryShare> shares;
  keeper.list_memory(shares);
  for (const MemoryShare& share : shares) EXPECT_EQ(share.vhost, "") << "they choose no group";
  environment_.memory.set_limit(1000);
  for (const auto& order : environment_.memory.plan(shares)) {
    keeper.relieve(shares[order.share], order.relief);
  }
  EXPECT_EQ(gone, std::vector<std::string>{"large"});
  EXPECT_LT(environment_.memory.used(), 1000U);
}

}  // namespace
}  // namespace mpb
