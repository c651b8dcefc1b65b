#include "worker/clients/memory_budget.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/relay_fixture.hpp"

namespace mpb {
namespace {

using Order = MemoryBudget::Order;
using Orders = std::vector<Order>;

constexpr std::uint64_t kLimit = 1'000;

/// Clients that shares can be of.
const char* client(std::size_t number) {
  static const std::string places(100, 'c');
  return &places[number];
}

MemoryShare share(std::string vhost, std::size_t of, std::uint64_t bytes, std::uint64_t spare = 0,
                  std::uint64_t due = 0) {
  MemoryShare made;
  made.vhost = std::move(vhost);
  made.client = of == 0 ? nullptr : client(of);
  made.bytes = bytes;
  made.spare = spare;
  made.due = due;
  return made;
}

Orders planned(const std::vector<MemoryShare>& shares, Relief hardest = Relief::kClose) {
  MemoryBudget budget;
  budget.set_limit(kLimit);
  for (const MemoryShare& each : shares) budget.change(0, each.bytes);
  return budget.plan(shares, hardest);
}

TEST(MemoryBudget, WithoutALimitItIsNeverFull) {
  MemoryBudget budget;
  budget.change(0, 1'000'000'000);
  EXPECT_FALSE(budget.is_full());
}

TEST(MemoryBudget, ThoseThatKeepMostGiveUpUntilATenthIsFree) {
  EXPECT_EQ(planned({share("a", 1, 900)}), Orders{});
  const auto four = [](std::uint64_t third) {
    return std::vector{share("a", 1, 200, 200), share("a", 2, 350, 350),
                       share("a", 3, third, third), share("a", 4, 100)};
  };
  EXPECT_EQ(planned(four(450)), (Orders{{2, Relief::kTrim}}));
  EXPECT_EQ(planned(four(400)), (Orders{{2, Relief::kTrim}}));
}

TEST(MemoryBudget, WhatCouldNotBeGivenUpIsNotAskedForAgainAndAgain) {
  MemoryBudget budget;
  budget.set_limit(kLimit);
  budget.change(0, 5'000);
  ASSERT_TRUE(budget.is_full());
  budget.relieved();
  EXPECT_FALSE(budget.is_full());
  EXPECT_TRUE(budget.is_over());
  budget.change(0, 100);
  EXPECT_TRUE(budget.is_full());
  budget.set_limit(10'000);
  EXPECT_FALSE(budget.is_full());
}

TEST(MemoryBudget, TheMildestMeansThatSufficeAreTaken) {
  EXPECT_EQ(planned({share("a", 1, 600, 300, 200), share("a", 2, 600)}),
            (Orders{{0, Relief::kTrim}}));
  EXPECT_EQ(planned({share("a", 1, 700, 100, 400), share("a", 2, 500, 0, 200)}),
            (Orders{{0, Relief::kTrim}, {0, Relief::kSkip}}));
  EXPECT_EQ(planned({share("a", 1, 700, 100), share("a", 2, 500)}),
            (Orders{{0, Relief::kTrim}, {0, Relief::kClose}}));
  EXPECT_EQ(planned({share("a", 1, 700, 100), share("a", 2, 500)}, Relief::kSkip),
            (Orders{{0, Relief::kTrim}}));
}

TEST(MemoryBudget, AVhostDoesNotPushOutWhatOthersKeep) {
  // That of many clients has nothing spare; the other's pictures are less than its part.
  std::vector<MemoryShare> shares{share("small", 1, 300, 300)};
  for (std::size_t i = 2; i < 12; ++i) shares.push_back(share("large", i, 100));
  const Orders orders = planned(shares);
  EXPECT_EQ(orders.size(), 4U);
  for (const Order& order : orders) {
    EXPECT_NE(order.share, 0U);
    EXPECT_EQ(order.relief, Relief::kClose);
  }
}

TEST(MemoryBudget, NorDoesAClientWhatOthersOfItsVhostKeep) {
  EXPECT_EQ(planned({share("a", 1, 100, 100), share("a", 2, 100, 100), share("a", 3, 900)}),
            (Orders{{2, Relief::kClose}}));
}

TEST(MemoryBudget, AClientsSharesCountTogether) {
  const std::vector<MemoryShare> shares{share("", 1, 200), share("a", 2, 350, 300),
                                        share("a", 1, 250, 100), share("a", 1, 250, 100)};
  EXPECT_EQ(planned(shares), (Orders{{2, Relief::kTrim}, {3, Relief::kTrim}}));
  EXPECT_EQ(planned({share("", 1, 600), share("a", 1, 600)}), (Orders{{0, Relief::kClose}}));
}

TEST(MemoryBudget, WhatIsNobodysIsNotClosed) {
  EXPECT_EQ(planned({share("a", 0, 1'200, 0, 0)}), Orders{});
  EXPECT_EQ(planned({share("a", 0, 1'200, 0, 500)}), (Orders{{0, Relief::kSkip}}));
}

}  // namespace
}  // namespace mpb

namespace mpb::rtmp {
namespace {

class GopMemoryOfStreams : public ::testing::Test, public RelayFixture {
 protected:
  GopMemoryOfStreams() : limit_(environment.gop_memory = 60'000) {}
  std::unique_ptr<RelayPeer> stream(const std::string& name, std::size_t bytes) {
    auto source = publisher(name);
    source->send_media(MessageType::kVideo, 0, avc_header());
    source->send_media(MessageType::kVideo, 0, avc_key_frame(std::string(bytes, 'k')));
    turn();
    return source;
  }
  [[nodiscard]] const LiveStream& live(const std::string& name) {
    return *hub().find("a.test/live/" + name);
  }

 private:
  std::uint64_t limit_;
};

TEST_F(GopMemoryOfStreams, TheLargestGivesUpAndItsPlayersGoOn) {
  const auto small = stream("small", 10'000);
  const auto large = stream("large", 30'000);
  const auto sink = player("large");
  EXPECT_EQ(sink->received(MessageType::kVideo).size(), 2U);
  const auto third = stream("third", 20'000);
  EXPECT_EQ(live("large").counters.given_up, 1U);
  EXPECT_EQ(live("large").log().memory(), 0U);
  EXPECT_FALSE(live("large").log().key_frame());
  EXPECT_TRUE(live("small").log().key_frame());
  EXPECT_TRUE(live("third").log().key_frame());
  // Who is there notices nothing; who comes now begins with the next key frame.
  const auto late = player("large");
  EXPECT_TRUE(late->received(MessageType::kVideo).empty());
  large->send_media(MessageType::kVideo, 40, avc_frame("f"));
  large->send_media(MessageType::kVideo, 80, avc_key_frame("next"));
  turn();
  EXPECT_EQ(payloads(sink->received(MessageType::kVideo)),
            (std::vector<std::string>{avc_frame("f"), avc_key_frame("next")}));
  EXPECT_EQ(payloads(late->received(MessageType::kVideo)),
            (std::vector<std::string>{avc_header(), avc_key_frame("next")}));
}

TEST_F(GopMemoryOfStreams, WhatAPlayerHasYetToGetStays) {
  const auto large = stream("large", 30'000);
  const auto slow = player("large");
  slow->received();
  slow->set_room(0);
  large->send_media(MessageType::kVideo, 40, avc_key_frame(std::string(40'000, 'n')));
  turn();
  const auto other = stream("other", 60'000);
  EXPECT_EQ(live("other").counters.given_up, 1U);
  EXPECT_EQ(live("large").counters.given_up, 0U);
  slow->drain(1'000'000);
  turn();
  EXPECT_EQ(payloads(slow->received(MessageType::kVideo)),
            std::vector<std::string>{avc_key_frame(std::string(40'000, 'n'))});
}

}  // namespace
}  // namespace mpb::rtmp
