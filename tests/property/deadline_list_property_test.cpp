// DeadlineList against a model that looks at every item.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "common/io/deadline_list.hpp"
#include "tests/support/seeded.hpp"

namespace mpb {
namespace {

struct Item : Deadline {
  explicit Item(std::size_t number) : id(number) {}
  std::size_t id;
};

/// id to deadline
using Model = std::map<std::size_t, TimePoint>;
using Due = std::vector<std::pair<TimePoint, std::size_t>>;

Due expire(Model& model, TimePoint now) {
  Due due;
  for (const auto& [id, when] : model) {
    if (when <= now) due.emplace_back(when, id);
  }
  std::sort(due.begin(), due.end());
  for (const auto& [when, id] : due) model.erase(id);
  return due;
}

std::optional<TimePoint> next(const Model& model) {
  std::optional<TimePoint> soonest;
  for (const auto& [id, when] : model) {
    soonest = soonest ? std::min(*soonest, when) : when;
  }
  return soonest;
}

class DeadlineListProperty : public test::SeededTest {};

TEST_F(DeadlineListProperty, AgreesWithTheModel) {
  for (int round = 0; round < 50; ++round) {
    const Duration wait{number(1, 50)};
    DeadlineList<Item> list(wait);
    Model model;
    std::vector<std::unique_ptr<Item>> items;
    for (std::size_t id = 0; id < 20; ++id) items.push_back(std::make_unique<Item>(id));
    TimePoint now{std::chrono::hours(1)};
    for (int step = 0; step < 1000; ++step) {
      now += Duration{number(0, 3)};
      auto& item = items[number(std::size_t{0}, items.size() - 1)];
      switch (number(0, 5)) {
        case 0:
          DeadlineList<Item>::stop(*item);
          model.erase(item->id);
          break;
        case 1: {
          const std::size_t id = item->id;
          item = std::make_unique<Item>(id);
          model.erase(id);
          break;
        }
        case 2: {
          Due due;
          list.expire(now, [&](Item& expired) { due.emplace_back(expired.when(), expired.id); });
          const auto sooner = [](const auto& a, const auto& b) { return a.first < b.first; };
          ASSERT_TRUE(std::is_sorted(due.begin(), due.end(), sooner));
          std::sort(due.begin(), due.end());
          ASSERT_EQ(due, expire(model, now));
          break;
        }
        case 3: {  // it has waited for a while already
          const TimePoint began = now - Duration{number(0, 60)};
          list.restart(*item, began);
          model[item->id] = began + wait;
          break;
        }
        default:
          list.restart(*item, now);
          model[item->id] = now + wait;
      }
      std::size_t visited = 0;
      list.for_each([&](Item&) { ++visited; });
      ASSERT_EQ(visited, model.size());
      ASSERT_EQ(list.next(), next(model));
    }
  }
}

}  // namespace
}  // namespace mpb
