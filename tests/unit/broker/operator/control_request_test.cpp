#include "broker/operator/control_request.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace mpb {
namespace {

Result<ControlRequest> read(std::string_view text) {
  return read_control_request(boost::json::parse(text).as_object());
}

template <class Request>
Request read_as(std::string_view text) {
  const auto request = read(text);
  if (!request || !std::holds_alternative<Request>(*request)) {
    ADD_FAILURE() << text << ": " << (request ? "another request" : request.error().text);
    return {};
  }
  return std::get<Request>(*request);
}

std::string error_of(std::string_view text) {
  const auto request = read(text);
  return request ? "" : request.error().text;
}

TEST(ControlRequest, WithoutMembers) {
  read_as<StatusRequest>(R"({"command":"status"})");
  read_as<ReloadRequest>(R"({"command":"reload"})");
  read_as<StopRequest>(R"({"command":"stop"})");
  for (const std::string name : {"streams", "upstreams", "hooks"}) {
    EXPECT_EQ(read_as<QuestionRequest>(R"({"command":")" + name + R"("})").question, name);
  }
}

TEST(ControlRequest, WithMembers) {
  const auto kick = read_as<QuestionRequest>(R"({"command":"kick","stream":"a.test/live/s"})");
  EXPECT_EQ(kick.question, "kick");
  EXPECT_EQ(kick.argument, "a.test/live/s");
  EXPECT_EQ(read_as<DrainRequest>(R"({"command":"drain","slot":999})").slot, 999);
  EXPECT_EQ(read_as<WorkersRequest>(R"({"command":"workers","count":1})").count, 1);
  const auto route =
      read_as<PinRequest>(R"({"command":"route","key":"k","slots":[1,0],"listener":"l"})");
  EXPECT_EQ(route.pin, (Pin{"k", {1, 0}}));
  EXPECT_EQ(route.listener, "l");
  const auto vhost =
      read_as<VhostRequest>(R"({"command":"vhost","name":"a","set":["b=c"],"unset":["d"]})");
  EXPECT_EQ(vhost.name, "a");
  EXPECT_FALSE(vhost.remove);
  EXPECT_EQ(vhost.set, std::vector<std::string>{"b=c"});
  EXPECT_EQ(vhost.unset, std::vector<std::string>{"d"});
}

TEST(ControlRequest, Letters) {
  const auto send =
      read_as<SendRequest>(R"({"command":"send","slot":3,"generation":2,"topic":"t","text":"x"})");
  EXPECT_EQ(send.to, To::Kind::kWorker);
  EXPECT_EQ(send.slot, 3);
  EXPECT_EQ(send.generation, 2U);
  EXPECT_EQ(send.topic, "t");
  EXPECT_EQ(send.text, "x");
  EXPECT_FALSE(send.timeout);
  EXPECT_EQ(read_as<SendRequest>(R"({"command":"send","slot":3,"topic":"t"})").to, To::Kind::kSlot);
  EXPECT_EQ(read_as<SendRequest>(R"({"command":"send","all":true,"topic":"t"})").to,
            To::Kind::kAll);
  const auto key =
      read_as<SendRequest>(R"({"command":"send","key":"k","listener":"l","topic":"t"})");
  EXPECT_EQ(key.to, To::Kind::kOwner);
  EXPECT_EQ(key.name, "k");
  EXPECT_EQ(key.listener, "l");
  EXPECT_EQ(read_as<SendRequest>(R"({"command":"send","group":"g","topic":"t"})").to,
            To::Kind::kGroup);
  EXPECT_EQ(read_as<SendRequest>(R"({"command":"ask","all":true,"topic":"t"})").timeout,
            Duration{1'000});
  EXPECT_EQ(
      read_as<SendRequest>(R"({"command":"ask","all":true,"topic":"t","timeout_ms":5})").timeout,
      Duration{5});
  EXPECT_NE(error_of(R"({"command":"send","topic":"t"})"), "");
  EXPECT_NE(error_of(R"({"command":"send","all":true})"), "");
  EXPECT_NE(error_of(R"({"command":"send","all":"yes","topic":"t"})"), "");
  EXPECT_NE(error_of(R"({"command":"ask","all":true,"topic":"t","timeout_ms":60001})"), "");
  EXPECT_NE(error_of(R"({"command":"send","all":true,"topic":")" + std::string(65, 't') + R"("})"),
            "");
}

TEST(ControlRequest, OfTables) {
  using Action = TableRequest::Action;
  read_as<TableListRequest>(R"({"command":"table"})");
  const auto show = read_as<TableRequest>(R"({"command":"table","name":"deny"})");
  EXPECT_EQ(show.table, "deny");
  EXPECT_EQ(show.action, Action::kShow);
  const auto get = read_as<TableRequest>(R"({"command":"table","name":"t","get":""})");
  EXPECT_EQ(get.action, Action::kGet) << "an empty key is not one that is not there";
  const auto put = read_as<TableRequest>(
      R"({"command":"table","name":"t","put":"k","value":"v","ttl_ms":4294967295})");
  EXPECT_EQ(put.action, Action::kPut);
  EXPECT_EQ(put.key, "k");
  EXPECT_EQ(put.value, "v");
  EXPECT_EQ(put.ttl_ms, 4294967295U);
  EXPECT_EQ(read_as<TableRequest>(R"({"command":"table","name":"t","erase":"k"})").action,
            Action::kErase);
  EXPECT_EQ(error_of(R"({"command":"table","name":7})"), "'name' must be a text");
  EXPECT_EQ(error_of(R"({"command":"table","name":"t","put":7})"), "'put' must be a text");
  for (const char* ttl : {"0", "-1", "1.5", "4294967296", "null"}) {
    EXPECT_EQ(
        error_of(std::string(R"({"command":"table","name":"t","put":"k","ttl_ms":)") + ttl + "}"),
        "'ttl_ms' must be a whole number from 1 to 4294967295");
  }
}

TEST(ControlRequest, WhatIsToBeRemovedNeedsNoMore) {
  const auto route = read_as<PinRequest>(R"({"command":"route","key":"k","remove":true})");
  EXPECT_EQ(route.pin, (Pin{"k", {}}));
  const auto vhost = read_as<VhostRequest>(R"({"command":"vhost","name":"a","remove":true})");
  EXPECT_TRUE(vhost.remove);
}

TEST(ControlRequest, AMemberOfTheWrongTypeIsNotTakenForOneThatIsNotThere) {
  EXPECT_EQ(error_of(R"({"command":"route","key":7,"slots":[1]})"), "'key' must be a text");
  EXPECT_EQ(error_of(R"({"command":"route","key":"k","slots":[1],"listener":[]})"),
            "'listener' must be a text");
  EXPECT_EQ(error_of(R"({"command":"route","key":"k","slots":1})"),
            "'slots' must be a list of slots");
  EXPECT_EQ(error_of(R"({"command":"route","key":"k","remove":"yes"})"),
            "'remove' must be true or false");
  EXPECT_EQ(error_of(R"({"command":"vhost","name":"a","set":"b=c"})"),
            "'set' must be a list of KEY=VALUE texts");
  EXPECT_EQ(error_of(R"({"command":"vhost","name":"a","unset":[1]})"),
            "'unset' must be a list of keys");
  EXPECT_EQ(error_of(R"({"command":"kick","stream":null})"), "'stream' must be a text");
}

TEST(ControlRequest, NumbersAreWholeAndWithinTheirBounds) {
  for (const char* slot : {"-1", "4000", "1.0", "\"1\"", "null", "18446744073709551615"}) {
    SCOPED_TRACE(slot);
    const std::string value(slot);
    EXPECT_EQ(error_of(R"({"command":"drain","slot":)" + value + "}"),
              "'slot' must be a whole number from 0 to 3999");
    EXPECT_EQ(error_of(R"({"command":"route","key":"k","slots":[0,)" + value + "]}"),
              "a slot must be a number from 0 to 3999");
  }
  EXPECT_EQ(error_of(R"({"command":"drain"})"), "'slot' must be a whole number from 0 to 3999");
  EXPECT_EQ(error_of(R"({"command":"workers","count":0})"),
            "'count' must be a whole number from 1 to 4000");
}

TEST(ControlRequest, ThatAskForNothing) {
  EXPECT_EQ(error_of(R"({"command":"route","key":"k"})"), "'slots' must name at least one slot");
  EXPECT_EQ(error_of(R"({"command":"route","slots":[1]})"),
            "'key' must be a text of 1 to 1024 bytes");
  EXPECT_EQ(error_of(R"({"command":"vhost","name":"a"})"),
            "'set' must have at least one KEY=VALUE text, or 'unset' a key");
  EXPECT_NE(error_of(R"({"command":"kick","stream":"a/b"})").find("VHOST/APP/STREAM"),
            std::string::npos);
  EXPECT_NE(error_of(R"({"command":"dance"})").find("unknown command 'dance'"), std::string::npos);
}

}  // namespace
}  // namespace mpb
