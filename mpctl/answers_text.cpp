#include "mpctl/answers_text.hpp"

#include <fmt/format.h>

#include "mpctl/answer.hpp"

namespace mpb::ctl {
namespace {

std::string worker_text(const boost::json::object& worker) {
  return fmt::format("{}.{}", number(worker, "slot"), number(worker, "generation"));
}

}  // namespace

std::string answers_text(const boost::json::object& answer) {
  std::string lines;
  for_each_object(member_array(answer, "answers"), [&lines](const boost::json::object& one) {
    lines += fmt::format("{}: {}\n", worker_text(one), text(one, "text"));
  });
  return lines;
}

std::string missing_answers_text(const boost::json::object& answer) {
  std::string lines;
  const bool asked = answer.contains("answers");
  for_each_object(member_array(answer, "missing"), [&lines, asked](const auto& one) {
    lines += fmt::format("{} worker {}: {}\n", asked ? "no answer from" : "not sent to",
                         worker_text(one), text(one, "why"));
  });
  if (flag(answer, "truncated")) lines += "the answers are longer than what is shown\n";
  return lines;
}

}  // namespace mpb::ctl
