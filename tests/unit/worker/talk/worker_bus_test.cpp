#include "worker/talk/worker_bus.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "proto/channel/encode.hpp"

namespace mpb {
namespace {

using namespace std::chrono_literals;
using Kind = channel::Content::Kind;

/// Keeps what a worker posts.
class Office final : public PostOffice {
 public:
  bool post(std::string_view datagram, int) override {
    posted.emplace_back(datagram);
    return works;
  }
  [[nodiscard]] std::optional<std::uint16_t> space_of(std::string_view listener) const override {
    if (listener == "none") return std::nullopt;
    return std::uint16_t{7};
  }
  template <class T>
  T last() const {
    return std::get<T>(*channel::decode(posted.back()));
  }

  std::vector<std::string> posted;
  bool works = true;
};

class WorkerBusTest : public testing::Test {
 protected:
  WorkerBusTest() { bus.go_by(office, 2); }
  void go_online(std::uint32_t letters = 10, std::uint32_t bytes = 10'000) {
    bus.on_credit({letters, bytes, 5});
  }
  void arrive(WorkerId from, Kind kind, std::uint64_t correlation, std::string_view topic,
              std::string_view payload) {
    bus.on_letter({0, 0, from.slot, from.generation, {kind, correlation, topic, payload}}, {});
  }
  void tell(WorkerEvent::Kind kind, WorkerId worker = kOperator) {
    bus.on_told({static_cast<std::uint8_t>(kind), worker.slot, worker.generation, 0, {}});
  }
  void know(const std::vector<WorkerId>& workers) {
    for (const WorkerId worker : workers) tell(WorkerEvent::Kind::kOnline, worker);
    tell(WorkerEvent::Kind::kCurrent);
  }
  void run_for(Duration time) {
    const TimePoint end = Clock::now() + time;
    while (Clock::now() < end) loop.turn(Duration{1});
  }

  EventLoop loop;
  Office office;
  WorkerBus bus{loop};
};

TEST_F(WorkerBusTest, NothingIsPostedBeforeThereIsCredit) {
  int rooms = 0;
  bus.on_room([&] { ++rooms; });
  bus.join("g");
  bus.on_event([](const WorkerEvent&) {});
  EXPECT_FALSE(bus.send(To::all(), "t", "p"));
  EXPECT_TRUE(office.posted.empty()) << "the broker would eject it before Ready";
  go_online();
  EXPECT_EQ(rooms, 1);
  EXPECT_EQ(bus.self(), (WorkerId{2, 5}));
  ASSERT_EQ(office.posted.size(), 2U);
  EXPECT_EQ(std::get<channel::Join>(*channel::decode(office.posted[0])).group, "g");
  EXPECT_TRUE(std::holds_alternative<channel::Subscribe>(*channel::decode(office.posted[1])));
}

TEST_F(WorkerBusTest, CreditIsUsedUpByLettersAndTheirBytes) {
  go_online(2, 10'000);
  EXPECT_TRUE(bus.send(To::all(), "t", "p"));
  EXPECT_TRUE(bus.send(To::all(), "t", "p"));
  EXPECT_FALSE(bus.send(To::all(), "t", "p"));
  bus.on_credit({10, static_cast<std::uint32_t>(0), 5});
  EXPECT_TRUE(bus.send(To::all(), "t", "p"));
  EXPECT_FALSE(bus.send(To::all(), "t", std::string(9'900, 'x')));
  EXPECT_TRUE(bus.send(To::all(), "t", std::string(9'000, 'x'))) << "a shorter one";
  EXPECT_EQ(office.posted.size(), 4U);
}

TEST_F(WorkerBusTest, RoomIsToldOnceToWhoFoundNone) {
  int rooms = 0;
  bus.on_room([&] { ++rooms; });
  go_online(1);
  bus.on_credit({1, 100, 5});
  EXPECT_EQ(rooms, 0) << "nobody had asked";
  bus.on_credit({1000, 100'000, 5});
  while (bus.send(To::slot(1), "t", "p")) continue;
  EXPECT_TRUE(bus.send(To::slot(3), "t", "p")) << "there is room for others";
  bus.on_credit({1, 100, 5});
  bus.on_credit({1, 100, 5});
  EXPECT_EQ(rooms, 1);
}

TEST_F(WorkerBusTest, AnAddressLiesInThePost) {
  go_online();
  bus.send(To::worker({3, 4}), "t", "p");
  EXPECT_EQ(office.last<channel::Post>().to.generation, 4U);
  bus.send(To::owner("key"), "t", "p");
  EXPECT_EQ(office.last<channel::Post>().to.space, 7);
  EXPECT_EQ(office.last<channel::Post>().to.name, "key");
  EXPECT_THROW(bus.send(To::owner("key", "none"), "t", "p"), std::invalid_argument);
  EXPECT_THROW(bus.send(To::owner(std::string(1025, 'k')), "t", "p"), std::length_error);
  EXPECT_THROW(bus.send(To::all(), std::string(65, 't'), "p"), std::length_error);
  EXPECT_THROW(bus.send(To::all(), "t", std::string(32769, 'p')), std::length_error);
}

TEST_F(WorkerBusTest, ALetterGoesToWhoTakesItsTopic) {
  std::string heard;
  bus.on("t", [&](Letter& letter) {
    heard += letter.payload;
    EXPECT_FALSE(letter.asked);
  });
  arrive({1, 1}, Kind::kNews, 0, "t", "yes");
  arrive({1, 1}, Kind::kNews, 0, "other", "no");
  EXPECT_EQ(heard, "yes");
}

TEST_F(WorkerBusTest, ARequestThatNobodyTakesIsRefused) {
  go_online();
  arrive({1, 3}, Kind::kRequest, 9, "t", "p");
  const auto post = office.last<channel::Post>();
  EXPECT_EQ(post.content.kind, Kind::kRefusal);
  EXPECT_EQ(post.content.correlation, 9U);
  EXPECT_EQ(post.to.slot, 1);
  EXPECT_EQ(post.to.generation, 3U);
  arrive(kOperator, Kind::kRequest, 10, "t", "p");
  EXPECT_EQ(office.last<channel::Post>().to.kind, To::Kind::kOperators);
}

TEST_F(WorkerBusTest, ARequestGetsTheAnswerOfWhomItAsked) {
  go_online();
  std::vector<std::string> answers;
  const auto done = [&](const Reply& reply) {
    answers.push_back(reply.answered() ? reply.payload : std::string(to_string(reply.loss)));
  };
  bus.request(To::worker({1, 1}), "t", "p", 60s, done);
  const auto correlation = office.last<channel::Post>().content.correlation;
  arrive({1, 1}, Kind::kReply, correlation + 1, "", "to something else");
  arrive({3, 1}, Kind::kReply, correlation, "", "a lie");
  arrive({1, 2}, Kind::kReply, correlation, "", "its successor was not asked");
  EXPECT_TRUE(answers.empty());
  arrive({1, 1}, Kind::kReply, correlation, "", "yes");
  arrive({1, 1}, Kind::kReply, correlation, "", "again");
  EXPECT_EQ(answers, std::vector<std::string>{"yes"});
}

TEST_F(WorkerBusTest, ARequestThatIsLostOrRefusedOrLateIsOver) {
  go_online();
  std::vector<Loss> losses;
  const auto done = [&](const Reply& reply) { losses.push_back(reply.loss); };
  const Sent lost = bus.request(To::worker({1, 1}), "t", "p", 60s, done);
  const channel::LossEntry entry{lost.letter, 1, 1, Loss::kGone};
  bus.on_undeliverable({std::span(&entry, 1)});
  const Sent refused = bus.request(To::worker({1, 1}), "t", "p", 60s, done);
  arrive({1, 1}, Kind::kRefusal, refused.letter, "", "");
  bus.request(To::worker({1, 1}), "t", "p", 1ms, done);
  run_for(Duration{5});
  bus.request(To::worker({1, 1}), "t", "p", 60s, done);
  bus.on_broker_gone();
  EXPECT_EQ(losses,
            (std::vector<Loss>{Loss::kGone, Loss::kRefused, Loss::kTimeout, Loss::kNoBroker}));
  EXPECT_FALSE(bus.send(To::all(), "t", "p"));
}

TEST_F(WorkerBusTest, WhatIsLostIsTold) {
  std::vector<LostLetter> lost;
  bus.on_loss([&](const LostLetter& letter) { lost.push_back(letter); });
  const channel::LossEntry entry{5, 3, 1, Loss::kFull};
  bus.on_undeliverable({std::span(&entry, 1)});
  ASSERT_EQ(lost.size(), 1U);
  EXPECT_EQ(lost[0].letter, 5U);
  EXPECT_EQ(lost[0].to, (WorkerId{1, 3}));
  EXPECT_EQ(lost[0].why, Loss::kFull);
}

TEST_F(WorkerBusTest, GatherNamesWhoIsMissing) {
  go_online();
  Gathered all;
  int times = 0;
  bus.gather("t", "p", 60s, [&](const Gathered& gathered) { all = gathered, ++times; });
  EXPECT_TRUE(std::holds_alternative<channel::Subscribe>(*channel::decode(office.posted.back())));
  know({{0, 1}, {1, 1}, {2, 5}, {3, 1}});
  const auto post = office.last<channel::Post>();
  EXPECT_EQ(post.to.kind, To::Kind::kAll);
  arrive({2, 5}, Kind::kReply, post.id, "", "two");
  arrive({0, 1}, Kind::kReply, post.id, "", "zero");
  arrive({9, 1}, Kind::kReply, post.id, "", "one that came later");
  arrive({1, 1}, Kind::kRefusal, post.id, "", "");
  EXPECT_EQ(times, 0);
  tell(WorkerEvent::Kind::kExit, {3, 1});
  ASSERT_EQ(times, 1);
  using Answers = std::vector<std::pair<WorkerId, std::string>>;
  using Missing = std::vector<std::pair<WorkerId, Loss>>;
  EXPECT_EQ(all.answers,
            (Answers{{{0, 1}, "zero"}, {{2, 5}, "two"}, {{9, 1}, "one that came later"}}));
  EXPECT_EQ(all.missing, (Missing{{{1, 1}, Loss::kRefused}, {{3, 1}, Loss::kGone}}));
}

TEST_F(WorkerBusTest, GatherEndsInTime) {
  go_online();
  Gathered all;
  know({{0, 1}, {2, 5}});
  bus.gather("t", "p", 1ms, [&](const Gathered& gathered) { all = gathered; });
  tell(WorkerEvent::Kind::kOnline, {0, 1});
  arrive({2, 5}, Kind::kReply, office.last<channel::Post>().id, "", "two");
  run_for(Duration{5});
  EXPECT_EQ(all.answers.size(), 1U);
  ASSERT_EQ(all.missing.size(), 1U);
  EXPECT_EQ(all.missing[0].second, Loss::kTimeout);
}

TEST_F(WorkerBusTest, WhatIsTooLongIsAnErrorOfTheCallWhatsoeverItWaitsFor) {
  EXPECT_THROW(bus.gather(std::string(65, 't'), "p", 1s, {}), std::length_error);
  EXPECT_THROW(bus.ring("t", std::string(32769, 'p'), 1s, {}), std::length_error);
}

TEST_F(WorkerBusTest, GroupsThatTheBrokerWouldNotTakeAreNotJoined) {
  go_online();
  EXPECT_THROW(bus.join(""), std::length_error);
  EXPECT_THROW(bus.join(std::string(65, 'g')), std::length_error);
  for (int i = 0; i < 64; ++i) bus.join(std::to_string(i));
  bus.join("0");
  EXPECT_THROW(bus.join("more"), std::length_error);
  EXPECT_EQ(office.posted.size(), 64U);
  bus.leave("0");
  bus.join("more");
  EXPECT_EQ(office.posted.size(), 66U);
}

TEST_F(WorkerBusTest, TimeCountsFromTheCallOn) {
  std::vector<Gathered> gathered;
  std::vector<Ring> rings;
  const auto note = [&](const Gathered& all) { gathered.push_back(all); };
  bus.gather("t", "p", 1ms, note);
  bus.ring("t", "p", 1ms, [&](const Ring& ring) { rings.push_back(ring); });
  EXPECT_TRUE(gathered.empty());
  run_for(Duration{5});
  ASSERT_EQ(gathered.size(), 1U);
  ASSERT_EQ(rings.size(), 1U);
  using Missing = std::vector<std::pair<WorkerId, Loss>>;
  EXPECT_EQ(gathered[0].missing, (Missing{{kOperator, Loss::kTimeout}}));
  EXPECT_EQ(rings[0].skipped, (Missing{{kOperator, Loss::kTimeout}}));
  know({{2, 5}});
  bus.gather("t", "p", 1ms, note);  // there is no room
  run_for(Duration{5});
  ASSERT_EQ(gathered.size(), 2U);
  EXPECT_EQ(gathered[1].missing, (Missing{{{2, 5}, Loss::kTimeout}}));
}

TEST_F(WorkerBusTest, AnOrphanIsToldThatTheBrokerIsGoneAndNotFromWithin) {
  go_online();
  std::vector<Loss> losses;
  const auto gathered = [&](const Gathered& all) {
    for (const auto& [worker, why] : all.missing) losses.push_back(why);
  };
  const auto rang = [&](const Ring& ring) {
    for (const auto& [worker, why] : ring.skipped) losses.push_back(why);
  };
  bus.gather("t", "p", 60s, gathered);
  bus.ring("t", "p", 60s, rang);
  int asked = 0;
  std::function<void(const Reply&)> ask_again = [&](const Reply&) {
    if (++asked < 100) bus.request(To::slot(1), "t", "p", 60s, ask_again);
  };
  bus.request(To::slot(1), "t", "p", 60s, ask_again);
  bus.on_broker_gone();
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(losses, (std::vector<Loss>{Loss::kNoBroker, Loss::kNoBroker}));
  losses.clear();
  bus.gather("t", "p", 60s, gathered);
  bus.ring("t", "p", 60s, rang);
  EXPECT_TRUE(bus.request(To::slot(1), "t", "p", 60s,
                          [&](const Reply& reply) { losses.push_back(reply.loss); }));
  EXPECT_TRUE(losses.empty());
  run_for(Duration{5});
  EXPECT_EQ(losses, std::vector<Loss>(3, Loss::kNoBroker));
}

TEST_F(WorkerBusTest, AnOrphanOfABrokerThatNeverGaveCreditIsToldToo) {
  bool told = false;
  bus.gather("t", "p", 60s, [&](const Gathered&) { told = true; });
  bus.on_broker_gone();
  EXPECT_TRUE(told);
}

TEST_F(WorkerBusTest, ARefusalThatFindsNoRoomIsPostedWhenThereIs) {
  go_online(1);
  for (std::uint64_t correlation = 1; correlation <= 5; ++correlation) {
    arrive({1, 3}, Kind::kRequest, correlation, "nobody takes it", "");
  }
  EXPECT_EQ(office.posted.size(), 1U);
  bus.on_credit({10, 10'000, 5});
  ASSERT_EQ(office.posted.size(), 5U);
  EXPECT_EQ(office.last<channel::Post>().content.correlation, 5U);
}

TEST_F(WorkerBusTest, NobodyAnswersForTheSlotThatWasAsked) {
  go_online();
  std::string answer;
  bus.request(To::slot(3), "t", "p", 60s, [&](const Reply& reply) { answer = reply.payload; });
  const auto correlation = office.last<channel::Post>().content.correlation;
  arrive({4, 1}, Kind::kReply, correlation, "", "a lie");
  EXPECT_EQ(answer, "");
  arrive({3, 9}, Kind::kReply, correlation, "", "yes");
  EXPECT_EQ(answer, "yes");
  WorkerBus other(loop);
  other.go_by(office, 2);
  other.on_credit({10, 10'000, 5});
  EXPECT_LT(bus.send(To::all(), "t", "").letter - correlation, 10U);
  EXPECT_GT(other.send(To::all(), "t", "").letter - correlation, 10U) << "not to be guessed";
}

TEST_F(WorkerBusTest, TheRingGoesOnFromWhatTheOneBeforeAnsweredAndSkipsTheDead) {
  go_online();
  Ring done;
  bus.ring("t", "0", 60s, [&](const Ring& ring) { done = ring; });
  know({{0, 1}, {2, 5}, {3, 1}, {7, 2}});
  std::vector<std::uint16_t> order;
  for (const std::string payload : {"0", "03", "03", "030"}) {
    const auto post = office.last<channel::Post>();
    EXPECT_EQ(post.content.payload, payload);
    order.push_back(post.to.slot);
    if (post.to.slot == 7) {
      const channel::LossEntry entry{post.id, 2, 7, Loss::kNoWorker};
      bus.on_undeliverable({std::span(&entry, 1)});
    } else {
      arrive({post.to.slot, post.to.generation}, Kind::kReply, post.id, "",
             payload + std::to_string(post.to.slot));
    }
  }
  EXPECT_EQ(order, (std::vector<std::uint16_t>{3, 7, 0, 2})) << "itself last";
  EXPECT_EQ(done.payload, "0302");
  EXPECT_EQ(done.visited.size(), 3U);
  ASSERT_EQ(done.skipped.size(), 1U);
  EXPECT_EQ(done.skipped[0].first, (WorkerId{7, 2}));
}

TEST_F(WorkerBusTest, TheRingWaitsForRoomAndEndsWithItsBroker) {
  go_online(1, 10'000);
  Ring done;
  know({{0, 1}, {2, 5}});
  while (bus.send(To::all(), "t", "p")) continue;
  bus.ring("t", "0", 60s, [&](const Ring& ring) { done = ring; });
  EXPECT_TRUE(std::holds_alternative<channel::Post>(*channel::decode(office.posted.back())));
  const std::size_t before = office.posted.size();
  bus.on_credit({1, 100, 5});
  EXPECT_EQ(office.posted.size(), before + 1);
  bus.on_broker_gone();
  run_for(Duration{5});
  EXPECT_EQ(done.skipped.size(), 2U);
}

TEST(WorkerBusAlone, IsWorker0AndEverybody) {
  EventLoop loop;
  WorkerBus bus(loop);
  bus.be_alone();
  std::string heard;
  std::vector<Loss> lost;
  bus.on_loss([&](const LostLetter& letter) { lost.push_back(letter.why); });
  bus.on("t", [&](Letter& letter) {
    heard += std::string(letter.payload) + std::to_string(letter.number) + " ";
    if (letter.asked) bus.reply(*letter.asked, "answer");
  });
  EXPECT_TRUE(bus.send(To::slot(0), "t", "slot"));
  EXPECT_TRUE(bus.send(To::all(), "t", "all"));
  EXPECT_TRUE(bus.send(To::owner("k"), "t", "owner"));
  EXPECT_TRUE(bus.send(To::group("g"), "t", "nobody"));
  bus.join("g");
  EXPECT_TRUE(bus.send(To::group("g"), "t", "group"));
  EXPECT_TRUE(bus.send(To::slot(1), "t", "nobody"));
  EXPECT_TRUE(heard.empty()) << "not from within";
  std::string answers;
  bus.gather("t", "gather", 60s, [&](const Gathered& all) {
    answers += std::to_string(all.answers.size()) + all.answers[0].second;
  });
  bus.ring("t", "ring", 60s, [&](const Ring& ring) { answers += ring.payload; });
  for (int i = 0; i < 20; ++i) loop.turn(Duration{1});
  EXPECT_TRUE(heard.starts_with("slot0 all1 owner0 group3 ")) << heard;
  EXPECT_EQ(lost, (std::vector<Loss>{Loss::kNobody, Loss::kNoWorker}));
  EXPECT_EQ(answers, "1answeranswer");
}

TEST(WorkerBusAlone, IsBounded) {
  EventLoop loop;
  WorkerBus bus(loop);
  bus.be_alone();
  int rooms = 0;
  bus.on_room([&] { ++rooms; });
  std::size_t sent = 0;
  while (bus.send(To::all(), "t", "p")) ++sent;
  EXPECT_EQ(sent, channel::kWindowLetters);
  loop.turn(Duration{1});
  EXPECT_EQ(rooms, 1);
  EXPECT_TRUE(bus.send(To::all(), "t", "p"));
}

TEST(Sealed, IsReadBackAndWhatIsNotSealedIsRefused) {
  const UniqueFd sealed(make_sealed("hello"));
  ASSERT_TRUE(sealed);
  EXPECT_EQ(read_sealed(sealed.get(), 5), "hello");
  EXPECT_EQ(read_sealed(sealed.get(), 4), std::nullopt);
  EXPECT_EQ(::write(sealed.get(), "x", 1), -1);
  const UniqueFd open(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::write(open.get(), "hello", 5), 5);
  EXPECT_EQ(read_sealed(open.get(), 100), std::nullopt);
  ::fcntl(open.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
  EXPECT_EQ(read_sealed(open.get(), 100), std::nullopt) << "it can still be written to";
  EXPECT_EQ(read_sealed(2, 100), std::nullopt);
}

}  // namespace
}  // namespace mpb
