#include "mpctl/shared_text.hpp"

#include <fmt/format.h>

#include "mpctl/answer.hpp"
#include "mpctl/status_text.hpp"
#include "mpctl/table.hpp"

namespace mpb::ctl {
namespace {

std::string time_left(const boost::json::object& entry) {
  if (entry.if_contains("ttl_ms") == nullptr) return "-";
  constexpr std::uint64_t kSecond = 1000;
  return short_time(number(entry, "ttl_ms") + kSecond - 1);
}

std::string entries_text(const boost::json::object& answer) {
  const Columns columns{text_column("KEY", "key"),
                        {"LEFT", time_left},
                        count_column("VERSION", "version"),
                        text_column("VALUE", "value")};
  std::string text = table_text(columns, member_array(answer, "entries"));
  if (const auto left_out = number(answer, "left_out"); left_out > 0) {
    text += fmt::format("and {} more\n", left_out);
  }
  return text;
}

}  // namespace

std::string shared_text(const boost::json::object& answer) {
  if (answer.if_contains("tables") != nullptr) {
    return table_text({text_column("TABLE", "name"), count_column("ENTRIES", "entries"),
                       count_column("BYTES", "size_bytes")},
                      member_array(answer, "tables"));
  }
  if (answer.if_contains("entries") != nullptr) return entries_text(answer);
  if (answer.if_contains("key") != nullptr) return text(answer, "value") + '\n';
  return {};
}

}  // namespace mpb::ctl
