#include "broker/operator/inquiry.hpp"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/json.hpp>

#include "broker/operator/entry_shares.hpp"
#include "broker/operator/inquiries.hpp"
#include "common/answers/record.hpp"

namespace mpb {
namespace {

namespace json = boost::json;
using namespace std::string_literals;

json::object object(std::string_view text) {
  return json::parse({text.data(), text.size()}).as_object();
}

std::unique_ptr<Inquiry> inquiry_of(const std::string& question, const std::vector<Slot>& slots) {
  auto inquiry = make_inquiry(question, "a/b/c");
  for (const Slot slot : slots) inquiry->expect(slot);
  return inquiry;
}

void say(Inquiry& inquiry, Slot slot, const AnswerContent& content, bool last = true) {
  std::uint16_t flags = last ? channel::Answer::kLast : 0;
  if (content.unknown) flags |= channel::Answer::kUnknown;
  inquiry.on_answer(slot, {0, flags, content.totals, content.records});
}

template <class Entry>
void answer(Inquiry& inquiry, Slot slot, const std::vector<Entry>& entries, bool last = true) {
  say(inquiry, slot, content_of(Listing<Entry>{.entries = entries}), last);
}

void answer_kick(Inquiry& inquiry, Slot slot, std::uint64_t kicked) {
  say(inquiry, slot, {.totals = {kicked}});
}

StreamEntry stream(const std::string& vhost, const std::string& app, const std::string& name) {
  return {.vhost = vhost, .app = app, .stream = name};
}

/// "slot vhost/app/stream" of each in a report.
std::vector<std::string> names_in(const json::object& report) {
  std::vector<std::string> names;
  for (const json::value& entry : report.at("streams").as_array()) {
    const auto text = [&](const char* member) {
      return std::string(entry.as_object().at(member).as_string());
    };
    names.push_back(std::to_string(entry.at("slot").to_number<int>()) + " " + text("vhost") + "/" +
                    text("app") + "/" + text("stream"));
  }
  return names;
}

// --- one inquiry ---------------------------------------------------------------------------------

TEST(Inquiry, IsCompleteWhenAllHaveAnswered) {
  EXPECT_TRUE(make_inquiry("streams", "")->complete());
  const auto inquiry = inquiry_of("streams", {0, 3});
  answer<StreamEntry>(*inquiry, 3, {});
  EXPECT_FALSE(inquiry->complete());
  EXPECT_TRUE(inquiry->expects(0));
  EXPECT_FALSE(inquiry->expects(3));
  answer<StreamEntry>(*inquiry, 0, {}, false);
  EXPECT_FALSE(inquiry->complete());
  answer<StreamEntry>(*inquiry, 0, {});
  EXPECT_TRUE(inquiry->complete());
  EXPECT_EQ(inquiry->report(), object(R"({"ok":true,"streams":[],"ignored":0})"));
}

TEST(Inquiry, StreamsOfAllWorkersAreSorted) {
  const auto inquiry = inquiry_of("streams", {0, 1, 2, 3});
  answer<StreamEntry>(*inquiry, 2, {stream("b", "a", "a")}, false);
  answer<StreamEntry>(*inquiry, 1, {stream("a", "a", "b"), stream("a", "a", "a")});
  answer<StreamEntry>(*inquiry, 0, {stream("a", "b", "a")});
  say(*inquiry, 3, {.unknown = true});
  answer<StreamEntry>(*inquiry, 2, {stream("a", "b", "a")});
  const json::object report = inquiry->report();
  EXPECT_EQ(names_in(report),
            (std::vector<std::string>{"1 a/a/a", "1 a/a/b", "0 a/b/a", "2 a/b/a", "2 b/a/a"}));
  EXPECT_FALSE(report.contains("missing")) << "not to know is an answer";
  EXPECT_FALSE(report.contains("truncated"));
}

TEST(Inquiry, EveryMemberIsThere) {
  const auto inquiry = inquiry_of("streams", {1});
  answer<StreamEntry>(*inquiry, 1,
                      {{.vhost = "v",
                        .app = "a",
                        .stream = "s",
                        .fps = 29.97,
                        .kbps_in = 1.8446744073709552E19,
                        .kbps_out = 2.0,
                        .players = UINT64_MAX}});
  EXPECT_EQ(json::serialize(inquiry->report()),
            R"({"ok":true,"streams":[{"vhost":"v","app":"a","stream":"s","publisher":"",)"
            R"("video":"","audio":"","width":0,"height":0,"fps":2.997E1,)"
            R"("kbps_in":1.8446744073709552E19,"kbps_out":2,"players":9007199254740992,"drops":0,)"
            R"("cut":0,"age_s":0,"kept_bytes":0,"given_up":0,"slot":1}],"ignored":0})");
}

TEST(Inquiry, WhoDoesNotAnswerIsNamed) {
  const auto inquiry = inquiry_of("streams", {0, 1, 2, 3, 4});
  say(*inquiry, 0, {.records = "\1\0\0\0x"s});
  say(*inquiry, 1, {.records = "not records"});
  answer<StreamEntry>(*inquiry, 2, {stream("a", "a", "a")});
  inquiry->give_up(4);
  answer<StreamEntry>(*inquiry, 3, {stream("b", "b", "b")}, false);
  inquiry->give_up_all();
  EXPECT_TRUE(inquiry->complete());
  answer<StreamEntry>(*inquiry, 4, {stream("c", "c", "c")});
  const json::object report = inquiry->report();
  EXPECT_EQ(names_in(report), std::vector<std::string>{"2 a/a/a"});
  EXPECT_EQ(report.at("missing"), json::value({0, 1, 3, 4}));
}

TEST(Inquiry, NothingOfABrokenAnswerCounts) {
  const auto inquiry = inquiry_of("streams", {0});
  answer<StreamEntry>(*inquiry, 0, {stream("a", "a", "a")}, false);
  say(*inquiry, 0, {.totals = {5}, .records = "\1\0\0\0x"s}, false);
  EXPECT_TRUE(inquiry->complete());
  answer<StreamEntry>(*inquiry, 0, {stream("b", "b", "b")});
  EXPECT_EQ(inquiry->report(), object(R"({"ok":true,"streams":[],"ignored":0,"missing":[0]})"));
}

TEST(Inquiry, AnAnswerIsBoundedInLength) {
  AnswerContent empty_ones;
  while (empty_ones.records.size() < channel::kBatch)
    append_record(empty_ones.records, StreamEntry());
  const auto inquiry = inquiry_of("streams", {0});
  const std::size_t pieces = channel::kMaxAnswer / empty_ones.records.size();
  for (std::size_t i = 0; i < pieces; ++i) say(*inquiry, 0, empty_ones, false);
  EXPECT_FALSE(inquiry->complete());
  say(*inquiry, 0, empty_ones, false);
  EXPECT_TRUE(inquiry->complete());
  EXPECT_TRUE(inquiry->report().contains("missing"));
}

TEST(Inquiry, EntriesWithoutANameAreLeftOut) {
  const auto streams = inquiry_of("streams", {0});
  answer<StreamEntry>(*streams, 0,
                      {{}, stream("v", "", "s"), stream("", "a", "s"), stream("v", "a", "")});
  EXPECT_EQ(names_in(streams->report()), std::vector<std::string>{"0 v/a/"});
  const auto upstreams = inquiry_of("upstreams", {0});
  answer<UpstreamEntry>(*upstreams, 0, {{.vhost = "a.test"}, {.address = "b"}});
  EXPECT_TRUE(upstreams->report().at("upstreams").as_array().empty());
  const auto hooks = inquiry_of("hooks", {0});
  answer<HookEntry>(*hooks, 0, {{.counters = {.asked = 2}}});
  EXPECT_EQ(hooks->report().at("hooks").at(0).at("asked"), 2);
}

TEST(Inquiry, StreamsAreBoundedInNumber) {
  const std::vector<StreamEntry> most(kMaxEntries, stream("v", "a", "s"));
  const auto of_one = inquiry_of("streams", {0});
  answer(*of_one, 0, most);
  EXPECT_EQ(of_one->report().at("streams").as_array().size(), kMaxEntries);
  EXPECT_FALSE(of_one->report().contains("truncated"));
  for (const Slot second : {Slot{0}, Slot{1}}) {
    const auto inquiry = inquiry_of("streams", {0, 1});
    answer(*inquiry, 0, most, second != 0);
    answer<StreamEntry>(*inquiry, second, {stream("a", "a", "a")});
    EXPECT_EQ(inquiry->report().at("streams").as_array().size(), kMaxEntries);
    EXPECT_TRUE(inquiry->report().at("truncated").as_bool());
  }
}

TEST(Inquiry, TextsAreBoundedTogether) {
  const std::string name(kMaxColumnText, 'x');
  const auto inquiry = inquiry_of("streams", {0});
  answer(*inquiry, 0, std::vector<StreamEntry>(1000, stream(name, name, name)));
  EXPECT_EQ(names_in(inquiry->report()).size(), kMaxEntriesText / (3 * name.size()));
  EXPECT_TRUE(inquiry->report().at("truncated").as_bool());
}

TEST(Inquiry, AWorkerWithTooManyStreamsHidesNobodyElses) {
  const std::vector<StreamEntry> many(kMaxEntries, stream("v", "a", "s"));
  for (const Slot first : {Slot{0}, Slot{1}}) {
    const auto inquiry = inquiry_of("streams", {0, 1, 2});
    answer(*inquiry, first, many);
    answer<StreamEntry>(*inquiry, static_cast<Slot>(1 - first), {stream("b", "b", "b")});
    answer<StreamEntry>(*inquiry, 2, {stream("c", "c", "c")});
    const json::object report = inquiry->report();
    EXPECT_EQ(report.at("streams").as_array().size(), kMaxEntries);
    EXPECT_TRUE(report.at("truncated").as_bool());
    std::vector<std::string> names = names_in(report);
    names.resize(2);
    EXPECT_EQ(names, (std::vector<std::string>{std::to_string(1 - first) + " b/b/b", "2 c/c/c"}));
  }
}

TEST(Inquiry, TotalsAreAddedUpAndUpstreamsHaveTheirWorker) {
  const auto inquiry = inquiry_of("upstreams", {0, 1, 2});
  const UpstreamEntry out{.vhost = "v", .address = "b", .counters = {.served = 1}, .out = true};
  const UpstreamEntry up{.vhost = "v", .address = "b", .counters = {.clients = 2}};
  say(*inquiry, 1, content_of(Listing<UpstreamEntry>{{1'000, 2}, {out}}));
  say(*inquiry, 0, content_of(Listing<UpstreamEntry>{{2, 0}, {up}}));
  say(*inquiry, 2, {.unknown = true});
  EXPECT_EQ(json::serialize(inquiry->report()),
            R"({"ok":true,"upstreams":[)"
            R"({"vhost":"v","address":"b","why":"","clients":2,"served":0,"failed":0,)"
            R"("failures_in_a_row":0,"backup":false,"out":false,"slot":0},)"
            R"({"vhost":"v","address":"b","why":"","clients":0,"served":1,"failed":0,)"
            R"("failures_in_a_row":0,"backup":false,"out":true,"slot":1}],)"
            R"("clients":1002,"unserved":2})");
}

TEST(Inquiry, HooksAreInTheOrderOfTheServersAndWorkers) {
  const auto inquiry = inquiry_of("hooks", {0, 1});
  answer<HookEntry>(*inquiry, 1, {{"a:80", "open", {.asked = 1}}});
  answer<HookEntry>(*inquiry, 0, {{"a:80", "", {.failed = 2}}});
  EXPECT_EQ(json::serialize(inquiry->report()),
            R"({"ok":true,"hooks":[)"
            R"({"server":"a:80","state":"","asked":0,"told":0,"refused":0,"failed":2,"dropped":0,)"
            R"("under_way":0,"waiting":0,"failures_in_a_row":0,"slot":0},)"
            R"({"server":"a:80","state":"open","asked":1,"told":0,"refused":0,"failed":0,)"
            R"("dropped":0,"under_way":0,"waiting":0,"failures_in_a_row":0,"slot":1}]})");
}

TEST(Inquiry, KicksAreAddedUp) {
  const auto inquiry = inquiry_of("kick", {0, 1, 2});
  answer_kick(*inquiry, 0, 0);
  answer_kick(*inquiry, 1, 2);
  answer_kick(*inquiry, 2, 1);
  EXPECT_EQ(inquiry->report(), object(R"({"ok":true,"kicked":3})"));
}

TEST(Inquiry, AbsurdNumbersDoNotWrapAround) {
  const auto inquiry = inquiry_of("kick", {0, 1});
  answer_kick(*inquiry, 0, UINT64_MAX);
  answer_kick(*inquiry, 1, 1);
  EXPECT_EQ(inquiry->report().at("kicked").to_number<std::uint64_t>(), kMostCounted);
}

TEST(Inquiry, NobodyKickedIsAnError) {
  const auto inquiry = inquiry_of("kick", {0, 1, 2, 3, 4});
  answer_kick(*inquiry, 0, 0);
  say(*inquiry, 1, {.unknown = true});
  answer<StreamEntry>(*inquiry, 4, {stream("a", "b", "c")});
  EXPECT_EQ(inquiry->report(), object(R"({"ok":false,"error":"no such stream 'a/b/c'"})"));
  inquiry->give_up_all();
  EXPECT_EQ(inquiry->report().at("error").as_string(),
            "no such stream 'a/b/c' (no answer from worker 2, 3)");
}

// --- one after the other -------------------------------------------------------------------------

class InquiriesTest : public testing::Test {
 protected:
  std::unique_ptr<Inquiries> make(Duration limit) {
    const auto ask_workers = [this](const channel::Query& query, Inquiry& inquiry) {
      asked.push_back(std::string(query.question) + " " + std::string(query.argument));
      nonces.push_back(query.nonce);
      for (const Slot slot : expected) inquiry.expect(slot);
      for (const Slot slot : deaf) inquiry.give_up(slot);
    };
    return std::make_unique<Inquiries>(loop, 100, ask_workers, limit);
  }
  /// The workers in `expected` are asked, the one in `deaf` cannot be.
  void ask(const std::string& question) {
    const bool taken = inquiries->ask(question, "x/y/z", [this](json::object report) {
      reports.push_back(std::move(report));
      if (on_report) on_report();
    });
    if (!taken) ++refused;
  }
  void answer(Slot slot, std::uint64_t nonce, std::uint64_t kicked) {
    inquiries->on_answer(slot, {nonce, channel::Answer::kLast, std::array{kicked}, {}});
  }

  EventLoop loop;
  std::vector<Slot> expected{0, 1};
  std::vector<Slot> deaf;
  std::vector<std::string> asked;
  std::vector<std::uint64_t> nonces;
  std::vector<json::object> reports;
  std::function<void()> on_report;
  int refused = 0;
  std::unique_ptr<Inquiries> inquiries = make(Duration{60'000});
};

TEST_F(InquiriesTest, AreAskedOneAfterTheOtherWithNoncesOfTheirOwn) {
  ask("a");
  ask("b");
  EXPECT_EQ(asked, std::vector<std::string>{"a x/y/z"});
  answer(0, nonces[0], 1);
  EXPECT_TRUE(reports.empty());
  answer(1, nonces[0], 1);
  EXPECT_EQ(reports.size(), 1U);
  EXPECT_EQ(asked, (std::vector<std::string>{"a x/y/z", "b x/y/z"}));
  EXPECT_NE(nonces[0], nonces[1]);
  answer(0, nonces[0], 7);
  answer(1, nonces[0], 7);
  EXPECT_EQ(reports.size(), 1U) << "answers to the first one";
  answer(0, nonces[1], 2);
  answer(1, nonces[1], 3);
  ASSERT_EQ(reports.size(), 2U);
  EXPECT_EQ(reports[1], object(R"({"ok":true,"kicked":5})"));
}

TEST_F(InquiriesTest, WithoutWorkersTheAnswerComesAtOnce) {
  expected.clear();
  deaf = {4};
  ask("a");
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].at("missing"), json::value({4}));
}

TEST_F(InquiriesTest, AWorkerThatEndsIsNotWaitedFor) {
  ask("a");
  inquiries->on_gone(7);
  answer(0, nonces[0], 1);
  EXPECT_TRUE(reports.empty());
  inquiries->on_gone(0);
  EXPECT_TRUE(reports.empty()) << "it had answered";
  inquiries->on_gone(1);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0], object(R"({"ok":true,"kicked":1,"missing":[1]})"));
}

TEST_F(InquiriesTest, ThoseThatAnswerTooLateAreDoneWithoutInTheEnd) {
  inquiries = make(Duration{50});
  ask("a");
  answer(0, nonces[0], 1);
  while (reports.empty()) loop.turn(Duration{5'000});
  EXPECT_EQ(reports[0], object(R"({"ok":true,"kicked":1,"missing":[1]})"));
  expected = {0};
  ask("b");
  answer(0, nonces[0], 7);
  EXPECT_EQ(reports.size(), 1U) << "a late answer is none to the next question";
  answer(0, nonces[1], 2);
  ASSERT_EQ(reports.size(), 2U);
  EXPECT_EQ(reports[1], object(R"({"ok":true,"kicked":2})"));
}

TEST_F(InquiriesTest, AQuestionMayFollowFromAnAnswer) {
  on_report = [this] {
    if (reports.size() < 3) ask("next");
  };
  expected.clear();
  ask("a");
  EXPECT_EQ(reports.size(), 3U);
}

TEST_F(InquiriesTest, WaitingQuestionsAreBoundedInNumber) {
  for (int i = 0; i < 1000; ++i) ask("a");
  EXPECT_EQ(refused, 1000 - 1 - 64);
  expected.clear();
  answer(0, nonces[0], 0);
  answer(1, nonces[0], 0);
  EXPECT_EQ(reports.size(), 65U);
}

TEST_F(InquiriesTest, MayGoWhileAQuestionIsOpen) {
  inquiries = make(Duration{10});
  ask("a");
  inquiries.reset();
  bool passed = false;
  loop.after(Duration{20}, [&] { passed = true; });
  while (!passed) loop.turn(Duration{5'000});
  EXPECT_TRUE(reports.empty());
}

}  // namespace
}  // namespace mpb
