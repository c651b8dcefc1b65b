#include "broker/dispatch/resync.hpp"

#include <gtest/gtest.h>

namespace mpb {
namespace {

using channel::AdoptionEntry;
using channel::NackReason;
using channel::ResyncReport;

constexpr std::uint32_t kWindow = 4;

class ResyncTest : public testing::Test {
 protected:
  ResyncTest() {
    resync.expect({0, 1});
    resync.expect({1, 1});
  }
  std::string_view report(Slot slot, const std::vector<std::uint64_t>& unsettled,
                          const std::vector<AdoptionEntry>& adopted = {},
                          std::uint16_t flags = ResyncReport::kLast) {
    std::vector<std::uint64_t> deliveries;
    for (const AdoptionEntry& one : adopted) {
      deliveries.push_back(seal.delivery(one.origin, one.handoff, {slot, 1}));
    }
    return resync.report(slot, {flags, {}, unsettled, adopted, {}, deliveries});
  }

  Seal seal{SipKey{1, 2}};
  Resync resync{seal, kWindow};
};

TEST_F(ResyncTest, WhoWasAdoptedIsSettledAndWhoWasNotComesAgain) {
  EXPECT_EQ(report(0, {10, 11}), "");
  EXPECT_FALSE(resync.complete());
  EXPECT_EQ(report(1, {}, {{10, 0, {}}}), "");
  ASSERT_TRUE(resync.complete());
  const auto verdicts = resync.take();
  EXPECT_EQ(verdicts.at(0).settled, std::vector<std::uint64_t>{10});
  ASSERT_EQ(verdicts.at(0).nacks.size(), 1U);
  EXPECT_EQ(verdicts.at(0).nacks[0].id, 11U);
  EXPECT_EQ(verdicts.at(0).nacks[0].reason, NackReason::kRetry);
}

TEST_F(ResyncTest, TheSameHandoffOfAnotherOriginIsAnother) {
  report(0, {10});
  report(1, {}, {{10, 2, {}}});
  EXPECT_TRUE(resync.take().at(0).settled.empty());
}

TEST_F(ResyncTest, AfterAWorkerThatCannotReportNobodyKnows) {
  report(0, {10});
  resync.gone(1);
  ASSERT_TRUE(resync.complete());
  EXPECT_EQ(resync.take().at(0).nacks[0].reason, NackReason::kUncertain);
}

TEST_F(ResyncTest, WhoEndsAfterItsReportHasToldAll) {
  report(1, {20}, {{10, 0, {}}});
  resync.gone(1);
  report(0, {10, 11});
  const auto verdicts = resync.take();
  EXPECT_EQ(verdicts.at(0).settled, std::vector<std::uint64_t>{10});
  EXPECT_EQ(verdicts.at(0).nacks[0].reason, NackReason::kRetry);
  EXPECT_FALSE(verdicts.contains(1)) << "nobody is there to be told";
}

TEST_F(ResyncTest, OneThatEndedUnderTheBrokerBeforeMakesAllUncertain) {
  resync.lose();
  report(0, {10, 11});
  report(1, {}, {{10, 0, {}}});
  const auto verdicts = resync.take();
  EXPECT_EQ(verdicts.at(0).settled, std::vector<std::uint64_t>{10});
  EXPECT_EQ(verdicts.at(0).nacks[0].reason, NackReason::kUncertain);
}

TEST_F(ResyncTest, AReportComesInParts) {
  EXPECT_EQ(report(0, {10}, {}, 0), "");
  EXPECT_TRUE(resync.expects(0));
  EXPECT_EQ(report(0, {11}), "");
  EXPECT_FALSE(resync.expects(0));
  report(1, {});
  EXPECT_EQ(resync.take().at(0).nacks.size(), 2U);
}

TEST_F(ResyncTest, AnAdoptionThatWasNotIsFoundOut) {
  const std::vector<AdoptionEntry> adopted{{10, 0, {}}};
  const std::vector<std::uint64_t> forged{4711};
  EXPECT_NE(resync.report(1, {0, {}, {}, adopted, {}, forged}), "");
  // Nor does that of another worker do, or of another process of this slot.
  for (const Party& other : {Party{0, 1}, Party{1, 2}}) {
    const std::vector<std::uint64_t> others{seal.delivery(0, 10, other)};
    EXPECT_NE(resync.report(1, {0, {}, {}, adopted, {}, others}), "");
  }
}

TEST_F(ResyncTest, MoreThanAWindowIsAViolation) {
  EXPECT_EQ(report(0, {1, 2, 3, 4}, {}, 0), "");
  EXPECT_NE(report(0, {5}), "");
}

TEST_F(ResyncTest, WhoIsNotAskedMayNotReport) {
  EXPECT_NE(report(2, {}), "");
  report(0, {});
  EXPECT_NE(report(0, {}), "") << "twice";
}

TEST(SealTest, AnEpochIsOfOneKeyOfOneProcess) {
  const Seal seal(SipKey{5, 6});
  const std::uint32_t epoch = seal.epoch({3, 7}, "name", 1);
  EXPECT_NE(epoch, 0U);
  EXPECT_NE(epoch, seal.epoch({3, 7}, "name", 2));
  EXPECT_TRUE(seal.is_epoch({3, 7}, "name", epoch));
  EXPECT_FALSE(seal.is_epoch({3, 8}, "name", epoch));
  EXPECT_FALSE(seal.is_epoch({4, 7}, "name", epoch));
  EXPECT_FALSE(seal.is_epoch({3, 7}, "game", epoch));
  EXPECT_FALSE(Seal(SipKey{5, 7}).is_epoch({3, 7}, "name", epoch));
  EXPECT_FALSE(seal.is_epoch({3, 7}, "name", 0));
}

}  // namespace
}  // namespace mpb
