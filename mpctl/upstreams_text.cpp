#include "mpctl/upstreams_text.hpp"

#include <fmt/format.h>

#include "mpctl/answer.hpp"
#include "mpctl/fields.hpp"

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
  const std::string table = table_text({text_field("VHOST", "vhost"),
                                        text_field("UPSTREAM", "address"),
                                        {{"STATE", Align::kLeft}, state},
                                        count_field("CLIENTS", "clients"),
                                        {{"TRIES"}, tries},
                                        count_field("FAILED", "failed"),
                                        count_field("IN A ROW", "failures_in_a_row"),
                                        count_field("WORKER", "slot"),
                                        text_field("LAST FAILURE", "why")},
                                       member_array(answer, "upstreams"));
  return fmt::format("{}{} clients; {} could not be served\n", table, number(answer, "clients"),
                     number(answer, "unserved"));
}

}  // namespace mpb::ctl
