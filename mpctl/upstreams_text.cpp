#include "mpctl/upstreams_text.hpp"

#include <fmt/format.h>

#include "mpctl/answer.hpp"
#include "mpctl/table.hpp"

namespace mpb::ctl {
namespace {

std::string state(const boost::json::object& upstream) {
  if (flag(upstream, "out")) return "out";
  return flag(upstream, "backup") ? "backup" : "up";
}

}  // namespace

std::string upstreams_text(const boost::json::object& answer) {
  Table table({{"VHOST", Align::kLeft},
               {"UPSTREAM", Align::kLeft},
               {"STATE", Align::kLeft},
               {"CLIENTS"},
               {"TRIES"},
               {"FAILED"},
               {"IN A ROW"},
               {"WORKER"},
               {"LAST FAILURE", Align::kLeft}});
  for_each_object(member_array(answer, "upstreams"), [&](const boost::json::object& upstream) {
    table.add({text(upstream, "vhost"), text(upstream, "address"), state(upstream),
               count_text(upstream, "clients"),
               fmt::to_string(number(upstream, "served") + number(upstream, "failed")),
               count_text(upstream, "failed"), count_text(upstream, "failures_in_a_row"),
               count_text(upstream, "slot"), text(upstream, "why")});
  });
  return fmt::format("{}{} clients; {} could not be served\n", table.to_string(),
                     number(answer, "clients"), number(answer, "unserved"));
}

}  // namespace mpb::ctl
