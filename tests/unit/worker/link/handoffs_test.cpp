// What becomes of a parked client, whatever the broker says; the test is the broker.
#include "worker/link/handoffs.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/line_classifier.hpp"
#include "tests/support/lone_worker.hpp"

namespace mpb {
namespace {

using test::LoneWorker;

/// Knows of each client one word, which travels with it.
class Mover final : public Handler {
 public:
  struct Word final : ClientState {
    explicit Word(std::string_view said) : word(said) {}
    std::string word;
  };
  explicit Mover(std::vector<std::string>& events) : events_(events) {}

  /// "KEY WORD" moves the client.
  Step on_bytes(Client& client, std::string_view bytes, std::string&) override {
    const auto space = bytes.find(' ');
    if (space == std::string_view::npos) return {Step::Next::kContinue, bytes.size()};
    client.state = std::make_unique<Word>(bytes.substr(space + 1));
    return {Step::Next::kMove, bytes.size(), std::string(bytes.substr(0, space))};
  }
  std::string export_state(const Client& client) override { return word_of(client); }
  bool import_state(Client& client, std::string_view state) override {
    client.state = std::make_unique<Word>(state);
    return state != "bad";
  }
  std::string refusal(const Client& client, std::string_view) override {
    return "nobody has " + word_of(client);
  }
  void on_open(Client& client) override { note("open", client); }
  void on_close(Client& client) override { note("close", client); }

 private:
  static std::string word_of(const Client& client) {
    const auto* word = dynamic_cast<const Word*>(client.state.get());
    return word == nullptr ? std::string() : word->word;
  }
  void note(const char* what, const Client& client) {
    events_.push_back(std::string(what) + " " + std::string(client.key) + " " + word_of(client));
  }
  std::vector<std::string>& events_;
};

class HandoffsTest : public testing::Test {
 protected:
  HandoffsTest() {
    registry_.add_protocol("line", "move",
                           [](auto&, auto&) { return std::make_unique<test::LineClassifier>(); });
    registry_.add_handler("line", "move",
                          [this](auto&, auto&) { return std::make_unique<Mover>(events_); });
    worker_ = std::make_unique<LoneWorker>(registry_, "line");
  }
  ~HandoffsTest() override { worker_.reset(); }

  /// Parks the client: its handoff.
  std::uint64_t offer(UniqueFd client, std::string_view words) {
    client_ = std::move(client);
    LoneWorker::say(client_, words);
    return worker_->await<channel::Handoff>().handoff;
  }
  /// One that has just been accepted, and one that was served.
  std::uint64_t offer_new() { return offer(worker_->connect(), "b\nhello"); }
  std::uint64_t offer_moved() { return offer(worker_->deliver("a", {}, 1), "b word"); }

  void nack(std::uint64_t handoff, channel::NackReason reason) {
    const channel::NackEntry entry{handoff, reason};
    worker_->send(channel::Nack{std::span(&entry, 1)});
  }
  void keep(std::uint64_t handoff, std::uint64_t delivery) {
    const channel::KeepEntry entry{handoff, delivery, 2};
    worker_->send(channel::Keep{std::span(&entry, 1)});
  }
  void settle(std::uint64_t handoff) { worker_->send(channel::Settled{std::span(&handoff, 1)}); }
  void configure(WorkerSettings settings) {
    channel::Configure configure;
    configure.window = 1;
    const std::vector<std::uint64_t> values = values_of(settings);
    configure.settings = values;
    worker_->send(configure);
  }

  std::vector<std::string> events_;
  Registry registry_;
  std::unique_ptr<LoneWorker> worker_;
  UniqueFd client_;
};

TEST_F(HandoffsTest, ItsHandlerKnowsAClientNoMoreThatIsOffered) {
  const std::uint64_t handoff = offer_moved();
  EXPECT_EQ(events_, (std::vector<std::string>{"open a ", "close a word"}));
  settle(handoff);
  EXPECT_EQ(worker_->hear(client_, 100), "");
  EXPECT_EQ(events_.size(), 2U);
}

TEST_F(HandoffsTest, AKeptClientComesBackWithItsState) {
  keep(offer_moved(), 9);
  worker_->await<channel::Ack>();
  EXPECT_TRUE(worker_->turns_until([&] { return events_.size() == 3; }));
  EXPECT_EQ(events_.back(), "open b word");
}

TEST_F(HandoffsTest, ARefusedClientIsToldSoByWhoeverHadIt) {
  nack(offer_new(), channel::NackReason::kBusy);
  EXPECT_EQ(worker_->hear(client_, 100), "busy");
  events_.clear();
  nack(offer_moved(), channel::NackReason::kBusy);
  EXPECT_EQ(worker_->hear(client_, 100), "nobody has word");
}

TEST_F(HandoffsTest, AClientIsOfferedAgain) {
  const std::uint64_t first = offer_moved();
  nack(first, channel::NackReason::kRetry);
  const auto again = worker_->await<channel::Handoff>();
  EXPECT_GT(again.handoff, first);
  EXPECT_EQ(again.client.attempts, 1);
  EXPECT_TRUE(again.client.counted);
  EXPECT_EQ(again.client.key, "b");
  EXPECT_EQ(again.client.state, "word");
  settle(first);  // out of date
  nack(again.handoff, channel::NackReason::kBusy);
  EXPECT_EQ(worker_->hear(client_, 100), "nobody has word");
}

TEST_F(HandoffsTest, OneWithoutAVerdictIsClosedWithoutAWordAndOneNotSentIsRefused) {
  configure({.route_timeout = Duration{50}});
  const std::uint64_t sent = offer_new();
  const UniqueFd waiting = worker_->connect();  // the window is full
  LoneWorker::say(waiting, "b\n");
  EXPECT_EQ(worker_->hear(client_, 100), "");
  EXPECT_EQ(worker_->hear(waiting, 100), "busy");
  keep(sent, 9);
  const auto refused = worker_->await<channel::Nack>();
  ASSERT_EQ(refused.entries.size(), 1U);
  EXPECT_EQ((*refused.entries.begin()).reason, channel::NackReason::kUnknown);
}

TEST_F(HandoffsTest, AParkedClientIsClosedForItsMemory) {
  const std::uint64_t small = offer_new();
  const UniqueFd small_client = std::move(client_);
  const std::uint64_t large = offer(worker_->connect(), "b\n" + std::string(20'000, '.'));
  configure({.route_timeout = Duration{60'000}, .media_memory = 10'000});
  EXPECT_EQ(worker_->hear(client_, 100), "");
  settle(large);  // finds nobody
  nack(small, channel::NackReason::kBusy);
  EXPECT_EQ(worker_->hear(small_client, 100), "busy");
}

TEST_F(HandoffsTest, AStateThatIsNotUnderstoodEndsTheClient) {
  client_ = worker_->deliver("a", {}, 1);
  LoneWorker::say(client_, "b bad");
  keep(worker_->await<channel::Handoff>().handoff, 9);
  EXPECT_EQ(worker_->hear(client_, 100), "");
  EXPECT_EQ(events_.back(), "close b bad");
}

}  // namespace
}  // namespace mpb
