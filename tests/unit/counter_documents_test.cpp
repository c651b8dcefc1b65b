// Counters, mpctl's commands and what documents say of them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "common/base/counters.hpp"
#include "mpctl/options_list.hpp"

namespace mpb {
namespace {

std::string read(const std::string& path) {
  std::ifstream file(std::string(MPB_SOURCE_DIR) + "/" + path);
  EXPECT_TRUE(file) << path;
  return (std::ostringstream() << file.rdbuf()).str();
}

/// From a heading to the next one.
std::string section(const std::string& text, const std::string& heading) {
  const auto start = text.find("\n## " + heading + "\n");
  EXPECT_NE(start, std::string::npos) << heading;
  return text.substr(start, text.find("\n## ", start + 1) - start);
}

template <class Block>
void expect_described(const std::string& counters, const std::string& page) {
  std::set<std::string_view> names;
  for (const CounterInfo& counter : Block::counters()) {
    EXPECT_TRUE(names.insert(counter.name).second) << counter.name;
    EXPECT_NE(counters.find(fmt::format("`{}`", counter.name)), std::string::npos) << counter.name;
    EXPECT_TRUE(counter.help.ends_with('.')) << counter.help;
    if (counter.column.empty() || counter.column == "RESTARTS") continue;
    const std::regex title(fmt::format("\n\\.It .*\\b{}\\b", counter.column));
    EXPECT_TRUE(std::regex_search(page, title)) << counter.column;
  }
}

TEST(CounterDocuments, SayWhatEachCounterMeans) {
  const std::string counters = section(read("docs/operations.md"), "Counters");
  const std::string page = read("packaging/man/mpctl.1");
  expect_described<ListenerCounters>(counters, page);
  expect_described<WorkerCounters>(counters, page);
  expect_described<SlotCounters>(counters, page);
  expect_described<ProcessCounters>(counters, page);
  expect_described<BrokerCounters>(counters, page);
  expect_described<DispatchCounters>(counters, page);
  expect_described<CellCounters>(counters, page);
  expect_described<TalkCounters>(counters, page);
}

TEST(CounterDocuments, CountersLieOnTheChannelAsTheyAlwaysDid) {
  const auto names = []<class Block>(const Block&) {
    std::string all;
    for (const CounterInfo& counter : Block::counters()) all += fmt::format("{} ", counter.name);
    return all;
  };
  EXPECT_EQ(names(WorkerCounters()),
            "clients held keys accept_pauses queue_high_water.worker "
            "tables.operations tables.refused tables.waiting ");
  EXPECT_EQ(names(ListenerCounters()),
            "clients accepted handoffs.in handoffs.out handoffs.kept handoffs.nacked "
            "handoffs.retried rejected.busy rejected.input rejected.header rejected.source "
            "closed.idle closed.slow closed.unsettled rejected.address ");
}

TEST(MpctlDocuments, NameEachCommand) {
  const auto refused = ctl::read_options({"no-command"}, nullptr);
  ASSERT_FALSE(refused);
  const std::string& known = refused.error().text;
  std::istringstream commands(known.substr(known.rfind(':') + 1));
  const std::string page = read("packaging/man/mpctl.1");
  std::size_t count = 0;
  for (std::string command; std::getline(commands >> std::ws, command, ',');) {
    ++count;
    EXPECT_NE(ctl::program().help().find("\n  " + command + " "), std::string::npos) << command;
    EXPECT_NE(page.find("\n.It Cm " + command), std::string::npos) << command;
  }
  EXPECT_GE(count, 15U) << known;
}

}  // namespace
}  // namespace mpb
