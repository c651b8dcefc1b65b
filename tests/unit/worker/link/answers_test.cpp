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

/// The broker's end: puts the pieces together again.
struct Broker final : ChannelHandler {
  void on_datagram(Datagram& datagram) override {
    const auto message = channel::decode(datagram.bytes);
    ASSERT_TRUE(message) << message.why();
    if (const auto* answer = std::get_if<channel::Answer>(&*message)) {
      texts[answer->nonce] += answer->text;
      if ((answer->flags & channel::Answer::kLast) != 0) done.push_back(answer->nonce);
    } else {
      load_came_after = done.size();
    }
  }
  void on_channel_broken(const Error&) override { gone = true; }

  std::map<std::uint64_t, std::string> texts;
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
  void add(std::uint64_t nonce, std::string text) {
    answers->add(nonce, std::move(text));
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
  std::vector<std::string> texts;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, channel::kMaxAnswerPiece, channel::kMaxAnswerPiece + 1,
        3 * channel::kMaxAnswerPiece, channel::kMaxAnswer}) {
    std::string text(size, 'x');
    for (std::size_t i = 0; i < size; i += 1000) text[i] = static_cast<char>('a' + i / 1000 % 26);
    texts.push_back(text);
    add(texts.size(), text);
  }
  ASSERT_TRUE(far->open());
  turn_until([&] { return broker.done.size() == texts.size(); });
  EXPECT_EQ(broker.done, (std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6}));
  for (std::size_t i = 0; i < texts.size(); ++i) EXPECT_TRUE(broker.texts[i + 1] == texts[i]) << i;
}

TEST_F(AnswersTest, WaitForABrokerThatDoesNotReadWithoutFillingTheQueue) {
  add(1, std::string(channel::kMaxAnswer, 'x'));
  for (int i = 0; i < 100; ++i) loop.turn(Duration{0});
  EXPECT_LE(near->queued(), 1U);
  std::string load;
  channel::encode(load, channel::Load{});
  ASSERT_TRUE(near->send(load));
  ASSERT_TRUE(far->open());
  turn_until([&] { return !broker.done.empty(); });
  EXPECT_EQ(broker.texts[1].size(), channel::kMaxAnswer);
  EXPECT_EQ(broker.load_came_after, 0U) << "it does not wait behind the answer";
}

TEST_F(AnswersTest, OneOverTheLimitIsReplaced) {
  add(1, std::string(channel::kMaxAnswer + 1, 'x'));
  ASSERT_TRUE(far->open());
  turn_until([&] { return !broker.done.empty(); });
  EXPECT_EQ(broker.texts[1], R"({"error":"the answer is too long"})");
}

TEST_F(AnswersTest, AreDroppedWhenTheBrokerIsGone) {
  add(1, std::string(channel::kMaxAnswer, 'x'));
  far.reset();
  turn_until([&] { return worker_end.gone; });
  near->close();
  loop.turn(Duration{0});
  add(2, "{}");
  loop.turn(Duration{0});
  // Nothing is left that would keep the loop from waiting.
  bool waited = false;
  loop.after(Duration{20}, [&] { waited = true; });
  loop.turn(Duration{5'000});
  EXPECT_TRUE(waited);
}

}  // namespace
}  // namespace mpb
