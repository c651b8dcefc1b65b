#include "broker/talk/operator_ask.hpp"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

namespace mpb {
namespace {

using Kind = channel::Content::Kind;

channel::Content reply(std::string_view text, Kind kind = Kind::kReply) {
  return {kind, 1, {}, text};
}

TEST(OperatorAsk, WhoAnsweredWhatAndWhoIsMissing) {
  OperatorAsk ask;
  for (std::uint16_t slot = 0; slot < 4; ++slot) ask.expect({slot, 1});
  ask.answer({1, 1}, reply("one"));
  ask.answer({1, 1}, reply("again"));
  ask.answer({0, 2}, reply("a successor was not asked"));
  ask.answer({2, 1}, reply("", Kind::kRefusal));
  ask.give_up({3, 1}, Loss::kGone);
  EXPECT_FALSE(ask.complete());
  EXPECT_EQ(boost::json::serialize(ask.report()),
            R"({"ok":true,"answers":[{"slot":1,"generation":1,"text":"one"}],"missing":[)"
            R"({"slot":2,"generation":1,"why":"it takes no such requests"},)"
            R"({"slot":3,"generation":1,"why":"it is gone"},)"
            R"({"slot":0,"generation":1,"why":"no answer in time"}]})");
  ask.answer({0, 1}, reply("zero"));
  EXPECT_TRUE(ask.complete());
}

TEST(OperatorAsk, WhoGotALetterAndWhoDidNot) {
  OperatorAsk sent;
  sent.expect({0, 1});
  EXPECT_EQ(boost::json::serialize(sent.report_sent()), R"({"ok":true,"sent":1})");
  sent.expect({1, 3});
  sent.give_up({1, 3}, Loss::kFull);
  EXPECT_EQ(boost::json::serialize(sent.report_sent()),
            R"({"ok":true,"sent":1,"missing":[)"
            R"({"slot":1,"generation":3,"why":"too much waits for it"}]})");
  OperatorAsk nobody;
  nobody.expect({1, 3});
  nobody.give_up({1, 3}, Loss::kFull);
  EXPECT_EQ(boost::json::serialize(nobody.report_sent()),
            R"({"ok":false,"error":"too much waits for it"})");
}

TEST(OperatorAsk, WhatIsShownIsBoundedAndUtf8) {
  OperatorAsk ask;
  for (std::uint16_t slot = 0; slot < 100; ++slot) {
    ask.expect({slot, 1});
    ask.answer({slot, 1}, reply(std::string(Bus::kMaxPayload, 'x')));
  }
  const auto report = ask.report();
  EXPECT_TRUE(report.at("truncated").as_bool());
  EXPECT_LT(boost::json::serialize(report).size(), 2'200'000U);
  OperatorAsk bytes;
  bytes.expect({0, 1});
  bytes.answer({0, 1}, reply("\xff"));
  EXPECT_EQ(bytes.report().at("answers").as_array()[0].at("text").as_string(), "%FF");
}

}  // namespace
}  // namespace mpb
