#include "broker/operator/inquiry.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/json.hpp>

#include "broker/operator/inquiries.hpp"

namespace mpb {
namespace {

namespace json = boost::json;

json::object object(std::string_view text) {
  return json::parse({text.data(), text.size()}).as_object();
}

void expect(Inquiry& inquiry, const std::vector<Slot>& slots) {
  for (const Slot slot : slots) inquiry.expect(slot);
}

void answer(Inquiry& inquiry, Slot slot, std::string_view text) {
  inquiry.on_answer(slot, {0, channel::Answer::kLast, text});
}

std::string stream(const std::string& vhost, const std::string& app, const std::string& name) {
  return R"({"vhost":")" + vhost + R"(","app":")" + app + R"(","stream":")" + name + "\"}";
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
  Inquiry inquiry("streams");
  EXPECT_TRUE(inquiry.complete());
  inquiry.expect(0);
  inquiry.expect(3);
  answer(inquiry, 3, R"({"streams":[]})");
  EXPECT_FALSE(inquiry.complete());
  EXPECT_TRUE(inquiry.expects(0));
  EXPECT_FALSE(inquiry.expects(3));
  inquiry.on_answer(0, {0, 0, R"({"streams")"});
  EXPECT_FALSE(inquiry.complete());
  inquiry.on_answer(0, {0, channel::Answer::kLast, ":[]}"});
  EXPECT_TRUE(inquiry.complete());
  EXPECT_EQ(inquiry.list_report(), object(R"({"ok":true,"streams":[],"ignored":0})"));
}

TEST(Inquiry, StreamsOfAllWorkersAreSorted) {
  Inquiry inquiry("streams");
  expect(inquiry, {0, 1, 2, 3});
  answer(inquiry, 2, "{\"streams\":[" + stream("b", "a", "a") + "," + stream("a", "b", "a") + "]}");
  answer(inquiry, 1, "{\"streams\":[" + stream("a", "a", "b") + "," + stream("a", "a", "a") + "]}");
  answer(inquiry, 0, "{\"streams\":[" + stream("a", "b", "a") + "]}");
  answer(inquiry, 3, R"({"unknown":true})");
  const json::object report = inquiry.list_report();
  EXPECT_EQ(names_in(report),
            (std::vector<std::string>{"1 a/a/a", "1 a/a/b", "0 a/b/a", "2 a/b/a", "2 b/a/a"}));
  EXPECT_FALSE(report.contains("missing")) << "not to know is an answer";
  EXPECT_FALSE(report.contains("truncated"));
}

TEST(Inquiry, EveryMemberIsThereAndNothingElse) {
  Inquiry inquiry("streams");
  inquiry.expect(1);
  answer(inquiry, 1,
         R"({"streams":[{"vhost":"v","app":"a","stream":"s","fps":29.97,"players":2.0,)"
         R"("kbps_in":18446744073709551615,"evil":{"x":[1]}}],"evil":true})");
  const json::object report = inquiry.list_report();
  EXPECT_EQ(json::serialize(report),
            R"({"ok":true,"streams":[{"vhost":"v","app":"a","stream":"s","publisher":"",)"
            R"("video":"","audio":"","width":0,"height":0,"fps":2.997E1,)"
            R"("kbps_in":1.8446744073709552E19,"kbps_out":0,"players":2,"drops":0,"cut":0,)"
            R"("age_s":0,"kept_bytes":0,"given_up":0,"slot":1}],"ignored":0})");
}

TEST(Inquiry, WhoDoesNotAnswerIsNamed) {
  Inquiry inquiry("streams");
  expect(inquiry, {0, 1, 2, 3, 4});
  answer(inquiry, 0, "not JSON");
  answer(inquiry, 1, "{}");
  answer(inquiry, 2, "{\"streams\":[" + stream("a", "a", "a") + "]}");
  inquiry.give_up(4);
  inquiry.on_answer(3, {0, 0, "{\"streams\":[" + stream("b", "b", "b")});
  inquiry.give_up_all();
  EXPECT_TRUE(inquiry.complete());
  answer(inquiry, 4, "{\"streams\":[" + stream("c", "c", "c") + "]}");
  const json::object report = inquiry.list_report();
  EXPECT_EQ(names_in(report), std::vector<std::string>{"2 a/a/a"});
  EXPECT_EQ(report.at("missing"), json::value({0, 1, 3, 4}));
}

TEST(Inquiry, NothingMoreIsReadOfABrokenAnswer) {
  Inquiry inquiry("kick");
  inquiry.expect(0);
  inquiry.on_answer(0, {0, 0, "]"});
  EXPECT_TRUE(inquiry.complete());
  answer(inquiry, 0, R"({"kicked":1})");
  EXPECT_FALSE(inquiry.kick_report("a/b/c").at("ok").as_bool());
}

TEST(Inquiry, StreamsOfAllWorkersAreBoundedInNumber) {
  std::string many = "{\"streams\":[" + stream("v", "a", "s");
  for (std::size_t i = 1; i < kMaxEntries; ++i) many += "," + stream("v", "a", "s");
  many += "]}";
  Inquiry inquiry("streams");
  inquiry.expect(0);
  inquiry.expect(1);
  answer(inquiry, 0, many);
  answer(inquiry, 1, "{\"streams\":[" + stream("a", "a", "a") + "]}");
  const json::object report = inquiry.list_report();
  EXPECT_EQ(report.at("streams").as_array().size(), kMaxEntries);
  EXPECT_TRUE(report.at("truncated").as_bool());
}

TEST(Inquiry, AWorkerWithTooManyStreamsHidesNobodyElses) {
  std::string many = "{\"streams\":[" + stream("v", "a", "s");
  for (std::size_t i = 1; i < kMaxEntries; ++i) many += "," + stream("v", "a", "s");
  many += "]}";
  for (const Slot first : {Slot{0}, Slot{1}}) {
    Inquiry inquiry("streams");
    expect(inquiry, {0, 1, 2});
    answer(inquiry, first, many);
    answer(inquiry, static_cast<Slot>(1 - first), "{\"streams\":[" + stream("b", "b", "b") + "]}");
    answer(inquiry, 2, "{\"streams\":[" + stream("c", "c", "c") + "]}");
    const json::object report = inquiry.list_report();
    EXPECT_EQ(report.at("streams").as_array().size(), kMaxEntries);
    EXPECT_TRUE(report.at("truncated").as_bool());
    std::vector<std::string> names = names_in(report);
    names.resize(2);
    EXPECT_EQ(names, (std::vector<std::string>{std::to_string(1 - first) + " b/b/b", "2 c/c/c"}));
  }
}

TEST(Inquiry, TotalsAreAddedUpAndUpstreamsHaveTheirWorker) {
  Inquiry inquiry("upstreams");
  expect(inquiry, {0, 1, 2});
  answer(inquiry, 1,
         R"({"upstreams":[{"vhost":"v","address":"b","out":true,"served":1}],"clients":1e300,)"
         R"("unserved":2})");
  answer(inquiry, 0, R"({"upstreams":[{"vhost":"v","address":"b","clients":2}],"clients":2})");
  answer(inquiry, 2, R"({"unknown":true})");
  EXPECT_EQ(json::serialize(inquiry.list_report()),
            R"({"ok":true,"upstreams":[)"
            R"({"vhost":"v","address":"b","why":"","clients":2,"served":0,"failed":0,)"
            R"("failures_in_a_row":0,"backup":false,"out":false,"slot":0},)"
            R"({"vhost":"v","address":"b","why":"","clients":0,"served":1,"failed":0,)"
            R"("failures_in_a_row":0,"backup":false,"out":true,"slot":1}],)"
            R"("clients":1000000000000002,"unserved":2})");
}

TEST(Inquiry, HooksAreInTheOrderOfTheServersAndWorkers) {
  Inquiry inquiry("hooks");
  expect(inquiry, {0, 1});
  answer(inquiry, 1, R"({"hooks":[{"server":"a:80","state":"open","asked":1}]})");
  answer(inquiry, 0, R"({"hooks":[{"server":"a:80","failed":2}]})");
  EXPECT_EQ(json::serialize(inquiry.list_report()),
            R"({"ok":true,"hooks":[)"
            R"({"server":"a:80","state":"","asked":0,"told":0,"refused":0,"failed":2,"dropped":0,)"
            R"("under_way":0,"waiting":0,"failures_in_a_row":0,"slot":0},)"
            R"({"server":"a:80","state":"open","asked":1,"told":0,"refused":0,"failed":0,)"
            R"("dropped":0,"under_way":0,"waiting":0,"failures_in_a_row":0,"slot":1}]})");
}

TEST(Inquiry, KicksAreAddedUp) {
  Inquiry inquiry("kick");
  expect(inquiry, {0, 1, 2});
  answer(inquiry, 0, R"({"kicked":0})");
  answer(inquiry, 1, R"({"kicked":2})");
  answer(inquiry, 2, R"({"kicked":1})");
  EXPECT_EQ(inquiry.kick_report("a/b/c"), object(R"({"ok":true,"kicked":3})"));
}

TEST(Inquiry, AbsurdNumbersOfKicksDoNotWrapAround) {
  Inquiry inquiry("kick");
  expect(inquiry, {0, 1});
  answer(inquiry, 0, R"({"kicked":18446744073709551615})");
  answer(inquiry, 1, R"({"kicked":1})");
  EXPECT_GT(inquiry.kick_report("a/b/c").at("kicked").to_number<std::uint64_t>(), 1U);
}

TEST(Inquiry, NobodyKickedIsAnError) {
  Inquiry inquiry("kick");
  expect(inquiry, {0, 1, 2, 3});
  answer(inquiry, 0, R"({"kicked":0})");
  answer(inquiry, 1, R"({"unknown":true})");
  EXPECT_EQ(inquiry.kick_report("a/b/c"),
            object(R"({"ok":false,"error":"no such stream 'a/b/c'"})"));
  inquiry.give_up_all();
  EXPECT_EQ(inquiry.kick_report("a/b/c").at("error").as_string(),
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
    const bool taken = inquiries->ask(question, "x/y/z", [this, question](Inquiry& inquiry) {
      reports.push_back(inquiry.kick_report(question));
      if (on_report) on_report();
    });
    if (!taken) ++refused;
  }
  void answer(Slot slot, std::uint64_t nonce, std::string_view text) {
    inquiries->on_answer(slot, {nonce, channel::Answer::kLast, text});
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
  answer(0, nonces[0], R"({"kicked":1})");
  EXPECT_TRUE(reports.empty());
  answer(1, nonces[0], R"({"kicked":1})");
  EXPECT_EQ(reports.size(), 1U);
  EXPECT_EQ(asked, (std::vector<std::string>{"a x/y/z", "b x/y/z"}));
  EXPECT_NE(nonces[0], nonces[1]);
  answer(0, nonces[0], R"({"kicked":7})");
  answer(1, nonces[0], R"({"kicked":7})");
  EXPECT_EQ(reports.size(), 1U) << "answers to the first one";
  answer(0, nonces[1], R"({"kicked":2})");
  answer(1, nonces[1], R"({"kicked":3})");
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
  answer(0, nonces[0], R"({"kicked":1})");
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
  answer(0, nonces[0], R"({"kicked":1})");
  while (reports.empty()) loop.turn(Duration{5'000});
  EXPECT_EQ(reports[0], object(R"({"ok":true,"kicked":1,"missing":[1]})"));
  expected = {0};
  ask("b");
  answer(0, nonces[0], R"({"kicked":7})");
  EXPECT_EQ(reports.size(), 1U) << "a late answer is none to the next question";
  answer(0, nonces[1], R"({"kicked":2})");
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
  answer(0, nonces[0], R"({"kicked":0})");
  answer(1, nonces[0], R"({"kicked":0})");
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
