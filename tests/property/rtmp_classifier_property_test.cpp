// Any split of an RTMP client's first bytes gives the same verdicts.
#include <algorithm>
#include <string>

#include "proto/rtmp/chunk.hpp"
#include "proto/rtmp/classifier.hpp"
#include "proto/rtmp/command.hpp"
#include "proto/rtmp/prefix.hpp"
#include "tests/support/rtmp_session.hpp"
#include "tests/support/seeded.hpp"

namespace mpb::rtmp {
namespace {

using test::RtmpSession;

class RtmpClassifierProperty : public test::SeededTest {
 protected:
  ClassifierOptions some_options() {
    ClassifierOptions options;
    options.granularity = one_in(4)   ? KeyGranularity::kStream
                          : one_in(3) ? KeyGranularity::kApp
                                      : KeyGranularity::kVhost;
    options.proxy_protocol = one_in(3);
    options.srs_real_ip = one_in(3);
    options.resolve = [](std::string_view name) {
      return name == "refused.test" ? std::string() : std::string(name);
    };
    return options;
  }

  std::string some_connect(std::uint32_t chunk_size) {
    const std::string host = one_in(4) ? "refused.test" : "a.test";
    std::string connect;
    append_connect(connect, one_in(8) ? "" : "live?x=" + std::string(number(0, 600), 'x'),
                   "rtmp://" + host + (one_in(4) ? "" : "/live"), chunk_size);
    return connect;
  }

  /// What a client sends, mostly in order, with something wrong here and there.
  std::string some_session(const ClassifierOptions& options) {
    std::string wire;
    if (options.proxy_protocol != one_in(8)) {
      wire += one_in(2) ? make_proxy_v1("192.0.2.1:1234", "192.0.2.9:1935")
                        : make_proxy_v2("[2001:db8::1]:1234", "[2001:db8::9]:1935");
    }
    if (options.srs_real_ip && one_in(2)) wire += make_srs_real_ip("192.0.2.7");
    wire += test::rtmp_hello() + test::rtmp_c2();
    std::uint32_t chunk_size = kDefaultChunkSize;
    for (int count = one_in(10) ? 20 : number(0, 3); count > 0; --count) {
      if (one_in(2)) {
        chunk_size = number(1U, 5000U);
        append_set_chunk_size(wire, chunk_size);
      } else {
        append_window_ack_size(wire, 2'500'000);
      }
    }
    if (one_in(8)) wire += some_bytes(50);
    if (one_in(8)) append_create_stream(wire, 1, chunk_size);
    wire += some_connect(chunk_size);
    if (one_in(2)) append_create_stream(wire, 2, chunk_size);
    if (one_in(6)) wire[number(std::size_t{0}, wire.size() - 1)] ^= 0x10;
    if (one_in(6)) wire.resize(number(std::size_t{0}, wire.size()));
    return wire;
  }

  void feed_in_pieces(RtmpSession& session, std::string_view wire, std::size_t longest) {
    while (!wire.empty() && !session.ended()) {
      const std::size_t size = std::min(number(std::size_t{1}, longest), wire.size());
      session.feed(wire.substr(0, size));
      wire.remove_prefix(size);
    }
  }
};

TEST_F(RtmpClassifierProperty, AnySplitGivesTheSameVerdicts) {
  int routed = 0;
  int rejected = 0;
  for (int round = 0; round < 300; ++round) {
    const ClassifierOptions options = some_options();
    const Classifier classifier(options, bits());
    const std::string wire = some_session(options);
    RtmpSession at_once(classifier);
    at_once.feed(wire);
    for (const std::size_t longest : {std::size_t{1}, std::size_t{7}, std::size_t{2000}}) {
      RtmpSession in_pieces(classifier);
      feed_in_pieces(in_pieces, wire, longest);
      ASSERT_EQ(in_pieces.told(), at_once.told()) << "pieces of up to " << longest;
      ASSERT_EQ(in_pieces.ended(), at_once.ended());
    }
    if (!at_once.ended()) continue;
    ++(at_once.last().kind == Verdict::Kind::kReject ? rejected : routed);
  }
  // The sessions are of both kinds.
  EXPECT_GT(routed, 30);
  EXPECT_GT(rejected, 30);
}

TEST_F(RtmpClassifierProperty, TheBoundHoldsForAnySplit) {
  int rejected = 0;
  for (int round = 0; round < 20; ++round) {
    const Classifier classifier({}, bits());
    // One message about as long as the bound, which it passes with its headers or does not: then it
    // is no command that is known, and others may follow.
    std::string wire = test::rtmp_hello() + test::rtmp_c2();
    append_set_chunk_size(wire, 1 << 16);
    Message message;
    message.type = MessageType::kCommandAmf0;
    message.chunk_stream = 3;
    const std::string payload(kMaxBeforeConnect - (round == 0 ? 0 : number(0, 40)), 'x');
    message.payload = payload;
    append_message(wire, message, 1 << 16);
    RtmpSession at_once(classifier);
    at_once.feed(wire);
    RtmpSession in_pieces(classifier);
    feed_in_pieces(in_pieces, wire, 3000);
    ASSERT_EQ(in_pieces.ended(), at_once.ended());
    ASSERT_EQ(in_pieces.told(), at_once.told());
    if (!at_once.ended()) continue;
    EXPECT_EQ(at_once.last().kind, Verdict::Kind::kReject);
    ++rejected;
  }
  EXPECT_GT(rejected, 0);
}

}  // namespace
}  // namespace mpb::rtmp
