#include "mpctl/hooks_text.hpp"

#include "mpctl/answer.hpp"
#include "mpctl/table.hpp"

namespace mpb::ctl {

std::string hooks_text(const boost::json::object& answer) {
  Table table({{"WORKER"},
               {"SERVER", Align::kLeft},
               {"STATE", Align::kLeft},
               {"ASKED"},
               {"TOLD"},
               {"REFUSED"},
               {"FAILED"},
               {"DROPPED"},
               {"UNDER WAY"},
               {"WAITING"}});
  for_each_object(member_array(answer, "hooks"), [&](const boost::json::object& hooks) {
    table.add({count_text(hooks, "slot"), text(hooks, "server"), text(hooks, "state"),
               count_text(hooks, "asked"), count_text(hooks, "told"), count_text(hooks, "refused"),
               count_text(hooks, "failed"), count_text(hooks, "dropped"),
               count_text(hooks, "under_way"), count_text(hooks, "waiting")});
  });
  return table.to_string();
}

}  // namespace mpb::ctl
