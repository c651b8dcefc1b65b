// The RTMP classifier: any split of the bytes gives the same verdicts. The first byte of an input
// says with which options it is read, and whether the handshake's bytes come before it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/rtmp/classifier.hpp"
#include "tests/fuzz/check.hpp"
#include "tests/support/rtmp_session.hpp"

namespace {

using mpb::Verdict;
using mpb::rtmp::Classifier;
using mpb::rtmp::ClassifierOptions;
using mpb::test::RtmpSession;

constexpr unsigned kProxyProtocol = 1;
constexpr unsigned kRealIp = 2;
constexpr unsigned kByStream = 4;
constexpr unsigned kAfterHandshake = 8;
constexpr unsigned kByApp = 16;

/// Pieces of one byte up to here; further on longer ones, for the sake of long inputs.
constexpr std::size_t kEveryLength = 256;
constexpr std::size_t kStep = 61;

Classifier make_classifier(unsigned flags) {
  ClassifierOptions options;
  options.proxy_protocol = (flags & kProxyProtocol) != 0;
  options.srs_real_ip = (flags & kRealIp) != 0;
  if ((flags & kByStream) != 0) options.granularity = mpb::KeyGranularity::kStream;
  if ((flags & kByApp) != 0) options.granularity = mpb::KeyGranularity::kApp;
  options.resolve = [](std::string_view name) {
    return name.starts_with('x') ? std::string() : std::string(name);
  };
  return {options, 1};
}

void check(const Verdict& verdict) {
  MPB_FUZZ_REQUIRE(verdict.kind != Verdict::Kind::kNeedMore);
  MPB_FUZZ_REQUIRE((verdict.kind == Verdict::Kind::kRoute) != verdict.key.empty());
  MPB_FUZZ_REQUIRE((verdict.kind == Verdict::Kind::kReply) == (verdict.consumed > 0));
  MPB_FUZZ_REQUIRE(verdict.state.empty() || verdict.state.front() == 'A');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const Classifier classifier = make_classifier(data[0]);
  static const std::string kHandshake = mpb::test::rtmp_hello() + mpb::test::rtmp_c2();
  std::string_view before;
  if ((data[0] & kAfterHandshake) != 0) before = kHandshake;

  RtmpSession at_once(classifier);
  at_once.feed(std::string(before).append(bytes));
  RtmpSession in_pieces(classifier);
  in_pieces.feed(before);
  for (std::size_t done = 0; done < bytes.size() && !in_pieces.ended();) {
    const std::size_t piece = done < kEveryLength ? 1 : std::min(kStep, bytes.size() - done);
    in_pieces.feed(bytes.substr(done, piece));
    done += piece;
  }
  MPB_FUZZ_REQUIRE(in_pieces.told() == at_once.told());
  MPB_FUZZ_REQUIRE(in_pieces.ended() == at_once.ended());
  for (const Verdict& verdict : at_once.verdicts()) check(verdict);
  return 0;
}
