#include "broker/operator/worker_answer.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/channel/message.hpp"

namespace mpb {
namespace {

constexpr std::string_view kStream =
    R"({"vhost":"a.test","app":"live","stream":"s","publisher":"192.0.2.1:5","video":"avc1",)"
    R"("audio":"mp4a","width":1280,"height":720,"fps":29.97,"kbps_in":2500,"kbps_out":5000,)"
    R"("players":2,"drops":3,"cut":1,"age_s":60,"kept_bytes":70,"given_up":8})";

std::string streams_answer(std::string_view streams) {
  return "{\"streams\":[" + std::string(streams) + "]}";
}

/// To a question; nothing: the answer cannot be used.
std::optional<AnswerContent> content_of(std::string_view text, std::size_t piece = SIZE_MAX,
                                        std::string_view question = "streams") {
  WorkerAnswer answer(find_answer_list(question));
  while (text.size() > piece) {
    if (!answer.add(text.substr(0, piece), false)) return std::nullopt;
    text.remove_prefix(piece);
  }
  if (!answer.add(text, true)) return std::nullopt;
  return answer.content();
}

std::size_t streams_in(std::string_view text) {
  const auto content = content_of(text);
  return content && content->entries ? content->entries->size() : SIZE_MAX;
}

void expect_whole_stream(const AnswerContent& content) {
  ASSERT_TRUE(content.entries);
  ASSERT_EQ(content.entries->size(), 1U);
  const AnswerEntry& stream = content.entries->front();
  EXPECT_EQ(stream.texts,
            (std::vector<std::string>{"a.test", "live", "s", "192.0.2.1:5", "avc1", "mp4a"}));
  EXPECT_EQ(stream.numbers,
            (std::vector<double>{1280, 720, 29.97, 2500, 5000, 2, 3, 1, 60, 70, 8}));
  EXPECT_FALSE(content.truncated);
}

TEST(WorkerAnswer, ReadsAStreamHoweverItIsCut) {
  const std::string text = streams_answer(kStream);
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    SCOPED_TRACE(piece);
    const auto content = content_of(text, piece);
    ASSERT_TRUE(content);
    expect_whole_stream(*content);
  }
}

TEST(WorkerAnswer, EmptyPiecesAndAnEmptyLastOneAreFine) {
  WorkerAnswer answer(find_answer_list("streams"));
  EXPECT_TRUE(answer.add("", false));
  EXPECT_TRUE(answer.add(streams_answer(kStream), false));
  EXPECT_TRUE(answer.add("", false));
  EXPECT_TRUE(answer.add("\n ", false));
  EXPECT_TRUE(answer.add("", true));
  expect_whole_stream(answer.content());
}

TEST(WorkerAnswer, ReadsTheOtherAnswers) {
  EXPECT_TRUE(content_of(R"({"unknown":true})")->unknown);
  EXPECT_FALSE(content_of(R"({"unknown":"true"})")->unknown);
  EXPECT_EQ(content_of(R"({"kicked":3})")->kicked, 3U);
  EXPECT_EQ(content_of(R"({"kicked":0})")->kicked, 0U);
  for (const auto* odd : {R"({"kicked":-1})", R"({"kicked":2.5})", R"({"kicked":"3"})",
                          R"({"kicked":{"kicked":3}})", R"({"x":{"kicked":3}})", "{}"}) {
    ASSERT_TRUE(content_of(odd)) << odd;
    EXPECT_FALSE(content_of(odd)->kicked) << odd;
  }
  EXPECT_EQ(streams_in(R"({"streams":[]})"), 0U);
  EXPECT_EQ(streams_in(R"({"streams":{}})"), SIZE_MAX);
  EXPECT_EQ(streams_in(R"({"x":{"streams":[{"vhost":"v","app":"a","stream":"s"}]}})"), SIZE_MAX);
}

TEST(WorkerAnswer, LeavesOutWhatItDoesNotKnowOrWhatHasAnotherType) {
  const auto content = content_of(streams_answer(
      R"({"vhost":"v","app":"a","stream":"s","publisher":7,"video":null,"audio":["mp4a"],)"
      R"("width":"1280","height":-1,"fps":1e999,"kbps_in":{"kbps_in":5},"players":true,)"
      R"("secret":"x","more":{"stream":"t","players":9,"deeper":[{"vhost":"w"}]},"drops":4.0})"));
  ASSERT_TRUE(content && content->entries && content->entries->size() == 1);
  const AnswerEntry& stream = content->entries->front();
  EXPECT_EQ(stream.texts, (std::vector<std::string>{"v", "a", "s", "", "", ""}));
  EXPECT_EQ(stream.numbers, (std::vector<double>{0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0}));
}

TEST(WorkerAnswer, AStreamWithoutVhostOrAppIsNone) {
  for (const auto* odd :
       {"{}", "1", "null", "[]", R"([{"vhost":"v","app":"a","stream":"s"}])", R"({"vhost":"v"})",
        R"({"vhost":"v","app":"","stream":"s"})", R"({"vhost":1,"app":"a","stream":"s"})"}) {
    EXPECT_EQ(streams_in(streams_answer(odd)), 0U) << odd;
  }
  EXPECT_EQ(streams_in(streams_answer(R"({"vhost":"v","app":"a","stream":""})")), 1U);
  EXPECT_EQ(streams_in(streams_answer("{}," + std::string(kStream) + ",3")), 1U);
}

TEST(WorkerAnswer, TextThatIsNotOneObjectIsRefused) {
  for (const auto* odd : {"",
                          " ",
                          "{",
                          "}",
                          "[]",
                          "1",
                          "\"x\"",
                          "true",
                          "null",
                          "{}{}",
                          "{},",
                          "{}x",
                          "{\"a\"}",
                          "{\"a\":}",
                          "{'a':1}",
                          "{\"a\":1,}",
                          "{\"a\":\"\xff\"}",
                          "{\"\xc3\":1}",
                          "{\"a\":01}",
                          "{\"a\":\"\\ud800\"}",
                          "{/**/}",
                          "[{\"unknown\":true}]"}) {
    EXPECT_FALSE(content_of(odd)) << odd;
    EXPECT_FALSE(content_of(odd, 1)) << odd;
  }
  EXPECT_FALSE(content_of(std::string_view("{}\0", 3)));
}

TEST(WorkerAnswer, DepthIsBounded) {
  const auto nested = [](std::size_t depth) {
    return "{\"a\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
  };
  EXPECT_TRUE(content_of(nested(8)));
  EXPECT_FALSE(content_of(nested(9)));
  EXPECT_FALSE(content_of("{\"a\":" + std::string(1'000'000, '[')));
}

TEST(WorkerAnswer, LengthIsBounded) {
  WorkerAnswer answer(find_answer_list("streams"));
  const std::string blanks(channel::kMaxAnswerPiece, ' ');
  for (std::size_t i = 0; i < channel::kMaxAnswer / blanks.size(); ++i) {
    ASSERT_TRUE(answer.add(blanks, false));
  }
  EXPECT_FALSE(answer.add(" ", false));
  const auto text = [](std::size_t length) {
    return "{\"a\":\"" + std::string(length, 'x') + "\"}";
  };
  EXPECT_TRUE(content_of(text(4096)));
  EXPECT_FALSE(content_of(text(4097)));
  EXPECT_FALSE(content_of(text(4097), 1000));
}

TEST(WorkerAnswer, TextsAreBoundedTogether) {
  const std::string name(4096, 'x');
  const std::string stream =
      R"({"vhost":")" + name + R"(","app":")" + name + R"(","stream":")" + name + "\"}";
  std::string streams = stream;
  for (int i = 1; i < 1000; ++i) streams += "," + stream;
  const auto content = content_of(streams_answer(streams));
  ASSERT_TRUE(content && content->entries);
  EXPECT_EQ(content->entries->size(), kMaxEntriesText / (3 * name.size()));
  EXPECT_TRUE(content->truncated);
}

TEST(WorkerAnswer, StreamsAreBoundedInNumber) {
  std::string streams(R"({"vhost":"v","app":"a","stream":"s"})");
  const std::string more = "," + streams;
  for (std::size_t i = 1; i < kMaxEntries; ++i) streams += more;
  const auto most = content_of(streams_answer(streams));
  ASSERT_TRUE(most && most->entries);
  EXPECT_EQ(most->entries->size(), kMaxEntries);
  EXPECT_FALSE(most->truncated);
  const auto over = content_of(streams_answer(streams + more));
  ASSERT_TRUE(over && over->entries);
  EXPECT_EQ(over->entries->size(), kMaxEntries);
  EXPECT_TRUE(over->truncated);
}

TEST(WorkerAnswer, ReadsUpstreamsAndTheirTotals) {
  const auto content = content_of(
      R"({"clients":4,"upstreams":[{"vhost":"a.test","address":"192.0.2.1:1","why":"no","backup":true,)"
      R"("out":1,"failures_in_a_row":2,"served":3,"failed":5,"clients":4,"x":true},)"
      R"({"vhost":"a.test"}],"unserved":-1,"served":9})",
      SIZE_MAX, "upstreams");
  ASSERT_TRUE(content && content->entries && content->entries->size() == 1);
  const AnswerEntry& upstream = content->entries->front();
  EXPECT_EQ(upstream.texts, (std::vector<std::string>{"a.test", "192.0.2.1:1", "no"}));
  EXPECT_EQ(upstream.numbers, (std::vector<double>{4, 3, 5, 2}));
  EXPECT_EQ(upstream.flags, (std::vector<bool>{true, false}));
  EXPECT_EQ(content->totals, (std::vector<double>{4, 0}));
}

TEST(WorkerAnswer, EntriesWithoutATextNeedNoName) {
  const auto content = content_of(R"({"hooks":[{"asked":2,"vhost":"v"},3]})", SIZE_MAX, "hooks");
  ASSERT_TRUE(content && content->entries && content->entries->size() == 1);
  EXPECT_EQ(content->entries->front().numbers, (std::vector<double>{2, 0, 0, 0, 0, 0, 0, 0}));
}

TEST(WorkerAnswer, AListThatWasNotAskedForIsNone) {
  const std::string streams = streams_answer(kStream);
  for (const auto* question : {"hooks", "upstreams", "kick"}) {
    const auto content = content_of(streams, SIZE_MAX, question);
    ASSERT_TRUE(content) << question;
    EXPECT_FALSE(content->entries) << question;
  }
}

}  // namespace
}  // namespace mpb
