// What broke the prototype of 2012, each as a test: what clients send, and who gets them.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>
#include <set>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"

namespace mpb::test {
namespace {

using Clients = std::vector<std::unique_ptr<Client>>;

Client& add(Clients& clients, const BrokerProcess& broker) {
  return *clients.emplace_back(std::make_unique<Client>(broker.port()));
}

TEST(Prototype2012, StalledHeaderByteDoesNotBlockTheWorker) {
  const BrokerProcess broker({"--workers", "1"});
  Client stalled(broker.port());
  stalled.send("C");
  Client other(broker.port());
  EXPECT_EQ(other.claim(1), kHello);
  stalled.send(claim_bytes(2).substr(1));
  EXPECT_EQ(stalled.read_text(), kHello);
}

TEST(Prototype2012, SlowReaderDoesNotBlockTheWorker) {
  const BrokerProcess broker({"--workers", "1"});
  Client slow(broker.port());
  const std::string questions(200'000, 'W');
  for (int i = 0; i < 50; ++i) {
    (void)!::send(slow.fd(), questions.data(), questions.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  Client other(broker.port());
  EXPECT_EQ(other.claim(1), kHello);
  EXPECT_EQ(slow.read_who().worker, 0) << "it gets its answers when it reads";
}

TEST(Prototype2012, PartialIdIsAwaited) {
  const BrokerProcess broker({"--workers", "2"});
  const std::string bytes = claim_bytes(0x01020304);
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    Client client(broker.port());
    client.send(bytes.substr(0, cut));
    // Another client is answered meanwhile, so that the first piece has been read alone.
    Client other(broker.port());
    ASSERT_EQ(other.message(), kHello);
    EXPECT_TRUE(client.is_quiet());
    client.send(bytes.substr(cut));
    EXPECT_EQ(client.read_text(), kHello);
    EXPECT_EQ(client.who().id, std::to_string(0x01020304));
  }
}

TEST(Prototype2012, UnknownByteIsNoMessage) {
  const BrokerProcess broker({"--workers", "2"});
  for (const char byte : {'A', 'c', '\0', '\xff'}) {
    Client client(broker.port());
    client.send({&byte, 1});
    EXPECT_EQ(client.read_text(), "error: expected C, M or W");
    EXPECT_TRUE(client.sees_eof());
  }
}

TEST(Prototype2012, TwoMessagesInASegmentAreAnsweredTwice) {
  const BrokerProcess broker({"--workers", "2"});
  Client client(broker.port());
  client.send(message_bytes("one") + message_bytes("two"));
  EXPECT_EQ(client.read_text(), kHello);
  EXPECT_EQ(client.read_text(), kHello);
  EXPECT_EQ(client.who().id, "-") << "and no third time";
}

TEST(Prototype2012, LongMessageIsAnsweredOnce) {
  const BrokerProcess broker({"--workers", "2"});
  Client client(broker.port());
  const std::string bytes = message_bytes(std::string(4000, 'x'));
  client.send(bytes.substr(0, 1024));
  EXPECT_TRUE(throughout(50ms, [&] { return client.is_quiet(); }));
  client.send(bytes.substr(1024));
  EXPECT_EQ(client.read_text(), kHello);
  EXPECT_EQ(client.who().id, "-") << "and no second time";
}

TEST(Prototype2012, ExactOwnerBeatsTheLeastLoaded) {
  const BrokerProcess broker({"--workers", "3"});
  Clients clients;
  const int owner = add(clients, broker).join(1).worker;
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(add(clients, broker).join(1).worker, owner) << "two idle workers notwithstanding";
  }
  EXPECT_NE(add(clients, broker).join(2).worker, owner);
  EXPECT_EQ(add(clients, broker).join(1).worker, owner);
}

TEST(Prototype2012, IdZeroHasOneOwner) {
  const BrokerProcess broker({"--workers", "3"});
  Crowd crowd(broker.port(), 60);
  ASSERT_EQ(crowd.join([](std::size_t) { return 0; }), 60U) << crowd.failures();
  EXPECT_EQ(crowd.per_worker().size(), 1U);
  EXPECT_EQ(broker.status().keys, 1);
}

TEST(Prototype2012, IdleWorkerIsNotSkipped) {
  const BrokerProcess broker({"--workers", "4"});
  Clients clients;
  std::set<int> workers;
  for (int id = 0; id < 4; ++id) workers.insert(add(clients, broker).join(id).worker);
  EXPECT_EQ(workers.size(), 4U) << "four ids, four idle workers";
}

TEST(Prototype2012, HandoversKeepTheirDescriptors) {
  // A control buffer used after its time passes on the wrong client, or none.
  const BrokerProcess broker({"--workers", "4", "--policy", "hash"});
  Crowd crowd(broker.port(), 400);
  for (int round = 0; round < 5; ++round) {
    ASSERT_EQ(crowd.join([&](std::size_t i) { return 400 * round + static_cast<int>(i); }), 400U)
        << crowd.failures();
  }
  EXPECT_TRUE(broker.await_held(400));
}

}  // namespace
}  // namespace mpb::test
