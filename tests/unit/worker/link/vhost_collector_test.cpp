#include "worker/link/vhost_collector.hpp"

#include <gtest/gtest.h>

#include "common/config/vhost_text.hpp"

namespace mpb {
namespace {

constexpr std::uint16_t kFirst = channel::Vhosts::kFirst;
constexpr std::uint16_t kLast = channel::Vhosts::kLast;
constexpr std::uint16_t kOnly = kFirst | kLast;

std::string names(const std::vector<VhostSettings>& vhosts) {
  std::string text;
  for (const VhostSettings& vhost : vhosts) text += vhost.name + " ";
  return text;
}

/// The names of the set that the part completes; "-": it completes none.
std::string add(VhostCollector& collector, std::uint16_t flags, std::string_view text) {
  const auto added = collector.add({flags, text});
  EXPECT_TRUE(added) << added.error().text;
  if (!added || !*added) return "-";
  EXPECT_TRUE((*added)->whole);
  return names((*added)->vhosts);
}

TEST(VhostCollector, OnePartIsASet) {
  VhostCollector collector;
  EXPECT_EQ(add(collector, kOnly, "[vhost a]\n[vhost b]\n"), "a b ");
  EXPECT_EQ(add(collector, kOnly, ""), "");
}

TEST(VhostCollector, PartsArePutTogether) {
  VhostCollector collector;
  EXPECT_EQ(add(collector, kFirst, "[vhost a]\n"), "-");
  EXPECT_EQ(add(collector, 0, "[vhost b]\n"), "-");
  EXPECT_EQ(add(collector, kLast, "[vhost c]\n"), "a b c ");
}

TEST(VhostCollector, AFirstPartBeginsAnew) {
  VhostCollector collector;
  EXPECT_EQ(add(collector, kFirst, "[vhost a]\n"), "-");
  EXPECT_EQ(add(collector, kFirst, "[vhost b]\n"), "-");
  EXPECT_EQ(add(collector, kLast, "[vhost c]\n"), "b c ");
}

TEST(VhostCollector, PartsWithoutAFirstAreSkipped) {
  VhostCollector collector;
  EXPECT_EQ(add(collector, 0, "[vhost a]\n"), "-");
  EXPECT_EQ(add(collector, kLast, "[vhost b]\n"), "-");
  EXPECT_EQ(add(collector, kOnly, "[vhost c]\n"), "c ");
}

TEST(VhostCollector, ASetThatCannotBeReadIsAnErrorThatSaysWhy) {
  VhostCollector collector;
  const auto added = collector.add({kOnly, "[vhost a]\nlatency = slow\n"});
  ASSERT_FALSE(added);
  EXPECT_TRUE(added.error().text.starts_with("vhosts:2: [vhost a] latency = slow: expected"));
  EXPECT_EQ(add(collector, kOnly, "[vhost a]\n"), "a ");
}

TEST(VhostCollector, AChangeSaysWhatIsNewAndWhatIsGone) {
  constexpr std::uint16_t kChange = channel::Vhosts::kChange;
  constexpr std::uint16_t kRemoved = channel::Vhosts::kRemoved;
  VhostCollector collector;
  auto added = collector.add({kOnly | kChange, "[vhost a]\n"});
  ASSERT_TRUE(added && *added);
  EXPECT_FALSE((*added)->whole);
  EXPECT_EQ(names((*added)->vhosts), "a ");
  EXPECT_TRUE((*added)->removed.empty());

  added = collector.add({kFirst | kChange | kRemoved, "b\nc\n"});
  ASSERT_TRUE(added);
  EXPECT_FALSE(*added) << "all of it, or nothing";
  ASSERT_TRUE(collector.add({kChange | kRemoved, "d\n"}));
  added = collector.add({kLast | kChange, "[vhost e]\n"});
  ASSERT_TRUE(added && *added);
  EXPECT_EQ(names((*added)->vhosts), "e ");
  EXPECT_EQ((*added)->removed, (std::vector<std::string>{"b", "c", "d"}));
  EXPECT_EQ(add(collector, kOnly, "[vhost f]\n"), "f ") << "a whole set again";
}

TEST(VhostCollector, KeepsNoMoreThanItsBound) {
  VhostCollector collector;
  const std::string part(channel::kMaxPayload, '\n');
  auto added = collector.add({kFirst, part});
  std::size_t kept = 0;
  for (; added; added = collector.add({0, part})) {
    kept += part.size();
    ASSERT_LE(kept, kMaxVhostsText);
  }
  EXPECT_EQ(added.error().kind, ErrorKind::kLimit);
  EXPECT_EQ(added.error().text, "vhosts of more than 33554432 bytes");
  EXPECT_GT(kept + part.size(), kMaxVhostsText);
  EXPECT_EQ(add(collector, 0, part), "-") << "the rest of that set is skipped";
  EXPECT_EQ(add(collector, kLast, "[vhost a]\n"), "-");
  EXPECT_EQ(add(collector, kOnly, "[vhost a]\n"), "a ");
}

}  // namespace
}  // namespace mpb
