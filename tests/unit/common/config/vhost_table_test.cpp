#include "common/config/vhost_table.hpp"

#include <gtest/gtest.h>

#include <initializer_list>

namespace mpb {
namespace {

VhostSettings vhost(std::string_view name, std::uint32_t max_players = 0) {
  VhostSettings settings;
  settings.name = name;
  settings.max_players = max_players;
  return settings;
}

TEST(VhostTable, WithoutVhostsEveryNameIsServedWithTheDefaults) {
  const VhostTable table;
  EXPECT_EQ(table.size(), 0U);
  for (const char* name : {"a.test", "b", "__defaultVhost__"}) {
    EXPECT_EQ(table.resolve(name), name);
    ASSERT_NE(table.find(name), nullptr);
    EXPECT_EQ(*table.find(name), VhostSettings());
  }
}

TEST(VhostTable, OthersAreRefusedOnceThereAreSome) {
  VhostTable table;
  table.replace({vhost("a.test", 1), vhost("b.test", 2)});
  EXPECT_EQ(table.size(), 2U);
  EXPECT_EQ(table.resolve("a.test"), "a.test");
  EXPECT_EQ(table.find("b.test")->max_players, 2U);
  for (const char* name : {"c.test", "x.a.test", "test", "a.tes", "", "__defaultVhost__"}) {
    EXPECT_EQ(table.resolve(name), "") << name;
  }
}

TEST(VhostTable, OthersGoToTheDefaultVhostIfItIsThere) {
  VhostTable table;
  table.replace({vhost("a.test", 1), vhost(kDefaultVhost, 9)});
  EXPECT_EQ(table.resolve("a.test"), "a.test");
  EXPECT_EQ(table.resolve("c.test"), kDefaultVhost);
  EXPECT_EQ(table.resolve(kDefaultVhost), kDefaultVhost);
  EXPECT_EQ(table.find(table.resolve("c.test"))->max_players, 9U);
}

TEST(VhostTable, TheLongestWildcardThatMatchesCounts) {
  VhostTable table;
  table.replace({vhost("*.example.com", 1), vhost("*.eu.example.com", 2),
                 vhost("own.eu.example.com", 3), vhost("*.com", 4)});
  EXPECT_EQ(table.find("a.example.com")->max_players, 1U);
  EXPECT_EQ(table.find("a.b.example.com")->max_players, 1U);
  EXPECT_EQ(table.find("a.eu.example.com")->max_players, 2U);
  EXPECT_EQ(table.find("own.eu.example.com")->max_players, 3U);
  EXPECT_EQ(table.find("eu.example.com")->max_players, 1U);
  EXPECT_EQ(table.find("other.com")->max_players, 4U);
  EXPECT_EQ(table.resolve("a.b.example.com"), "a.b.example.com") << "a vhost of its own";
  EXPECT_EQ(table.resolve("com"), "");
  EXPECT_EQ(table.resolve("a.org"), "");
  EXPECT_EQ(table.resolve(".com"), "") << "nothing stands for the asterisk";
}

TEST(VhostTable, ReplacingKeepsTheObjectsOfEqualSettings) {
  VhostTable table;
  table.replace({vhost("a.test", 1), vhost("b.test", 1), vhost("*.c.test", 1)});
  const auto version = table.version();
  const auto a = table.find("a.test");
  const auto b = table.find("b.test");
  const auto c = table.find("x.c.test");
  table.replace({vhost("a.test", 1), vhost("b.test", 2), vhost("*.c.test", 1)});
  EXPECT_GT(table.version(), version);
  EXPECT_EQ(table.find("a.test"), a);
  EXPECT_EQ(table.find("x.c.test"), c);
  EXPECT_NE(table.find("b.test"), b);
  EXPECT_EQ(table.find("b.test")->max_players, 2U);
  EXPECT_EQ(b->max_players, 1U) << "who holds the old settings still has them";
}

TEST(VhostTable, AChangeLeavesTheOthersAsTheyAre) {
  VhostTable table;
  table.replace({vhost("a.test", 1), vhost("b.test", 1), vhost("*.c.test", 1)});
  const auto version = table.version();
  const auto a = table.find("a.test");
  const auto c = table.find("x.c.test");
  table.change({vhost("b.test", 2), vhost("d.test", 4)}, {});
  EXPECT_GT(table.version(), version);
  EXPECT_EQ(table.size(), 4U);
  EXPECT_EQ(table.find("a.test"), a);
  EXPECT_EQ(table.find("x.c.test"), c);
  EXPECT_EQ(table.find("b.test")->max_players, 2U);
  EXPECT_EQ(table.resolve("d.test"), "d.test");
  table.change({vhost("a.test", 1)}, {});
  EXPECT_EQ(table.find("a.test"), a) << "equal settings stay the same object";
}

TEST(VhostTable, AChangeOfWildcardsAndOfTheDefaultHoldsForTheNamesTheyServe) {
  VhostTable table;
  table.replace({vhost("a.test", 1), vhost("*.c.test", 1)});
  table.change({vhost("*.c.test", 2), vhost("*.eu.c.test", 3)}, {});
  EXPECT_EQ(table.find("x.c.test")->max_players, 2U);
  EXPECT_EQ(table.find("x.eu.c.test")->max_players, 3U);
  const std::vector<std::string> inner{"*.eu.c.test"};
  table.change({}, inner);
  EXPECT_EQ(table.find("x.eu.c.test")->max_players, 2U);
  EXPECT_EQ(table.resolve("other"), "");
  table.change({vhost(kDefaultVhost, 9)}, {});
  EXPECT_EQ(table.resolve("other"), kDefaultVhost);
  const std::vector<std::string> all{"a.test", "*.c.test", std::string(kDefaultVhost), "unknown"};
  table.change({}, all);
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(table.resolve("other"), "other") << "without any, every name is served";
}

TEST(VhostTable, ReplacingTakesAwayWhatIsNotThereAnyMore) {
  VhostTable table;
  table.replace({vhost("a.test", 1), vhost("*.b.test", 1)});
  const auto a = table.find("a.test");
  table.replace({});
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(*table.find("a.test"), VhostSettings());
  EXPECT_EQ(a->max_players, 1U);
  EXPECT_EQ(table.resolve("anything"), "anything");
}

}  // namespace
}  // namespace mpb
