#include "worker/rtmp/forward/upstream_set.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

namespace mpb::rtmp {
namespace {

using Tried = std::vector<std::size_t>;

VhostSettings settings_of(std::vector<Upstream> upstreams) {
  VhostSettings settings;
  settings.upstreams = std::move(upstreams);
  settings.upstream_fails = 3;
  settings.upstream_pause = Duration{10'000};
  return settings;
}

class UpstreamSetTest : public testing::Test {
 protected:
  void fail_often(UpstreamSet& set, std::size_t number) const {
    for (int i = 0; i < 3; ++i) set.failed(number, "refused", now_);
  }

  TimePoint now_ = TimePoint{} + std::chrono::hours{1};
};

TEST_F(UpstreamSetTest, TheyTakeTurns) {
  UpstreamSet set(settings_of({{"a"}, {"b"}, {"c"}}));
  std::vector<std::size_t> picks;
  for (int i = 0; i < 7; ++i) picks.push_back(set.pick(now_, {}).value());
  EXPECT_EQ(picks, (Tried{0, 1, 2, 0, 1, 2, 0}));
}

TEST_F(UpstreamSetTest, ClientsAreCountedForAsLongAsTheyStayAlsoAcrossChanges) {
  auto set = std::make_unique<UpstreamSet>(settings_of({{"a"}, {"b"}}));
  std::shared_ptr<void> first = set->seat(1);
  std::shared_ptr<void> second = set->seat(1);
  EXPECT_EQ(*set->members()[0].clients, 0U);
  EXPECT_EQ(*set->members()[1].clients, 2U);
  first.reset();
  EXPECT_EQ(*set->members()[1].clients, 1U);
  set = std::make_unique<UpstreamSet>(settings_of({{"b"}}), set.get());
  EXPECT_EQ(*set->members()[0].clients, 1U);
  set.reset();
  second.reset();
}

TEST_F(UpstreamSetTest, WithoutAnyNoneIsPicked) {
  UpstreamSet set(settings_of({}));
  EXPECT_FALSE(set.pick(now_, {}));
}

TEST_F(UpstreamSetTest, AClientTriesEachOnce) {
  UpstreamSet set(settings_of({{"a"}, {"b"}, {"c"}}));
  Tried tried;
  while (const auto number = set.pick(now_, tried)) tried.push_back(*number);
  EXPECT_EQ(tried, (Tried{0, 1, 2}));
}

TEST_F(UpstreamSetTest, BackupsComeLastWhereverTheyStand) {
  UpstreamSet set(settings_of({{"spare", true}, {"a"}, {"b"}}));
  for (int i = 0; i < 6; ++i) EXPECT_NE(set.pick(now_, {}), 0U);
  Tried tried;
  while (const auto number = set.pick(now_, tried)) tried.push_back(*number);
  ASSERT_EQ(tried.size(), 3U);
  EXPECT_EQ(tried.back(), 0U);
}

TEST_F(UpstreamSetTest, ABackupServesOnlyWhileAllOthersAreOut) {
  UpstreamSet set(settings_of({{"a"}, {"b"}, {"spare", true}}));
  fail_often(set, 0);
  EXPECT_EQ(set.pick(now_, {}), 1U);
  fail_often(set, 1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(set.pick(now_, {}), 2U);
  now_ += Duration{10'000};
  EXPECT_NE(set.pick(now_, {}), 2U);
}

TEST_F(UpstreamSetTest, FailuresInARowTakeOneOutForThePause) {
  UpstreamSet set(settings_of({{"a"}, {"b"}}));
  EXPECT_FALSE(set.failed(0, "refused", now_));
  EXPECT_FALSE(set.failed(0, "refused", now_));
  EXPECT_FALSE(set.is_out(0, now_));
  EXPECT_TRUE(set.failed(0, "refused", now_));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(set.pick(now_, {}), 1U);
  EXPECT_TRUE(set.is_out(0, now_ + Duration{9'999}));
  EXPECT_FALSE(set.is_out(0, now_ + Duration{10'000}));
}

TEST_F(UpstreamSetTest, ASuccessStartsTheCountOver) {
  UpstreamSet set(settings_of({{"a"}}));
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(set.failed(0, "refused", now_));
    EXPECT_FALSE(set.failed(0, "refused", now_));
    EXPECT_FALSE(set.succeeded(0));
  }
  EXPECT_EQ(set.members()[0].served, 5U);
  EXPECT_EQ(set.members()[0].failed, 10U);
}

TEST_F(UpstreamSetTest, AfterThePauseOneFailureIsEnoughAndOneSuccessToo) {
  UpstreamSet set(settings_of({{"a"}}));
  fail_often(set, 0);
  EXPECT_FALSE(set.pick(now_, {}));
  now_ += Duration{10'000};
  EXPECT_EQ(set.pick(now_, {}), 0U);
  EXPECT_TRUE(set.failed(0, "refused", now_));
  EXPECT_FALSE(set.pick(now_, {}));
  now_ += Duration{10'000};
  EXPECT_TRUE(set.succeeded(0));
  EXPECT_FALSE(set.failed(0, "refused", now_));
  EXPECT_EQ(set.pick(now_, {}), 0U);
}

TEST_F(UpstreamSetTest, FailuresOfClientsThatBeganEarlierDoNotProlongThePause) {
  UpstreamSet set(settings_of({{"a"}}));
  fail_often(set, 0);
  EXPECT_FALSE(set.failed(0, "refused", now_ + Duration{9'000}));
  EXPECT_FALSE(set.is_out(0, now_ + Duration{10'000}));
}

TEST_F(UpstreamSetTest, AReloadKeepsWhatIsKnownOfAnAddress) {
  UpstreamSet before(settings_of({{"a"}, {"b"}}));
  fail_often(before, 1);
  UpstreamSet after(settings_of({{"b", true}, {"c"}}), &before);
  EXPECT_TRUE(after.is_out(0, now_));
  EXPECT_TRUE(after.members()[0].upstream.backup);
  EXPECT_EQ(after.members()[0].failed, 3U);
  EXPECT_FALSE(after.is_out(1, now_));
}

std::vector<Endpoint> addresses_of(std::initializer_list<const char*> texts) {
  std::vector<Endpoint> addresses;
  for (const char* text : texts) addresses.push_back(parse_endpoint(text).value());
  return addresses;
}

std::vector<std::string> texts_of(const std::vector<Endpoint>& addresses) {
  std::vector<std::string> texts;
  for (const Endpoint& address : addresses) texts.push_back(address.to_string());
  return texts;
}

TEST_F(UpstreamSetTest, TheAddressesOfANameTakeTurnsAndThoseThatFailedComeLast) {
  using Texts = std::vector<std::string>;
  UpstreamSet set(settings_of({{"origin.test:1935", false}}));
  const auto addresses = addresses_of({"192.0.2.1:1935", "[2001:db8::1]:1935", "192.0.2.3:1935"});
  EXPECT_EQ(texts_of(set.arrange(0, addresses, now_)), texts_of(addresses));
  EXPECT_EQ(texts_of(set.arrange(0, addresses, now_)),
            (Texts{"[2001:db8::1]:1935", "192.0.2.3:1935", "192.0.2.1:1935"}));
  set.address_failed(0, addresses[2], now_);
  EXPECT_EQ(texts_of(set.arrange(0, addresses, now_)),
            (Texts{"192.0.2.1:1935", "[2001:db8::1]:1935", "192.0.2.3:1935"}));
  now_ += Duration{10'000};
  set.arrange(0, addresses, now_);
  set.arrange(0, addresses, now_);
  EXPECT_EQ(texts_of(set.arrange(0, addresses, now_)).front(), "192.0.2.3:1935");
}

TEST_F(UpstreamSetTest, ZeroFailuresMeansOne) {
  VhostSettings settings = settings_of({{"a"}});
  settings.upstream_fails = 0;
  UpstreamSet set(settings);
  EXPECT_EQ(set.pick(now_, {}), 0U);
  EXPECT_TRUE(set.failed(0, "refused", now_));
}

}  // namespace
}  // namespace mpb::rtmp
