#include "mpctl/health.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace mpb::ctl {
namespace {

Health of(std::string_view status) {
  return health_of(boost::json::parse({status.data(), status.size()}).as_object());
}

void expect(std::string_view status, int exit_status, std::string_view line) {
  const Health health = of(status);
  EXPECT_EQ(health.exit_status, exit_status) << status;
  EXPECT_EQ(health.line, line);
}

TEST(MpctlHealth, IsWellWhenAllBaseWorkersAreOnline) {
  expect(R"({"state":"running","workers":[{"slot":0,"state":"online","base":true,"clients":3},
            {"slot":1,"state":"online","base":true,"clients":4,"last_exit":"killed by SIGKILL"}]})",
         0, "well: 2 workers online, 7 clients");
}

TEST(MpctlHealth, AnExtraWorkerMayComeAndGo) {
  for (const char* state : {"starting", "online", "draining"}) {
    const std::string status =
        R"({"state":"running","workers":[{"slot":0,"state":"online","base":true},
            {"slot":1,"base":false,"state":")" +
        std::string(state) + "\"}]}";
    EXPECT_EQ(of(status).exit_status, 0) << state;
  }
  expect(R"({"state":"running","workers":[{"slot":0,"state":"online","base":true},
            {"slot":1,"state":"backoff","base":false,"last_exit":"exit code 9"}]})",
         1, "wrong: worker 1 is backoff (exit code 9)");
}

TEST(MpctlHealth, SaysWhatIsWrong) {
  expect(R"({"state":"degraded","why":"worker 1 is parked: exit code 2","workers":[
            {"slot":0,"state":"online","base":true},
            {"slot":1,"state":"parked","base":true,"last_exit":"exit code 2"}]})",
         1,
         "wrong: the service is degraded; 1 of 2 base workers online; "
         "worker 1 is parked (exit code 2)");
  expect(R"({"state":"running","workers":[{"slot":0,"state":"online","base":true},
            {"slot":1,"state":"draining","base":true}]})",
         1, "wrong: 1 of 2 base workers online; worker 1 is draining");
  expect(R"({"state":"draining","workers":[{"slot":0,"state":"online","base":true}]})", 1,
         "wrong: the service is draining");
  expect(R"({"state":"down","why":"no worker that accepts is online","workers":[
            {"slot":1,"state":"online","base":true}]})",
         1, "wrong: the service is down (no worker that accepts is online)");
}

TEST(MpctlHealth, IsNeverWellWhenNobodyIsOnlineOrNothingIsKnown) {
  expect(R"({"state":"running","workers":[{"slot":0,"state":"starting","base":true}]})", 2,
         "down: nobody is online; 0 of 1 base workers online; worker 0 is starting");
  for (const char* odd :
       {"{}", R"({"state":"running"})", R"({"state":"running","workers":[]})",
        R"({"state":"running","workers":{"slot":0}})", R"({"state":"running","workers":[1,{}]})"}) {
    EXPECT_EQ(of(odd).exit_status, 2) << odd;
  }
  EXPECT_EQ(of(R"({"workers":[{"state":"online","base":true}]})").exit_status, 1) << "no state";
}

TEST(MpctlHealth, IsOneShortSafeLine) {
  std::string workers = R"({"slot":0,"state":"online","base":true})";
  for (int slot = 1; slot < 1000; ++slot) {
    workers += R"(,{"base":true,"state":"backoff","last_exit":"a\nb\u001b","slot":)" +
               std::to_string(slot) + "}";
  }
  const std::string line = of(R"({"state":"running","workers":[)" + workers + "]}").line;
  EXPECT_LT(line.size(), 300U);
  EXPECT_TRUE(line.ends_with("995 more workers are not well")) << line;
  for (const char c : line + no_answer("a\nb\x1b").line) EXPECT_GE(c, ' ');
}

}  // namespace
}  // namespace mpb::ctl
