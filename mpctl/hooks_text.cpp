#include "mpctl/hooks_text.hpp"

#include "common/base/counters.hpp"
#include "mpctl/answer.hpp"
#include "mpctl/table.hpp"

namespace mpb::ctl {

std::string hooks_text(const boost::json::object& answer) {
  Columns columns{count_column("WORKER", "slot"), text_column("SERVER", "server"),
                  text_column("STATE", "state")};
  append_counters<HookCounters>(columns);
  return table_text(columns, member_array(answer, "hooks"));
}

}  // namespace mpb::ctl
