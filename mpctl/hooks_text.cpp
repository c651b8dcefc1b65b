#include "mpctl/hooks_text.hpp"

#include "mpctl/answer.hpp"
#include "mpctl/fields.hpp"

namespace mpb::ctl {

std::string hooks_text(const boost::json::object& answer) {
  return table_text({count_field("WORKER", "slot"), text_field("SERVER", "server"),
                     text_field("STATE", "state"), count_field("ASKED", "asked"),
                     count_field("TOLD", "told"), count_field("REFUSED", "refused"),
                     count_field("FAILED", "failed"), count_field("DROPPED", "dropped"),
                     count_field("UNDER WAY", "under_way"), count_field("WAITING", "waiting")},
                    member_array(answer, "hooks"));
}

}  // namespace mpb::ctl
