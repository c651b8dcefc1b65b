// The operator asks, and a hostile worker answers: the operator gets the others' answers, and the
// broker goes on.
#include <gtest/gtest.h>

#include <boost/json/array.hpp>

#include "tests/hostile/siege.hpp"

namespace mpb::test {
namespace {

namespace json = boost::json;

const std::vector<std::string> kPatient = {"--ping-interval",  "4s", "--ping-limit", "60s",
                                           "--answer-timeout", "60s"};
const std::vector<std::string> kImpatient = {"--ping-interval",  "4s", "--ping-limit", "60s",
                                             "--answer-timeout", "3s"};

json::object streams(Siege& siege) {
  return siege.broker().request({{"command", "streams"}});
}

bool lacks_the_hostile_one(const json::object& report) {
  const json::value* missing = report.if_contains("missing");
  return report.at("ok").as_bool() && missing != nullptr && *missing == json::value({1});
}

/// It may answer as it likes, and is missing in each report.
void expect_left_out(const char* attack) {
  Siege siege({.attacks = std::string("1=") + attack, .arguments = kImpatient});
  siege.begin();
  EXPECT_TRUE(siege.await_done());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(lacks_the_hostile_one(streams(siege)));
  siege.expect_served(70, 0);
  EXPECT_EQ(siege.broker().worker_pid(1), siege.rogue());
  siege.expect_unharmed();
}

void expect_ejected(const char* attack, const std::string& expected) {
  Siege siege({.attacks = std::string("1=") + attack, .arguments = kPatient});
  siege.begin();
  EXPECT_TRUE(siege.await_done());
  EXPECT_TRUE(streams(siege).at("ok").as_bool());
  const std::string why = siege.await_ejection();
  EXPECT_NE(why.find(expected), std::string::npos) << why;
  EXPECT_TRUE(siege.await_replacement());
  const json::object report = streams(siege);
  EXPECT_FALSE(report.contains("missing")) << "its successor answers";
  siege.expect_served(9, 1);
  siege.expect_unharmed();
}

/// What it says is told as far as it goes.
void expect_truncated(const char* attack) {
  Siege siege({.attacks = std::string("1=") + attack, .arguments = kPatient});
  siege.begin();
  EXPECT_TRUE(siege.await_done());
  for (int i = 0; i < 3; ++i) {
    const json::object report = streams(siege);
    EXPECT_TRUE(report.contains("truncated"));
    EXPECT_LE(report.at("streams").as_array().size(), 20'000U);
    EXPECT_GT(report.at("streams").as_array().size(), 100U);
  }
  EXPECT_EQ(siege.broker().worker_pid(1), siege.rogue());
  siege.expect_unharmed();
}

TEST(HostileAnswer, NeverComing) {
  Siege siege({.attacks = "1=answer-never"});
  siege.begin();
  EXPECT_TRUE(siege.await_done());
  EXPECT_TRUE(lacks_the_hostile_one(streams(siege)));
  const json::object kick =
      siege.broker().request({{"command", "kick"}, {"stream", "a.test/live/s"}});
  EXPECT_FALSE(kick.at("ok").as_bool());
  EXPECT_EQ(kick.at("error").as_string(),
            "no such stream 'a.test/live/s' (no answer from worker 1)");
  siege.expect_unharmed();
}

TEST(HostileAnswer, ComingTooLateIsNoViolation) {
  expect_left_out("answer-late");
}

TEST(HostileAnswer, WithABrokenColumn) {
  expect_left_out("answer-broken");
}

TEST(HostileAnswer, WithATextBeyondAllBounds) {
  expect_left_out("answer-huge-text");
}

TEST(HostileAnswer, WithAbsurdNumbers) {
  expect_left_out("answer-absurd-number");
}

TEST(HostileAnswer, WithoutEnd) {
  expect_left_out("answer-endlessly");
}

TEST(HostileAnswer, WithACutRecord) {
  expect_ejected("answer-cut-record", "broken record");
}

TEST(HostileAnswer, OfVeryManyStreamsWithoutNames) {
  Siege siege({.attacks = "1=answer-without-names", .arguments = kPatient});
  siege.begin();
  EXPECT_TRUE(siege.await_done());
  for (int i = 0; i < 3; ++i) {
    const json::object report = streams(siege);
    EXPECT_TRUE(report.at("streams").as_array().empty());
    EXPECT_FALSE(report.contains("missing"));
  }
  siege.expect_unharmed();
}

TEST(HostileAnswer, OfVeryManyStreams) {
  expect_truncated("answer-smallest-streams");
}

TEST(HostileAnswer, OfVeryLongNames) {
  expect_truncated("answer-longest-names");
}

TEST(HostileAnswer, GivenTwice) {
  expect_ejected("answer-twice", "nobody asked");
}

TEST(HostileAnswer, InTinyPieces) {
  expect_ejected("answer-in-tiny-pieces", "flood");
}

}  // namespace
}  // namespace mpb::test
