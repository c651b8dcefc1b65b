#include "worker/link/answers.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proto/channel/encode.hpp"

namespace mpb {
namespace {

/// Records of `size` bytes in all, or some more.
std::string records_of(std::size_t size) {
  std::string records;
  for (std::size_t i = 0; records.size() < size; ++i) {
    const std::string record(std::min<std::size_t>(1000, size - records.size()),
                             static_cast<char>('a' + i % 26));
    append_le(records, static_cast<std::uint32_t>(record.size()));
    records += record;
  }
  return records;
}

/// The broker's end: puts the pieces together again.
struct Broker final : ChannelHandler {
  void on_datagram(Datagram& datagram) override {
    const auto message = channel::decode(datagram.bytes);
    ASSERT_TRUE(message) << message.why();
    if (const auto* answer = std::get_if<channel::Answer>(&*message)) {
      records[answer->nonce] += answer->records;
      totals[answer->nonce].assign(answer->totals.begin(), answer->totals.end());
      if ((answer->flags & channel::Answer::kUnknown) != 0) unknown.push_back(answer->nonce);
      if ((answer->flags & channel::Answer::kLast) != 0) done.push_back(answer->nonce);
    } else {
      load_came_after = done.size();
    }
  }
  void on_channel_broken(const Error&) override { gone = true; }

  std::map<std::uint64_t, std::string> records;
  std::map<std::uint64_t, std::vector<std::uint64_t>> totals;
  std::vector<std::uint64_t> unknown;
  std::vector<std::uint64_t> done;  // nonces, in order
  std::optional<std::size_t> load_came_after;
  bool gone = false;
};

class AnswersTest : public testing::Test {
 protected:
  AnswersTest() {
    auto pair = make_channel_pair();
    if (!pair) throw std::runtime_error(pair.error().text);
    near.emplace(loop, std::move(pair->first), worker_end, 64);
    far.emplace(loop, std::move(pair->second), broker, 64);
    answers.emplace(loop, *near);
    loop.at_turn_end([this] { answers->pump(); });
  }
  void SetUp() override { ASSERT_TRUE(near->open()); }
  /// As in a turn, whose end is still to come.
  void add(std::uint64_t nonce, AnswerContent content) {
    answers->add(nonce, std::move(content));
    loop.skip_wait();
  }
  void turn_until(const std::function<bool()>& enough) {
    const TimePoint limit = Clock::now() + Duration{20'000};
    while (!enough() && Clock::now() < limit) loop.turn(Duration{1'000});
    EXPECT_TRUE(enough());
  }

  EventLoop loop;
  Broker worker_end;
  Broker broker;
  std::optional<Channel> near;
  std::optional<Channel> far;
  std::optional<Answers> answers;
};

TEST_F(AnswersTest, ArriveWholeAndInOrderWhateverTheirLength) {
  std::vector<std::string> all;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, channel::kBatch,
                                 3 * channel::kBatch, channel::kMaxAnswer - 2'000}) {
    all.push_back(records_of(size));
    add(all.size(), {.totals = {all.size(), 7}, .records = all.back()});
  }
  add(6, {.unknown = true});
  ASSERT_TRUE(far->open());
  turn_until([&] { return broker.done.size() == 6; });
  EXPECT_EQ(broker.done, (std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(broker.unknown, std::vector<std::uint64_t>{6});
  for (std::size_t i = 1; i <= all.size(); ++i) {
    EXPECT_TRUE(broker.records[i] == all[i - 1]) << i;
    EXPECT_EQ(broker.totals[i], (std::vector<std::uint64_t>{i, 7}));
  }
}

TEST_F(AnswersTest, WaitForABrokerThatDoesNotReadWithoutFillingTheQueue) {
  const std::string longest = records_of(channel::kMaxAnswer - 2'000);
  add(1, {.records = longest});
  for (int i = 0; i < 100; ++i) loop.turn(Duration{0});
  EXPECT_LE(near->queued(), 1U);
  std::string load;
  channel::encode(load, channel::Load{});
  ASSERT_TRUE(near->send(load));
  ASSERT_TRUE(far->open());
  turn_until([&] { return !broker.done.empty(); });
  EXPECT_EQ(broker.records[1].size(), longest.size());
  EXPECT_EQ(broker.load_came_after, 0U) << "it does not wait behind the answer";
}

TEST_F(AnswersTest, AreDroppedWhenTheBrokerIsGone) {
  add(1, {.records = records_of(channel::kMaxAnswer - 2'000)});
  far.reset();
  turn_until([&] { return worker_end.gone; });
  near->close();
  loop.turn(Duration{0});
  add(2, {});
  loop.turn(Duration{0});
  // Nothing is left that would keep the loop from waiting.
  bool waited = false;
  loop.after(Duration{20}, [&] { waited = true; });
  loop.turn(Duration{5'000});
  EXPECT_TRUE(waited);
}

}  // namespace
}  // namespace mpb
