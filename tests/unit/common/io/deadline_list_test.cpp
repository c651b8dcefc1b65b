#include "common/io/deadline_list.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace mpb {
namespace {

struct Item : Deadline {
  explicit Item(int number) : id(number) {}
  int id;
};

const TimePoint kStart{std::chrono::hours(1)};
TimePoint at(int ms) {
  return kStart + Duration(ms);
}

std::vector<int> expired(DeadlineList<Item>& list, TimePoint now) {
  std::vector<int> ids;
  list.expire(now, [&](Item& item) { ids.push_back(item.id); });
  return ids;
}

TEST(DeadlineList, ExpiresInOrderAndNotBeforeTheTime) {
  DeadlineList<Item> list(Duration{100});
  Item a(1);
  Item b(2);
  list.restart(a, at(0));
  list.restart(b, at(10));
  EXPECT_EQ(list.next(), at(100));
  EXPECT_EQ(expired(list, at(99)), std::vector<int>{});
  EXPECT_EQ(expired(list, at(100)), std::vector<int>{1});
  EXPECT_EQ(list.next(), at(110));
  EXPECT_EQ(expired(list, at(1000)), std::vector<int>{2});
  EXPECT_EQ(list.next(), std::nullopt);
}

TEST(DeadlineList, RestartMovesToTheBack) {
  DeadlineList<Item> list(Duration{100});
  Item a(1);
  Item b(2);
  list.restart(a, at(0));
  list.restart(b, at(10));
  list.restart(a, at(20));
  EXPECT_EQ(a.when(), at(120));
  EXPECT_EQ(expired(list, at(200)), (std::vector<int>{2, 1}));
}

TEST(DeadlineList, StoppedItemsDoNotExpire) {
  DeadlineList<Item> list(Duration{100});
  Item a(1);
  list.restart(a, at(0));
  DeadlineList<Item>::stop(a);
  DeadlineList<Item>::stop(a);
  EXPECT_EQ(list.next(), std::nullopt);
  EXPECT_EQ(expired(list, at(1000)), std::vector<int>{});
}

TEST(DeadlineList, ADestroyedItemLeavesTheList) {
  DeadlineList<Item> list(Duration{100});
  Item kept(1);
  {
    Item gone(2);
    list.restart(gone, at(0));
    list.restart(kept, at(1));
  }
  EXPECT_EQ(expired(list, at(1000)), std::vector<int>{1});
}

TEST(DeadlineList, NothingExpiresWithAZeroWait) {
  DeadlineList<Item> list(Duration{0});
  Item a(1);
  list.restart(a, at(0));
  EXPECT_EQ(list.next(), std::nullopt);
}

TEST(DeadlineList, AZeroWaitTakesARestartedItemOff) {
  DeadlineList<Item> list(Duration{100});
  Item a(1);
  list.restart(a, at(0));
  list.set_wait(Duration{0});
  list.restart(a, at(10));
  EXPECT_EQ(expired(list, at(1000)), std::vector<int>{});
}

TEST(DeadlineList, AnExpiredItemMayRestartItselfAndStopOthers) {
  DeadlineList<Item> list(Duration{100});
  Item a(1);
  Item b(2);
  list.restart(a, at(0));
  list.restart(b, at(0));
  std::vector<int> ids;
  list.expire(at(100), [&](Item& item) {
    ids.push_back(item.id);
    DeadlineList<Item>::stop(b);
    list.restart(item, at(100));
  });
  EXPECT_EQ(ids, std::vector<int>{1});
  EXPECT_EQ(list.next(), at(200));
}

TEST(DeadlineList, AnItemMovesBetweenLists) {
  DeadlineList<Item> header(Duration{10});
  DeadlineList<Item> idle(Duration{100});
  Item a(1);
  header.restart(a, at(0));
  idle.restart(a, at(0));
  EXPECT_EQ(header.next(), std::nullopt);
  EXPECT_EQ(idle.next(), at(100));
}

}  // namespace
}  // namespace mpb
