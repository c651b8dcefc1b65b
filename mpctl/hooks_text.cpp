#include "mpctl/hooks_text.hpp"

#include "mpctl/answer.hpp"
#include "mpctl/table.hpp"

namespace mpb::ctl {

std::string hooks_text(const boost::json::object& answer) {
  Table table(
      {{"WORKER"}, {"ASKED"}, {"TOLD"}, {"REFUSED"}, {"FAILED"}, {"DROPPED"}, {"UNDER WAY"}});
  for_each_object(member_array(answer, "hooks"), [&](const boost::json::object& hooks) {
    table.add({count_text(hooks, "slot"), count_text(hooks, "asked"), count_text(hooks, "told"),
               count_text(hooks, "refused"), count_text(hooks, "failed"),
               count_text(hooks, "dropped"), count_text(hooks, "under_way")});
  });
  return table.to_string();
}

}  // namespace mpb::ctl
