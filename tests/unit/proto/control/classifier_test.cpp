#include "proto/control/classifier.hpp"

#include <gtest/gtest.h>

#include <string>

#include "proto/control/control.hpp"
#include "tests/support/first_verdict.hpp"

namespace mpb {
namespace {

using Kind = Verdict::Kind;
using test::first_verdict;
using namespace std::string_literals;

TEST(ControlClassifier, NeedsMoreUntilTheIdIsWhole) {
  const ControlClassifier classifier;
  const std::string claim = "C\x07\0\0\0"s;
  for (std::size_t length = 0; length < claim.size(); ++length) {
    EXPECT_EQ(first_verdict(classifier, std::string_view(claim).substr(0, length)).kind,
              Kind::kNeedMore);
  }
  const Verdict verdict = first_verdict(classifier, claim);
  EXPECT_EQ(verdict.kind, Kind::kRoute);
  EXPECT_EQ(verdict.key, "7");
}

TEST(ControlClassifier, TheClaimTravelsWithTheClient) {
  // Its owner answers it, so none of its bytes may be consumed here.
  EXPECT_EQ(first_verdict(ControlClassifier{}, "C\x07\0\0\0W"s).consumed, 0U);
}

TEST(ControlClassifier, NegativeIdsAreKeysOfTheirOwn) {
  EXPECT_EQ(first_verdict(ControlClassifier{}, "C\xff\xff\xff\xff"s).key, "-1");
  EXPECT_EQ(first_verdict(ControlClassifier{}, "C\xff\xff\xff\x7f"s).key, "2147483647");
}

TEST(ControlClassifier, WhoeverHoldsTheClientAnswersWhatComesBeforeAClaim) {
  const ControlClassifier classifier;
  EXPECT_EQ(first_verdict(classifier, "W").kind, Kind::kLocal);
  EXPECT_EQ(first_verdict(classifier, "Mhi\0C\x07\0\0\0"s).kind, Kind::kLocal);
  EXPECT_EQ(first_verdict(classifier, "Mhi").kind, Kind::kNeedMore);
}

TEST(ControlClassifier, WhatWasSeenIsNotGoneThroughAgain) {
  const ControlClassifier classifier;
  Classification so_far;
  std::string pending = "M";
  for (int i = 0; i < 4000; ++i) {
    pending += 'x';
    ASSERT_EQ(classifier.go_on(pending, so_far).kind, Kind::kNeedMore);
    pending.back() = '\0';  // as only who looks again would see it
  }
  EXPECT_EQ(classifier.go_on(pending + '\0', so_far).kind, Kind::kLocal);
}

TEST(ControlClassifier, RejectsInItsOwnWords) {
  const ControlClassifier classifier;
  const Verdict unknown = first_verdict(classifier, "GET / HTTP/1.1\r\n");
  EXPECT_EQ(unknown.kind, Kind::kReject);
  EXPECT_EQ(unknown.text, control::kUnknownCommand);
  const Verdict overlong =
      first_verdict(classifier, "M" + std::string(control::kMaxMessage + 1, 'x'));
  EXPECT_EQ(overlong.kind, Kind::kReject);
  EXPECT_EQ(overlong.text, control::kMessageTooLong);
  EXPECT_EQ(classifier.busy_reply(), control::kBusy);
}

TEST(PingClassifier, AnyByteIsLocal) {
  const PingClassifier classifier;
  EXPECT_EQ(first_verdict(classifier, "").kind, Kind::kNeedMore);
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const Verdict verdict = first_verdict(classifier, {&c, 1});
    EXPECT_EQ(verdict.kind, Kind::kLocal) << "byte " << byte;
    EXPECT_TRUE(verdict.key.empty());
  }
  EXPECT_EQ(classifier.busy_reply(), control::kBusy);
}

}  // namespace
}  // namespace mpb
