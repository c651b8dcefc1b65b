#include "mpctl/health.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <vector>

#include "common/base/plain_text.hpp"
#include "mpctl/answer.hpp"

namespace mpb::ctl {
namespace {

using boost::json::object;

constexpr int kWell = 0;
constexpr int kWrong = 1;
constexpr int kDown = 2;
constexpr std::size_t kMostNamed = 4;  // workers with a trouble, in one line

struct Workers {
  std::size_t online = 0;
  std::size_t base = 0;
  std::size_t base_online = 0;
  std::uint64_t clients = 0;
  std::vector<std::string> troubles;
};

/// An extra worker may come and go; it may not fail.
bool is_trouble(const std::string& state, bool base) {
  if (base) return state != "online";
  return state == "backoff" || state == "parked";
}

Workers look_at(const boost::json::array& list) {
  Workers workers;
  for_each_object(list, [&](const object& worker) {
    const std::string state = text(worker, "state");
    const bool base = flag(worker, "base");
    const bool online = state == "online";
    workers.online += online;
    workers.base += base;
    workers.base_online += base && online;
    workers.clients += number(worker, "clients");
    if (!is_trouble(state, base)) return;
    const std::string exit = text(worker, "last_exit");
    workers.troubles.push_back(fmt::format("worker {} is {}{}", number(worker, "slot"), state,
                                           exit == "-" ? "" : fmt::format(" ({})", exit)));
  });
  return workers;
}

void shorten(std::vector<std::string>& troubles) {
  if (troubles.size() <= kMostNamed) return;
  const std::size_t more = troubles.size() - kMostNamed;
  troubles.resize(kMostNamed);
  troubles.push_back(fmt::format("{} more workers are not well", more));
}

}  // namespace

Health health_of(const object& status) {
  Workers workers = look_at(member_array(status, "workers"));
  const std::string state = text(status, "state");
  const std::string why = text(status, "why");
  std::vector<std::string> troubles = workers.troubles;
  shorten(troubles);
  if (workers.base_online < workers.base) {
    troubles.insert(troubles.begin(),
                    fmt::format("{} of {} base workers online", workers.base_online, workers.base));
  }
  if (state != "running") {
    const bool told = why == "-" || !workers.troubles.empty();
    troubles.insert(troubles.begin(), fmt::format("the service is {}{}", state,
                                                  told ? "" : fmt::format(" ({})", why)));
  }
  if (workers.online == 0) {
    troubles.insert(troubles.begin(), "nobody is online");
    return {kDown, fmt::format("down: {}", fmt::join(troubles, "; "))};
  }
  if (!troubles.empty()) return {kWrong, fmt::format("wrong: {}", fmt::join(troubles, "; "))};
  return {kWell,
          fmt::format("well: {} workers online, {} clients", workers.online, workers.clients)};
}

Health no_answer(std::string_view why) {
  return {kDown, fmt::format("down: {}", plain_text(why))};
}

}  // namespace mpb::ctl
