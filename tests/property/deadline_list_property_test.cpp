// DeadlineList against a model that looks at every item.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "common/deadline_list.hpp"
#include "tests/support/seeded.hpp"

namespace mpb {
namespace {

struct Item : Deadline {
  explicit Item(std::size_t number) : id(number) {}
  std::size_t id;
};

/// id to (deadline, order of the restarts)
using Model = std::map<std::size_t, std::pair<TimePoint, int>>;

std::vector<std::size_t> expire(Model& model, TimePoint now) {
  std::vector<std::pair<std::pair<TimePoint, int>, std::size_t>> due;
  for (const auto& [id, when] : model) {
    if (when.first <= now) due.emplace_back(when, id);
  }
  std::sort(due.begin(), due.end());
  std::vector<std::size_t> ids;
  for (const auto& [when, id] : due) {
    ids.push_back(id);
    model.erase(id);
  }
  return ids;
}

std::optional<TimePoint> next(const Model& model) {
  std::optional<TimePoint> soonest;
  for (const auto& [id, when] : model) {
    soonest = soonest ? std::min(*soonest, when.first) : when.first;
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
      switch (number(0, 4)) {
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
          std::vector<std::size_t> ids;
          list.expire(now, [&](Item& expired) { ids.push_back(expired.id); });
          ASSERT_EQ(ids, expire(model, now));
          break;
        }
        default:
          list.restart(*item, now);
          model[item->id] = {now + wait, step};
      }
      ASSERT_EQ(list.next(), next(model));
    }
  }
}

}  // namespace
}  // namespace mpb
