#include "proto/rtmp/classifier.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "proto/rtmp/chunk.hpp"
#include "proto/rtmp/command.hpp"
#include "proto/rtmp/handshake.hpp"
#include "proto/rtmp/prefix.hpp"
#include "tests/support/first_verdict.hpp"
#include "tests/support/rtmp_session.hpp"

namespace mpb::rtmp {
namespace {

using Kind = Verdict::Kind;
using test::first_verdict;
using test::rejected_description;
using test::rtmp_c2;
using test::rtmp_hello;
using test::RtmpSession;
using namespace std::string_literals;

std::string resolve_only_a(std::string_view name) {
  return name == "a.test" ? "a.test" : "";
}

ClassifierOptions options() {
  ClassifierOptions options;
  options.resolve = resolve_only_a;
  return options;
}

std::string connect_to(std::string_view host) {
  std::string out;
  append_connect(out, "live", "rtmp://" + std::string(host) + "/live");
  return out;
}

/// A message of `type` on chunk stream 2 before connect.
std::string message(MessageType type, std::string_view payload) {
  Message message;
  message.type = type;
  message.chunk_stream = 2;
  message.payload = payload;
  std::string out;
  append_message(out, message, kDefaultChunkSize);
  return out;
}

/// The verdict on what is behind the handshake.
Verdict verdict_on(std::string_view behind, ClassifierOptions given = options()) {
  const Classifier classifier(std::move(given), 1);
  RtmpSession session(classifier);
  session.feed(rtmp_hello() + rtmp_c2() + std::string(behind));
  if (!session.ended()) return {};
  return session.last();
}

TEST(RtmpClassifier, AnswersTheHandshakeThenRoutesByVhost) {
  const Classifier classifier(options(), 1);
  RtmpSession session(classifier);
  const std::string hello = rtmp_hello();
  session.feed(std::string_view(hello).substr(0, hello.size() - 1));
  EXPECT_TRUE(session.verdicts().empty());
  session.feed(std::string_view(hello).substr(hello.size() - 1));
  ASSERT_EQ(session.verdicts().size(), 1U);
  EXPECT_EQ(session.last().kind, Kind::kReply);
  EXPECT_EQ(session.last().reply.size(), kAnswerSize);
  EXPECT_EQ(session.last().consumed, kHelloSize);
  EXPECT_TRUE(session.last().state.empty());

  const std::string rest = rtmp_c2() + connect_to("A.test:1935");
  session.feed(std::string_view(rest).substr(0, rest.size() - 1));
  EXPECT_FALSE(session.ended());
  session.feed(std::string_view(rest).substr(rest.size() - 1));
  ASSERT_TRUE(session.ended());
  EXPECT_EQ(session.last().kind, Kind::kRoute);
  EXPECT_EQ(session.last().key, "a.test");
  // The handler gets all from C2 on.
  EXPECT_EQ(session.last().consumed, 0U);
  EXPECT_EQ(session.pending(), rest);
}

TEST(RtmpClassifier, TheKeyIsWhatTheNameResolvesTo) {
  ClassifierOptions given;
  given.resolve = [](std::string_view) { return std::string(kDefaultVhost); };
  EXPECT_EQ(verdict_on(connect_to("other.test"), given).key, kDefaultVhost);
}

TEST(RtmpClassifier, WithKeysByAppTheClientBelongsToItsVhostsApp) {
  ClassifierOptions given = options();
  given.granularity = KeyGranularity::kApp;
  const Verdict verdict = verdict_on(connect_to("a.test"), given);
  EXPECT_EQ(verdict.kind, Kind::kRoute);
  EXPECT_EQ(verdict.key, "a.test/live");
  EXPECT_EQ(verdict.consumed, 0U);
}

TEST(RtmpClassifier, AnAppThatIsTooLongForAKeyIsItsBeginningAndAHash) {
  const std::string app(2'000, 'x');
  const std::string key = app_key("a.test", app);
  EXPECT_EQ(key.size(), kMaxPathKey);
  EXPECT_TRUE(key.starts_with("a.test/xxx"));
  EXPECT_NE(app_key("a.test", app + 'y'), key);
  EXPECT_EQ(app_key("a.test", app), key);
}

TEST(RtmpClassifier, WithKeysByStreamTheClientStaysUntilItNamesOne) {
  ClassifierOptions given = options();
  given.granularity = KeyGranularity::kStream;
  const Verdict served = verdict_on(connect_to("a.test"), given);
  EXPECT_EQ(served.kind, Kind::kLocal);
  EXPECT_EQ(served.consumed, 0U);
  EXPECT_EQ(verdict_on(connect_to("a.test/x?vhost=b.test&"), given).kind, Kind::kReject);
}

TEST(RtmpClassifier, WhoComesByAHostThatIsNoVhostMayNameOneLater) {
  for (const char* host : {"b.test", "127.0.0.1", "[::1]:1935", "what is that"}) {
    const Verdict verdict = verdict_on(connect_to(host));
    EXPECT_EQ(verdict.kind, Kind::kLocal) << host;
    EXPECT_EQ(verdict.consumed, 0U);
  }
}

TEST(RtmpClassifier, AnUnknownVhostIsRejectedByName) {
  const Verdict verdict = verdict_on(connect_to("a.test/x?vhost=b.test&"));
  EXPECT_EQ(verdict.kind, Kind::kReject);
  EXPECT_NE(rejected_description(verdict.reply).find("b.test"), std::string::npos);
}

TEST(RtmpClassifier, AWrongVersionIsRejectedAtItsFirstByte) {
  const Classifier classifier(options(), 1);
  for (int byte = 0; byte < 256; ++byte) {
    const std::string first(1, static_cast<char>(byte));
    const Verdict verdict = first_verdict(classifier, first);
    EXPECT_EQ(verdict.kind, byte == kVersion ? Kind::kNeedMore : Kind::kReject) << byte;
    EXPECT_TRUE(verdict.text.empty() && verdict.reply.empty()) << byte;
  }
}

TEST(RtmpClassifier, ProtocolControlMayComeBeforeConnect) {
  std::string before;
  append_window_ack_size(before, 5'000'000);
  append_user_control(before, 3, 100);
  append_set_chunk_size(before, 4096);
  std::string connect;
  append_connect(connect, "live", "rtmp://a.test/live?x=" + std::string(1000, 'x'), 4096);
  EXPECT_EQ(verdict_on(before + connect).key, "a.test");
}

TEST(RtmpClassifier, WhatNeedsAConnectionMayNotComeBeforeConnect) {
  std::string create;
  append_create_stream(create, 1);
  std::string publish;
  append_publish(publish, 1, "s");
  std::string media;
  for (const MessageType type :
       {MessageType::kAudio, MessageType::kVideo, MessageType::kAggregate}) {
    media = message(type, "x");
    for (const std::string& hasty : {create, publish, media}) {
      const Verdict verdict = verdict_on(hasty + connect_to("a.test"));
      EXPECT_EQ(verdict.kind, Kind::kReject);
      EXPECT_NE(rejected_description(verdict.reply), "");
    }
  }
}

TEST(RtmpClassifier, WhatMeansNothingIsPassedOverBeforeConnect) {
  std::string unknown;
  amf0::write_string(unknown, "someCall");
  for (const MessageType type :
       {MessageType::kCommandAmf0, MessageType::kCommandAmf3, MessageType::kDataAmf0,
        MessageType::kSharedObjectAmf0, MessageType{99}}) {
    for (const std::string& payload : {"x"s, ""s, unknown}) {
      EXPECT_EQ(verdict_on(message(type, payload) + connect_to("a.test")).key, "a.test");
    }
  }
}

TEST(RtmpClassifier, MessagesBeforeConnectAreBoundedInNumber) {
  std::string acknowledgements;
  for (int i = 0; i < 15; ++i) append_acknowledgement(acknowledgements, 1);
  EXPECT_EQ(verdict_on(acknowledgements + connect_to("a.test")).kind, Kind::kRoute);
  append_acknowledgement(acknowledgements, 1);
  EXPECT_EQ(verdict_on(acknowledgements + connect_to("a.test")).kind, Kind::kReject);
  EXPECT_EQ(verdict_on(acknowledgements).kind, Kind::kReject);
}

TEST(RtmpClassifier, EachByteIsReadOnce) {
  const Classifier classifier(options(), 1);
  Classification so_far;
  std::string pending = rtmp_hello();
  ASSERT_EQ(classifier.go_on(pending, so_far).kind, Kind::kReply);
  // Byte by byte, in tiny chunks; of what was seen the classifier may look at part of a header.
  constexpr std::size_t kLongestHeader = 18;
  std::string wire = rtmp_c2();
  append_set_chunk_size(wire, 1);
  std::string connect;
  append_connect(connect, "live", "rtmp://a.test/live?x=" + std::string(2'000, 'x'), 1);
  pending.clear();
  Verdict verdict;
  for (const char byte : wire + connect) {
    ASSERT_EQ(verdict.kind, Kind::kNeedMore);
    pending += byte;
    verdict = classifier.go_on(pending, so_far);
    if (pending.size() > kLongestHeader) pending[pending.size() - kLongestHeader - 1] = '\xff';
  }
  EXPECT_EQ(verdict.kind, Kind::kRoute);
  EXPECT_EQ(verdict.key, "a.test");
  EXPECT_EQ(so_far.findings, nullptr) << "what was found is told";
}

TEST(RtmpClassifier, FewMessagesMayBePartialBeforeConnect) {
  const auto begun = [](std::uint32_t count) {
    std::string wire;
    for (std::uint32_t i = 0; i < count; ++i) {
      Message message;
      message.type = MessageType::kDataAmf0;
      message.chunk_stream = 10 + i;
      const std::string payload(200, 'x');
      message.payload = payload;
      std::string out;
      append_message(out, message, kDefaultChunkSize);
      wire += out.substr(0, out.size() - 1 - (200 - kDefaultChunkSize));
    }
    return wire;
  };
  EXPECT_EQ(verdict_on(begun(kMaxPartialBeforeConnect - 1) + connect_to("a.test")).key, "a.test");
  EXPECT_EQ(verdict_on(begun(kMaxPartialBeforeConnect)).kind, Kind::kNeedMore);
  EXPECT_EQ(verdict_on(begun(kMaxPartialBeforeConnect + 1)).kind, Kind::kReject);
}

TEST(RtmpClassifier, AConnectThatNamesNoAppIsRejectedWithItsTransaction) {
  std::string connect;
  append_connect(connect, "", "rtmp://a.test");
  const Verdict verdict = verdict_on(connect);
  EXPECT_EQ(verdict.kind, Kind::kReject);
  EXPECT_NE(rejected_description(verdict.reply), "");
}

TEST(RtmpClassifier, AnAmf3ConnectIsAccepted) {
  std::string payload = "\0"s;
  amf0::write_string(payload, "connect");
  amf0::write_number(payload, 1);
  amf0::Object object;
  object.properties.emplace_back("app", amf0::Value("live"s));
  object.properties.emplace_back("tcUrl", amf0::Value("rtmp://a.test/live"s));
  object.properties.emplace_back("objectEncoding", amf0::Value(3.0));
  amf0::write(payload, object);
  EXPECT_EQ(verdict_on(message(MessageType::kCommandAmf3, payload)).key, "a.test");
}

TEST(RtmpClassifier, AChunkErrorIsRejected) {
  // A format 3 header on a chunk stream that has not begun.
  EXPECT_EQ(verdict_on("\xc5x").kind, Kind::kReject);
  // A message longer than is accepted here.
  EXPECT_EQ(verdict_on("\x03\0\0\0\x02\0\x01\x14\0\0\0\0"s).kind, Kind::kReject);
}

TEST(RtmpClassifier, ConnectMustBeWholeWithinTheBound) {
  std::string before;
  append_set_chunk_size(before, 131'072);
  // As long as may be: the bound counts control messages, too. A string is bounded on its own, so
  // the length is in two of them.
  const auto padded = [&](std::size_t padding) {
    std::string payload;
    amf0::write_string(payload, "connect");
    amf0::write_number(payload, 1);
    amf0::Object object;
    object.properties.emplace_back("app", amf0::Value("live"s));
    object.properties.emplace_back("tcUrl", amf0::Value("rtmp://a.test/live"s));
    object.properties.emplace_back("x", amf0::Value(std::string(padding / 2, 'x')));
    object.properties.emplace_back("y", amf0::Value(std::string(padding - padding / 2, 'y')));
    amf0::write(payload, object);
    Message message;
    message.type = MessageType::kCommandAmf0;
    message.chunk_stream = 3;
    message.payload = payload;
    std::string out = before;
    append_message(out, message, 131'072);
    return out;
  };
  const std::size_t most = kMaxBeforeConnect - padded(0).size();
  EXPECT_EQ(verdict_on(padded(most)).kind, Kind::kRoute);
  EXPECT_EQ(verdict_on(padded(most) + "more").kind, Kind::kRoute);
  const Verdict longer = verdict_on(padded(most + 1));
  EXPECT_EQ(longer.kind, Kind::kReject);
  EXPECT_NE(rejected_description(longer.reply), "");
  EXPECT_EQ(verdict_on(padded(most + 1).substr(0, kMaxBeforeConnect - 1)).kind, Kind::kNeedMore);
}

TEST(RtmpClassifier, ATcUrlMayHaveWhatAStringOfAmf0Has) {
  std::string connect;
  const std::string start = "rtmp://a.test/live?token=";
  append_connect(connect, "live", start + std::string(kMaxName - start.size(), 't'));
  EXPECT_EQ(verdict_on(connect).key, "a.test");
}

TEST(RtmpClassifier, AProxyPrefixTellsTheAddress) {
  ClassifierOptions given = options();
  given.proxy_protocol = true;
  const Classifier classifier(given, 1);
  for (const std::string& prefix : {make_proxy_v1("192.0.2.1:1234", "192.0.2.9:1935"),
                                    make_proxy_v2("192.0.2.1:1234", "192.0.2.9:1935")}) {
    RtmpSession session(classifier);
    session.feed(prefix + rtmp_hello() + rtmp_c2() + connect_to("a.test"));
    ASSERT_EQ(session.verdicts().size(), 3U);
    const Verdict& told = session.verdicts()[0];
    EXPECT_EQ(told.kind, Kind::kReply);
    EXPECT_EQ(told.consumed, prefix.size());
    EXPECT_EQ(told.state, "A192.0.2.1:1234");
    EXPECT_TRUE(told.text.empty() && told.reply.empty());
    EXPECT_EQ(session.verdicts()[1].reply.size(), kAnswerSize);
    EXPECT_EQ(session.last().key, "a.test");
    EXPECT_TRUE(session.last().state.empty());
  }
}

TEST(RtmpClassifier, AProxyThatTellsNoAddressLeavesNoState) {
  ClassifierOptions given = options();
  given.proxy_protocol = true;
  const Classifier classifier(given, 1);
  RtmpSession session(classifier);
  session.feed("PROXY UNKNOWN\r\n" + rtmp_hello());
  ASSERT_EQ(session.verdicts().size(), 2U);
  EXPECT_TRUE(session.verdicts()[0].state.empty());
}

TEST(RtmpClassifier, WhereAProxyPrefixIsAskedForItMustBeThere) {
  ClassifierOptions given = options();
  given.proxy_protocol = true;
  const Classifier classifier(given, 1);
  EXPECT_EQ(first_verdict(classifier, rtmp_hello()).kind, Kind::kReject);
  EXPECT_EQ(first_verdict(classifier, "PROXY TCP4 nonsense\r\n").kind, Kind::kReject);
  // And it comes once.
  RtmpSession session(classifier);
  session.feed("PROXY UNKNOWN\r\nPROXY UNKNOWN\r\n");
  ASSERT_EQ(session.verdicts().size(), 2U);
  EXPECT_EQ(session.last().kind, Kind::kReject);
}

TEST(RtmpClassifier, ARealIpPrefixMayBeThere) {
  ClassifierOptions given = options();
  given.srs_real_ip = true;
  const Classifier classifier(given, 1);
  RtmpSession with(classifier);
  with.feed(make_srs_real_ip("192.0.2.1") + rtmp_hello());
  ASSERT_EQ(with.verdicts().size(), 2U);
  EXPECT_EQ(with.verdicts()[0].state, "A192.0.2.1");
  EXPECT_EQ(with.last().reply.size(), kAnswerSize);

  RtmpSession without(classifier);
  without.feed(rtmp_hello());
  ASSERT_EQ(without.verdicts().size(), 1U);
  EXPECT_EQ(without.last().reply.size(), kAnswerSize);

  RtmpSession twice(classifier);
  twice.feed(make_srs_real_ip("192.0.2.1") + make_srs_real_ip("192.0.2.1"));
  EXPECT_EQ(twice.last().kind, Kind::kReject);
}

TEST(RtmpClassifier, BothPrefixesMayFollowEachOther) {
  ClassifierOptions given = options();
  given.proxy_protocol = true;
  given.srs_real_ip = true;
  const Classifier classifier(given, 1);
  RtmpSession session(classifier);
  session.feed("PROXY UNKNOWN\r\n" + make_srs_real_ip("192.0.2.1") + rtmp_hello());
  ASSERT_EQ(session.verdicts().size(), 3U);
  EXPECT_EQ(session.verdicts()[1].state, "A192.0.2.1");
  EXPECT_EQ(session.last().reply.size(), kAnswerSize);
}

TEST(RtmpClassifier, PrefixesAreRefusedWhereNobodyAskedForThem) {
  const Classifier classifier(options(), 1);
  EXPECT_EQ(first_verdict(classifier, "PROXY UNKNOWN\r\n").kind, Kind::kReject);
  EXPECT_EQ(first_verdict(classifier, make_srs_real_ip("192.0.2.1")).kind, Kind::kReject);
}

TEST(RtmpClassifier, BusyIsARejectedConnect) {
  const Classifier classifier(options(), 1);
  EXPECT_EQ(rejected_description(classifier.busy_reply()), kServerFull);
  EXPECT_EQ(rejected_description(classifier.source_reply()), kSourceFull);
  EXPECT_TRUE(classifier.quick_ack());
}

}  // namespace
}  // namespace mpb::rtmp
