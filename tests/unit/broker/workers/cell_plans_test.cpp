#include "broker/workers/cell_plans.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

namespace mpb {
namespace {

KeySettings key(const std::string& pattern, std::uint64_t nofile,
                const std::string& protocol = {}) {
  KeySettings settings{pattern, protocol, {}};
  settings.cell.nofile = nofile;
  return settings;
}

VhostSettings vhost(const std::string& name, std::uint64_t nofile) {
  VhostSettings settings;
  settings.name = name;
  settings.cell.nofile = nofile;
  return settings;
}

class CellPlansTest : public testing::Test {
 protected:
  /// 0: nothing is set.
  std::uint64_t found(std::string_view protocol, std::string_view key) const {
    const CellSettings* cell = plans.find(protocol, key);
    return cell != nullptr ? cell->nofile : 0;
  }
  VhostSet vhosts;
  CellPlans plans{vhosts};
};

TEST(KeyPattern, HasOneStarForWhateverIsThere) {
  EXPECT_TRUE(matches("room-*", "room-"));
  EXPECT_TRUE(matches("room-*", "room-7"));
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("*.test", "a.test"));
  EXPECT_TRUE(matches("a*a", "aa"));
  EXPECT_FALSE(matches("a*a", "a"));
  EXPECT_FALSE(matches("room-*", "roo"));
  EXPECT_FALSE(matches("7", "77"));
}

TEST_F(CellPlansTest, AKeysOwnSectionCountsElseTheLongestPattern) {
  plans.replace({key("*", 1), key("room-*", 2), key("room-7", 3), key("*-7", 4)});
  EXPECT_EQ(found("control", "room-7"), 3U);
  EXPECT_EQ(found("control", "room-8"), 2U);
  EXPECT_EQ(found("control", "hall-7"), 4U);
  EXPECT_EQ(found("control", "x"), 1U);
  EXPECT_EQ(found("rtmp", "x"), 0U) << "of rtmp vhosts say it";
}

TEST_F(CellPlansTest, ASectionMayBeOfOneProtocol) {
  plans.replace({key("7", 1, "control"), key("*", 2, "chat")});
  EXPECT_EQ(found("control", "7"), 1U);
  EXPECT_EQ(found("chat", "7"), 2U);
  EXPECT_EQ(found("control", "8"), 0U);
}

TEST_F(CellPlansTest, OfRtmpTheVhostCountsWhateverTheKeyIs) {
  vhosts.replace(
      {vhost("a.test", 1), vhost("*.b.test", 2), vhost("*.x.b.test", 3), vhost("c.test", 0)});
  EXPECT_EQ(found("rtmp", "a.test"), 1U);
  EXPECT_EQ(found("rtmp", "a.test/live"), 1U);
  EXPECT_EQ(found("rtmp", "a.test/live/s"), 1U);
  EXPECT_EQ(found("rtmp", "1.b.test/live"), 2U);
  EXPECT_EQ(found("rtmp", "1.x.b.test"), 3U);
  EXPECT_EQ(found("rtmp", "b.test"), 0U);
  EXPECT_EQ(found("rtmp", "c.test"), 0U) << "it says nothing";
  EXPECT_EQ(found("control", "a.test"), 0U);
}

TEST_F(CellPlansTest, MemoryIsLimitedByTheGroupElseByTheKernelsOwnLimit) {
  CellSettings cell;
  cell.memory_max = 1 << 20;
  EXPECT_TRUE(plans.run(cell, true).limits.empty());
  const CellRun run = plans.run(cell, false);
  ASSERT_EQ(run.limits.size(), 1U);
  EXPECT_EQ(run.limits[0].resource, RLIMIT_DATA);
  EXPECT_EQ(run.limits[0].most, std::uint64_t{1} << 20);
  EXPECT_FALSE(run.run_as);
}

TEST_F(CellPlansTest, AccountsMustBeThereAndBeHad) {
  CellSettings cell;
  cell.user = "nobody-has-this-name";
  const Status missing = plans.admit(cell);
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().text.find("no such user"), std::string::npos);
  cell.user = std::to_string(::geteuid());
  ASSERT_TRUE(plans.admit(cell));
  EXPECT_EQ(plans.run(cell, false).run_as.value().user, ::geteuid());
}

TEST_F(CellPlansTest, AVhostIsNotChangedToOneThatCannotBeHad) {
  vhosts.admit_cells_by([this](const CellSettings& cell) { return plans.admit(cell); });
  Settings settings;
  ListenerSettings& listener = settings.listeners.emplace_back();
  listener.protocol = "rtmp";
  listener.isolate = Isolation::kKey;
  const std::string wrong = "user=nobody-has-this-name";
  EXPECT_FALSE(vhosts.change("a.test", std::vector{wrong}, {}, settings));
  EXPECT_TRUE(vhosts.empty());
  const std::string good = "user=" + std::to_string(::geteuid());
  const auto changed = vhosts.change("a.test", std::vector{good}, {}, settings);
  ASSERT_TRUE(changed) << changed.error().text;
  EXPECT_NE(plans.find("rtmp", "a.test"), nullptr);
}

}  // namespace
}  // namespace mpb
