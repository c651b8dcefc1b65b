#include "mpctl/upstreams_text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/counters.hpp"
#include "mpctl/answer.hpp"
#include "mpctl/table.hpp"

namespace mpb::ctl {
namespace {

std::string state(const boost::json::object& upstream) {
  if (flag(upstream, "out")) return "out";
  return flag(upstream, "backup") ? "backup" : "up";
}

std::string tries(const boost::json::object& upstream) {
  return fmt::to_string(number(upstream, "served") + number(upstream, "failed"));
}

}  // namespace

std::string upstreams_text(const boost::json::object& answer) {
  Columns columns{text_column("VHOST", "vhost"),
                  text_column("UPSTREAM", "address"),
                  {"STATE", state, Align::kLeft}};
  append_counters<UpstreamCounters>(columns);
  columns.insert(std::ranges::find(columns, "FAILED", &Column::title), {"TRIES", tries});
  columns.push_back(count_column("WORKER", "slot"));
  columns.push_back(text_column("LAST FAILURE", "why"));
  return fmt::format("{}{} clients; {} could not be served\n",
                     table_text(columns, member_array(answer, "upstreams")),
                     number(answer, "clients"), number(answer, "unserved"));
}

}  // namespace mpb::ctl
