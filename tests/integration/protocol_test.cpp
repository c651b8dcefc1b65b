// The control protocol, as a client meets it: the same whether one process serves it, several, or
// one that accepts for another.
#include <gtest/gtest.h>

#include "proto/control/control.hpp"
#include "tests/integration/harness/broker_process.hpp"

namespace mpb::test {
namespace {

using Arguments = std::vector<std::string>;

class Protocol : public testing::TestWithParam<Arguments> {
 protected:
  BrokerProcess broker{GetParam()};
  Client client{broker.port()};
};

/// How the clients are served, from the options.
std::string mode(const testing::TestParamInfo<Arguments>& info) {
  if (info.param[1] == "0") return "SingleProcess";
  return info.param.size() > 2 ? "AllHandedOver" : "Workers";
}

INSTANTIATE_TEST_SUITE_P(, Protocol,
                         testing::Values(Arguments{"--workers", "0"}, Arguments{"--workers", "3"},
                                         Arguments{"--workers", "2", "--acceptors", "1", "--route",
                                                   "*=1"}),
                         mode);

TEST_P(Protocol, AClaimIsGreeted) {
  EXPECT_EQ(client.claim(7), kHello);
  EXPECT_EQ(client.who().id, "7");
}

TEST_P(Protocol, AMessageIsGreetedBeforeAndAfterAClaim) {
  EXPECT_EQ(client.message(), kHello);
  EXPECT_EQ(client.who().id, "-");
  EXPECT_EQ(client.claim(7), kHello);
  EXPECT_EQ(client.message(), kHello);
}

TEST_P(Protocol, IdsAreSigned32BitNumbers) {
  for (const std::int32_t id : {-1, INT32_MIN, INT32_MAX, 0}) {
    EXPECT_EQ(client.join(id).id, std::to_string(id));
  }
}

TEST_P(Protocol, EveryByteMayComeAlone) {
  client.send_byte_by_byte(claim_bytes(1000000) + message_bytes("one by one") + "W");
  EXPECT_EQ(client.read_text(), kHello);
  EXPECT_EQ(client.read_text(), kHello);
  EXPECT_EQ(client.read_who().id, "1000000");
}

TEST_P(Protocol, AnyCutGivesTheSameAnswers) {
  const std::string bytes = claim_bytes(5) + "W" + message_bytes("text") + claim_bytes(6) + "W";
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    Client other(broker.port());
    other.send(bytes.substr(0, cut));
    // The first piece is read alone when what it asks for was answered.
    if (cut >= 5) {
      ASSERT_EQ(other.read_text(), kHello) << "cut at " << cut;
    }
    other.send(bytes.substr(cut));
    if (cut < 5) {
      ASSERT_EQ(other.read_text(), kHello) << "cut at " << cut;
    }
    ASSERT_EQ(other.read_who().id, "5") << "cut at " << cut;
    ASSERT_EQ(other.read_text(), kHello) << "cut at " << cut;
    ASSERT_EQ(other.read_text(), kHello) << "cut at " << cut;
    ASSERT_EQ(other.read_who().id, "6") << "cut at " << cut;
  }
}

TEST_P(Protocol, CommandsOfOneSegmentAreAnsweredOnceInOrderAcrossMoves) {
  std::string bytes;
  for (int id = 0; id < 50; ++id) bytes += claim_bytes(id) + "W" + message_bytes("x") + "W";
  client.send(bytes);
  for (int id = 0; id < 50; ++id) {
    ASSERT_EQ(client.read_text(), kHello);
    const Who after_claim = client.read_who();
    ASSERT_EQ(after_claim.id, std::to_string(id)) << after_claim.text;
    ASSERT_EQ(client.read_text(), kHello);
    const Who after_message = client.read_who();
    ASSERT_EQ(after_message.pid, after_claim.pid) << "the new owner answers what stood behind";
  }
  EXPECT_EQ(client.who().id, "49");
  EXPECT_TRUE(client.is_quiet()) << "each command has one answer";
}

TEST_P(Protocol, ThousandsOfCommandsOfOneSegmentAreAnsweredOnce) {
  constexpr int kCount = 5000;  // more answers than the server keeps for a client at once
  std::string bytes = claim_bytes(1);
  for (int i = 0; i < kCount; ++i) bytes += message_bytes("y");
  client.send(bytes + "W");
  for (int i = 0; i <= kCount; ++i) ASSERT_EQ(client.read_text(), kHello) << "answer " << i;
  EXPECT_EQ(client.read_who().id, "1");
}

TEST_P(Protocol, ALongMessageIsAnsweredOnce) {
  EXPECT_EQ(client.message(std::string(control::kMaxMessage, 'm')), kHello);
  client.send_byte_by_byte(message_bytes(std::string(500, 'n')));
  EXPECT_EQ(client.read_text(), kHello);
  EXPECT_EQ(client.who().id, "-");
}

TEST_P(Protocol, AnOverlongMessageIsRefusedAndTheClientClosed) {
  EXPECT_EQ(client.claim(3), kHello);
  EXPECT_EQ(client.message(std::string(control::kMaxMessage + 1, 'm')),
            "error: message over 4096 bytes");
  EXPECT_TRUE(client.sees_eof());
}

TEST_P(Protocol, AnUnknownByteIsRefusedAndTheClientClosed) {
  Client before(broker.port());
  before.send("Z");
  EXPECT_EQ(before.read_text(), "error: expected C, M or W");
  EXPECT_TRUE(before.sees_eof());
  client.send(claim_bytes(4) + "Z");
  EXPECT_EQ(client.read_text(), kHello);
  EXPECT_EQ(client.read_text(), "error: expected C, M or W");
  EXPECT_TRUE(client.sees_eof());
}

TEST_P(Protocol, TheEndOfAClientIsItsOwn) {
  Client stays(broker.port());
  EXPECT_EQ(stays.claim(9), kHello);
  for (int i = 0; i < 20; ++i) {
    Client leaves(broker.port());
    leaves.send(claim_bytes(9));
  }
  EXPECT_EQ(stays.message(), kHello);
}

class Ping : public testing::TestWithParam<Arguments> {
 protected:
  static Arguments with_protocol(Arguments arguments) {
    arguments.insert(arguments.end(), {"--protocol", "ping"});
    return arguments;
  }
};

INSTANTIATE_TEST_SUITE_P(, Ping,
                         testing::Values(Arguments{"--workers", "0"}, Arguments{"--workers", "2"}),
                         mode);

TEST_P(Ping, AnyBytesAreGreeted) {
  BrokerSetup setup;
  setup.arguments = with_protocol(GetParam());
  setup.await_ready = false;  // which asks W
  const BrokerProcess broker(setup);
  ASSERT_TRUE(eventually([&] { return !is_refused(broker.port()); }));
  Client client(broker.port());
  for (const std::string_view bytes : {"Z", "hello", "C"}) {
    client.send(bytes);
    EXPECT_EQ(client.read_text(), kHello);
  }
  EXPECT_TRUE(client.is_quiet());
}

TEST_P(Ping, AtTheLimitAClientIsBusy) {
  BrokerSetup setup;
  setup.arguments = with_protocol(GetParam());
  setup.arguments.insert(setup.arguments.end(), {"--max-clients", "1"});
  setup.await_ready = false;
  const BrokerProcess broker(setup);
  ASSERT_TRUE(eventually([&] { return !is_refused(broker.port()); }));
  const int places = GetParam()[1] == "0" ? 1 : 2;
  std::vector<Client> served;
  for (int i = 0; i < places; ++i) {
    served.emplace_back(broker.port()).send("ping");
    ASSERT_EQ(served.back().read_text(), kHello);
  }
  Client refused(broker.port());
  refused.send("ping");
  EXPECT_EQ(refused.read_text(), kBusy);
  EXPECT_TRUE(refused.sees_eof());
}

TEST(Listeners, EachHasItsOwnAddressAndProtocol) {
  const TempFolder folder;
  const std::string path = folder.file("clients.sock");
  BrokerSetup setup;
  const std::uint16_t ping_port = free_port();
  setup.config =
      "workers = 2\n[listener ids]\nlisten = 127.0.0.1:PORT\n"
      "[listener pings]\nlisten = 127.0.0.1:" +
      std::to_string(ping_port) + "\nprotocol = ping\n[listener local]\nlisten = unix:" + path +
      "\n"
      "[listener six]\nlisten = [::1]:PORT\n";
  const BrokerProcess broker(setup);
  Client ping(ping_port);
  ping.send("?");
  EXPECT_EQ(ping.read_text(), kHello);
  Client tcp(broker.port());
  const Who who = tcp.join(77);
  Client local(parse_endpoint("unix:" + path).value());
  EXPECT_EQ(local.join(77).pid, who.pid) << "an id has one owner on all listeners of its protocol";
  Client six(parse_endpoint("[::1]:" + std::to_string(broker.port())).value());
  EXPECT_EQ(six.join(77).pid, who.pid);
}

}  // namespace
}  // namespace mpb::test
