#include "broker/operator/counter_report.hpp"

namespace mpb {

void put(boost::json::object& report, std::string_view name, std::uint64_t value) {
  const auto dot = name.find('.');
  if (dot == std::string_view::npos) {
    report[name] = value;
    return;
  }
  boost::json::value& group = report[name.substr(0, dot)];
  if (!group.is_object()) group.emplace_object();
  group.get_object()[name.substr(dot + 1)] = value;
}

}  // namespace mpb
