#include "bench/mpclient/answer.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "bench/mpclient/conversation.hpp"
#include "bench/mpclient/request.hpp"

namespace mpb::load {
namespace {

using Kind = Answer::Kind;
using Reaction = Conversation::Reaction;
using namespace std::string_literals;

TEST(MpclientAnswer, KnowsTheProtocolsAnswers) {
  EXPECT_EQ(parse_answer("hello, server ping!").kind, Kind::kGreeting);
  EXPECT_EQ(parse_answer("busy").kind, Kind::kBusy);
  const Answer answer = parse_answer("worker=3 pid=4711 id=-12 hops=2");
  ASSERT_EQ(answer.kind, Kind::kWho);
  EXPECT_EQ(answer.who.worker, (Worker{3, 4711}));
  EXPECT_EQ(answer.who.id, -12);
  EXPECT_EQ(answer.who.hops, 2U);
  const Answer nobody = parse_answer("worker=0 pid=1 id=- hops=0");
  ASSERT_EQ(nobody.kind, Kind::kWho);
  EXPECT_FALSE(nobody.who.id.has_value());
}

TEST(MpclientAnswer, IsStrict) {
  for (const char* text :
       {"", "hello, server ping", "hello, server ping! ", "Busy", "busy ", "worker=", "worker=1",
        "worker=1 pid=2 id=3", "worker=1 pid=2 id=3 hops=", "worker=1 pid=2 id=3 hops=4 ",
        "worker=1  pid=2 id=3 hops=4", "worker=x pid=2 id=3 hops=4", "worker=1 pid=2 id= hops=4",
        "worker=1 pid=2 id=--1 hops=4", "worker=1 pid=2 id=3 hops=-1",
        "worker=1 pid=2 id=9999999999 hops=0", "error: unknown command"}) {
    EXPECT_EQ(parse_answer(text).kind, Kind::kOther) << text;
  }
}

std::vector<std::string> read_in_pieces(const std::string& bytes, std::size_t piece) {
  AnswerReader reader;
  std::vector<std::string> answers;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const auto outcome = reader.feed(std::string_view(bytes).substr(at, piece), [&](auto text) {
      answers.emplace_back(text);
      return true;
    });
    EXPECT_EQ(outcome, AnswerReader::Outcome::kRead);
  }
  EXPECT_FALSE(reader.inside_answer());
  return answers;
}

TEST(MpclientAnswerReader, GivesTheSameAnswersForAnyPieces) {
  const std::string bytes = "hello, server ping!\0\0worker=1 pid=2 id=3 hops=4\0busy\0"s;
  const std::vector<std::string> expected{"hello, server ping!", "", "worker=1 pid=2 id=3 hops=4",
                                          "busy"};
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    EXPECT_EQ(read_in_pieces(bytes, piece), expected) << piece;
  }
}

TEST(MpclientAnswerReader, KnowsThatAnAnswerHasBegun) {
  AnswerReader reader;
  reader.feed("busy\0h"s, [](auto) { return true; });
  EXPECT_TRUE(reader.inside_answer());
  reader.reset();
  EXPECT_FALSE(reader.inside_answer());
}

TEST(MpclientAnswerReader, BoundsTheLengthInOnePieceAndInMany) {
  const auto feed = [](AnswerReader& reader, std::string_view bytes) {
    return reader.feed(bytes, [](auto) { return true; });
  };
  const std::string longest(AnswerReader::kMaxAnswer, 'x');
  AnswerReader whole;
  EXPECT_EQ(feed(whole, longest + '\0'), AnswerReader::Outcome::kRead);
  EXPECT_EQ(feed(whole, longest + 'x' + '\0'), AnswerReader::Outcome::kTooLong);
  AnswerReader pieces;
  EXPECT_EQ(feed(pieces, longest), AnswerReader::Outcome::kRead);
  EXPECT_EQ(feed(pieces, "x"), AnswerReader::Outcome::kTooLong);
}

TEST(MpclientAnswerReader, StopsWhenTheSinkSaysSo) {
  AnswerReader reader;
  int calls = 0;
  const auto outcome = reader.feed("a\0b\0"s, [&](auto) { return ++calls == 5; });
  EXPECT_EQ(outcome, AnswerReader::Outcome::kStopped);
  EXPECT_EQ(calls, 1);
}

TEST(MpclientRequest, IsWhatTheProtocolSays) {
  RequestWriter writer(3);
  EXPECT_EQ(writer.bytes(Request::kDispatch, 0x01020384), "C\x84\x03\x02\x01"s);
  EXPECT_EQ(writer.bytes(Request::kDispatchWho, -1), "C\xff\xff\xff\xffW"s);
  EXPECT_EQ(writer.bytes(Request::kMessage, 5), "Mmmm\0"s);
  EXPECT_EQ(writer.bytes(Request::kMessageWho, 5), "Mmmm\0W"s);
  EXPECT_EQ(RequestWriter(0).bytes(Request::kMessage, 5), "M\0"s);
}

Answer who(std::int32_t id, std::int64_t pid = 100) {
  return {Kind::kWho, {{1, pid}, id, 0}};
}
const Answer kGreetingAnswer{Kind::kGreeting, {}};
const Answer kBusyAnswer{Kind::kBusy, {}};

TEST(MpclientConversation, AsksTheWholeScriptInOrder) {
  const Script script{2, true};
  Conversation talk;
  EXPECT_EQ(talk.begin(7, script), Request::kDispatchWho);
  EXPECT_EQ(talk.on_answer(kGreetingAnswer), Reaction::kDispatched);
  EXPECT_TRUE(talk.waiting());
  EXPECT_EQ(talk.on_answer(who(7)), Reaction::kTold);
  EXPECT_FALSE(talk.waiting());
  EXPECT_EQ(talk.next(script), Request::kMessage);
  EXPECT_EQ(talk.on_answer(kGreetingAnswer), Reaction::kMessage);
  EXPECT_EQ(talk.next(script), Request::kMessageWho);
  EXPECT_EQ(talk.on_answer(kGreetingAnswer), Reaction::kMessage);
  EXPECT_EQ(talk.on_answer(who(7)), Reaction::kTold);
  EXPECT_EQ(talk.next(script), std::nullopt);
}

TEST(MpclientConversation, AsksNobodyWhoWhenNotAskedTo) {
  const Script script{1, false};
  Conversation talk;
  EXPECT_EQ(talk.begin(7, script), Request::kDispatch);
  talk.on_answer(kGreetingAnswer);
  EXPECT_FALSE(talk.waiting());
  EXPECT_EQ(talk.next(script), Request::kMessage);
}

TEST(MpclientConversation, TakesNoAnswerOutOfOrderOrTwice) {
  Conversation talk;
  talk.begin(7, {0, true});
  EXPECT_EQ(talk.on_answer(who(7)), Reaction::kUnexpected);
  talk.begin(7, {0, true});
  talk.on_answer(kGreetingAnswer);
  EXPECT_EQ(talk.on_answer(kGreetingAnswer), Reaction::kUnexpected);
  EXPECT_EQ(talk.on_answer(who(7)), Reaction::kTold);
  EXPECT_EQ(talk.on_answer(who(7)), Reaction::kUnexpected);
  EXPECT_EQ(talk.on_answer(kGreetingAnswer), Reaction::kUnexpected);
  EXPECT_EQ(talk.on_answer(parse_answer("error")), Reaction::kUnexpected);
}

TEST(MpclientConversation, MayBeRefusedOnlyBeforeItIsServed) {
  Conversation talk;
  talk.begin(7, {1, false});
  EXPECT_EQ(talk.on_answer(kBusyAnswer), Reaction::kBusy);
  talk.begin(7, {1, false});
  talk.on_answer(kGreetingAnswer);
  EXPECT_EQ(talk.on_answer(kBusyAnswer), Reaction::kUnexpected);
  talk.next({1, false});
  EXPECT_EQ(talk.on_answer(kBusyAnswer), Reaction::kUnexpected);
}

TEST(MpclientConversation, ChecksWhoServesIt) {
  const Script script{1, true};
  Conversation talk;
  talk.begin(7, script);
  talk.on_answer(kGreetingAnswer);
  EXPECT_EQ(talk.on_answer(who(8)), Reaction::kWrongId);
  talk.begin(7, script);
  talk.on_answer(kGreetingAnswer);
  Answer nobody = who(7);
  nobody.who.id.reset();
  EXPECT_EQ(talk.on_answer(nobody), Reaction::kWrongId);
  talk.begin(7, script);
  talk.on_answer(kGreetingAnswer);
  talk.on_answer(who(7, 100));
  talk.next(script);
  talk.on_answer(kGreetingAnswer);
  EXPECT_EQ(talk.on_answer(who(7, 101)), Reaction::kOtherWorker);
}

TEST(MpclientConversation, MayMeetAnotherWorkerAfterItMoved) {
  Conversation talk;
  talk.begin(7, {0, true});
  talk.on_answer(kGreetingAnswer);
  talk.on_answer(who(7, 100));
  talk.begin(8, {0, true});
  EXPECT_EQ(talk.on_answer(kGreetingAnswer), Reaction::kDispatched);
  EXPECT_EQ(talk.on_answer(who(8, 101)), Reaction::kTold);
}

}  // namespace
}  // namespace mpb::load
