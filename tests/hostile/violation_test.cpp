// What docs/channel-protocol.md calls a violation: that worker is ejected, and nobody else notices.
#include <gtest/gtest.h>

#include <optional>

#include "tests/hostile/siege.hpp"

namespace mpb::test {
namespace {

/// What becomes of a client that is on its way to the hostile worker.
enum class Fate : std::uint8_t { kNoClient, kLost, kServed };

struct Violation {
  const char* attack;
  const char* why;  // a part of the reason that the broker gives
  Fate fate = Fate::kNoClient;
  bool confined = true;  // the attack is none that the sandbox prevents
};

constexpr Violation kDatagrams[] = {
    {"garbage", "version"},
    {"zeros", "version"},
    {"garbage-instead-of-ready", "version"},
    {"version-0", "version"},
    {"version-1", "version"},
    {"type-0", "type"},
    {"type-14", "type"},
    {"type-1c", "type"},
    {"notice-empty", "too short"},
    {"notice-of-no-kind", "kind"},
    {"notice-of-no-reason", "reason"},
    {"notice-too-long", "too long"},
    {"pong-with-fewer-counters", "broken block"},
    {"type-ff", "type"},
    {"one-byte", "shorter than a header"},
    {"short-header", "shorter than a header"},
    {"length-too-small", "length"},
    {"length-too-large", "length"},
    {"length-huge", "limit"},
    {"payload-missing", "too short"},
    {"datagram-too-long", "limit"},
    {"datagram-far-too-long", "limit"},
    {"empty-datagram", "empty"},
    {"empty-datagram-with-descriptor", "empty"},
    {"ack-broken-entry", "entry"},
    {"nack-broken-entry", "entry"},
    {"idle-broken-entry", "key"},
    {"idle-long-key", "key"},
    {"pong-broken-counter", "broken block"},
    {"handoff-long-key", "too long"},
    {"handoff-long-state", "too long"},
    {"handoff-long-unconsumed", "too long"},
    {"handoff-huge-lengths", "too long"},
    {"handoff-missing-bytes", "too short"},
    {"handoff-surplus-bytes", "too long"},
};

constexpr Violation kDescriptors[] = {
    {"handoff-without-descriptor", "without a descriptor"},
    {"two-descriptors", "more than one"},
    {"three-descriptors", "more than one"},
    {"253-descriptors", "more than one"},
    {"descriptor-with-load", "has none"},
    {"253-descriptors-with-load", "more than one"},
    {"descriptor-with-garbage", ""},
    {"253-descriptors-with-garbage", "more than one"},
    {"descriptor-with-ready", "has none"},
    {"pipe-read-end", "socket"},
    {"pipe-write-end", "socket"},
    {"regular-file", "socket"},
    {"directory", "socket"},
    {"path-only", "socket"},
    {"device", "socket"},
    {"epoll", "socket"},
    {"eventfd", "socket"},
    {"memfd", "socket"},
    {"datagram-socket", "socket"},
    {"listening-socket", "socket"},
    {"the-channel-itself", "socket"},
    {"lingering-client-behind-garbage", "header", Fate::kNoClient, false},
    {"empty-datagrams-behind-garbage", "header", Fate::kNoClient, false},
    {"lingering-clients-in-one-message", "more than one", Fate::kNoClient, false},
};

constexpr Violation kOrder[] = {
    {"load-before-ready", "before Ready"},
    {"pong-before-ready", "before Ready"},
    {"ready-of-another-version", "version"},
    {"second-ready", "second Ready"},
    {"two-readies-at-once", "second Ready"},
    {"says-configure", "only a broker"},
    {"says-listen", "only a broker"},
    {"says-unlisten", "only a broker"},
    {"says-start", "only a broker"},
    {"says-deliver", ""},
    {"says-keep", "only a broker"},
    {"says-settled", "only a broker"},
    {"says-own", "only a broker"},
    {"says-disown", "only a broker"},
    {"says-drain", "only a broker"},
    {"says-ping", "only a broker"},
    {"says-resync", "only a broker"},
    {"says-query", "only a broker"},
    {"answer-before-ready", "before Ready"},
    {"answer-unasked", "nobody asked"},
    {"resync-report-unasked", ""},
    {"pong-unasked", "Pong"},
    {"pong-twice", "Pong"},
    {"unknown-listener", "listener that never was"},
    {"ack-unknown", "Ack"},
    {"ack-twice", "Ack", Fate::kLost},
    {"ack-of-others", "Ack", Fate::kLost},
    {"nack-unknown", "Nack"},
    {"nack-after-ack", "Nack", Fate::kLost},
    {"nack-reason-0", "Nack", Fate::kServed},
    {"nack-reason-retry", "Nack", Fate::kServed},
    {"nack-reason-busy", "Nack", Fate::kServed},
    {"nack-reason-loop", "Nack", Fate::kServed},
    {"nack-reason-8", "Nack", Fate::kServed},
    {"operation-before-ready", "before Ready"},
    {"operation-of-no-kind", "kind"},
    {"says-tables", "only a broker"},
    {"says-table-changes", "only a broker"},
    {"operations-without-end", "window"},
};

constexpr Violation kLetters[] = {
    {"post-before-ready", "before Ready"},
    {"post-beyond-window", "credit"},
    {"post-beyond-window-in-bytes", "credit"},
    {"post-topic-too-long", "topic too long"},
    {"post-payload-too-long", "too long"},
    {"post-content-too-long", "too long"},
    {"post-forged-sender", "only a broker"},
    {"post-regular-file", "something else than a socket"},
    {"post-epoll", "something else than a socket"},
    {"post-device", "something else than a socket"},
    {"post-without-its-descriptor", "without its descriptor"},
    {"post-with-a-descriptor-untold", "has none"},
    {"join-without-end", "too many groups"},
    {"subscribe-without-end", "flood"},
};

class Hostile : public testing::TestWithParam<Violation> {};

TEST_P(Hostile, IsEjected) {
  const Violation& violation = GetParam();
  Siege siege({.attacks = std::string("1=") + violation.attack, .confined = violation.confined});
  siege.begin();
  std::optional<Client> client;
  if (violation.fate != Fate::kNoClient) {
    client.emplace(siege.broker().port());
    client->send(claim_bytes(9));
  }
  const std::string why = siege.await_ejection();
  EXPECT_FALSE(why.empty()) << "it was not ejected";
  EXPECT_NE(why.find(violation.why), std::string::npos) << why;
  EXPECT_TRUE(siege.await_replacement());
  EXPECT_EQ(siege.broker().worker(1).restarts, 1);
  if (violation.fate == Fate::kServed) {
    EXPECT_EQ(client->read_text(), kHello);
  }
  if (violation.fate == Fate::kLost) {
    const std::string end = client->read_text();
    EXPECT_TRUE(end == kEof || end == kReset) << end;
  }
  client.reset();
  siege.expect_served(9, 1);
  siege.expect_unharmed();
}

std::string name_of(const testing::TestParamInfo<Violation>& info) {
  std::string name = info.param.attack;
  for (char& c : name) {
    if (c == '-') c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Datagram, Hostile, testing::ValuesIn(kDatagrams), name_of);
INSTANTIATE_TEST_SUITE_P(Descriptor, Hostile, testing::ValuesIn(kDescriptors), name_of);
INSTANTIATE_TEST_SUITE_P(Letters, Hostile, testing::ValuesIn(kLetters), name_of);
INSTANTIATE_TEST_SUITE_P(Order, Hostile, testing::ValuesIn(kOrder), name_of);

}  // namespace
}  // namespace mpb::test
