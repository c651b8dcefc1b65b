// Workers that ask for changes of the shared tables in bad faith, within the protocol.
#include <gtest/gtest.h>

#include "tests/hostile/siege.hpp"

namespace mpb::test {
namespace {

boost::json::object ask(Siege& siege, const boost::json::object& request) {
  return siege.broker().request(request);
}

TEST(HostileTables, WhatNoTableTakesIsRefusedAndNothingElse) {
  Siege siege({.attacks = "1=operations-of-nonsense"});
  siege.begin();
  EXPECT_TRUE(siege.await_done());
  const auto operations = [&](const char* which) {
    const auto status = ask(siege, {{"command", "status"}});
    return status.at("broker").at("tables").at(which).to_number<int>();
  };
  EXPECT_TRUE(eventually([&] { return operations("refused") == 13; }));
  EXPECT_EQ(operations("entries"), 0);
  EXPECT_EQ(siege.broker().worker_pid(1), siege.rogue());
  siege.expect_unharmed();
}

TEST(HostileTables, FullTablesStayWithinTheirBoundAndDenyHasItsOwn) {
  Siege siege({.attacks = "1=fill-tables"});
  siege.begin();
  EXPECT_TRUE(siege.await_done());
  const auto status = ask(siege, {{"command", "status"}});
  EXPECT_LE(status.at("broker").at("tables").at("size_bytes").to_number<int>(), 32 << 20)
      << "by the count that the bound has";
  EXPECT_GT(status.at("broker").at("tables").at("size_bytes").to_number<int>(), 31 << 20);
  EXPECT_LE(status.at("broker").at("tables").at("count").to_number<int>(), 64);
  EXPECT_FALSE(
      ask(siege, {{"command", "table"}, {"name", "mine"}, {"put", "a"}}).at("ok").as_bool());
  EXPECT_TRUE(ask(siege, {{"command", "table"}, {"name", "deny"}, {"put", "192.0.2.0/24"}})
                  .at("ok")
                  .as_bool());
  siege.expect_unharmed();
}

}  // namespace
}  // namespace mpb::test
