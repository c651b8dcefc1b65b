#include "proto/classifier.hpp"

#include <gtest/gtest.h>

#include <string>

#include "proto/control.hpp"

namespace mpb {
namespace {

using Kind = Verdict::Kind;
using namespace std::string_literals;

TEST(ControlClassifier, NeedsMoreUntilTheIdIsWhole) {
  const ControlClassifier classifier;
  const std::string claim = "C\x07\0\0\0"s;
  for (std::size_t length = 0; length < claim.size(); ++length) {
    EXPECT_EQ(classifier.classify(std::string_view(claim).substr(0, length), 0).kind,
              Kind::kNeedMore);
  }
  const Verdict verdict = classifier.classify(claim, 0);
  EXPECT_EQ(verdict.kind, Kind::kRoute);
  EXPECT_EQ(verdict.key, "7");
}

TEST(ControlClassifier, TheClaimTravelsWithTheClient) {
  // Its owner answers it, so none of its bytes may be consumed here.
  EXPECT_EQ(ControlClassifier{}.classify("C\x07\0\0\0W"s, 0).consumed, 0U);
}

TEST(ControlClassifier, NegativeIdsAreKeysOfTheirOwn) {
  EXPECT_EQ(ControlClassifier{}.classify("C\xff\xff\xff\xff"s, 0).key, "-1");
  EXPECT_EQ(ControlClassifier{}.classify("C\xff\xff\xff\x7f"s, 0).key, "2147483647");
}

TEST(ControlClassifier, WhoeverHoldsTheClientAnswersWhatComesBeforeAClaim) {
  const ControlClassifier classifier;
  EXPECT_EQ(classifier.classify("W", 0).kind, Kind::kLocal);
  EXPECT_EQ(classifier.classify("Mhi\0C\x07\0\0\0"s, 0).kind, Kind::kLocal);
  EXPECT_EQ(classifier.classify("Mhi", 0).kind, Kind::kNeedMore);
}

TEST(ControlClassifier, RejectsInItsOwnWords) {
  const ControlClassifier classifier;
  const Verdict unknown = classifier.classify("GET / HTTP/1.1\r\n", 0);
  EXPECT_EQ(unknown.kind, Kind::kReject);
  EXPECT_EQ(unknown.text, control::kUnknownCommand);
  const Verdict overlong = classifier.classify("M" + std::string(control::kMaxMessage + 1, 'x'), 0);
  EXPECT_EQ(overlong.kind, Kind::kReject);
  EXPECT_EQ(overlong.text, control::kMessageTooLong);
  EXPECT_EQ(classifier.busy_reply(), control::kBusy);
}

TEST(PingClassifier, AnyByteIsLocal) {
  const PingClassifier classifier;
  EXPECT_EQ(classifier.classify("", 0).kind, Kind::kNeedMore);
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const Verdict verdict = classifier.classify({&c, 1}, 0);
    EXPECT_EQ(verdict.kind, Kind::kLocal) << "byte " << byte;
    EXPECT_TRUE(verdict.key.empty());
  }
  EXPECT_EQ(classifier.busy_reply(), control::kBusy);
}

}  // namespace
}  // namespace mpb
