#include <boost/json.hpp>

#include "bench/load/report_parts.hpp"
#include "bench/mpclient/report.hpp"

namespace mpb::load {
namespace {

namespace json = boost::json;

json::object clients_object(const Tally& tally) {
  return {{"started", tally.started},
          {"served", tally.served},
          {"lost", tally.lost},
          {"wrong", tally.wrong},
          {"refused", tally.refused},
          {"unfinished", tally.unfinished},
          {"never_started", tally.never_started}};
}

json::object latencies_object(const Tally& tally) {
  return {{"connect", latency_object(tally.connect)},
          {"dispatch", latency_object(tally.dispatch)},
          {"move", latency_object(tally.move)},
          {"message", latency_object(tally.message)},
          {"start_lateness", latency_object(tally.lateness)}};
}

json::array workers_array(const Tally& tally) {
  const auto told = static_cast<double>(tally.answered_where_accepted + tally.handed_over);
  json::array workers;
  for (const WorkerShare& share : tally.workers) {
    workers.push_back({{"slot", share.worker.slot},
                       {"pid", share.worker.pid},
                       {"clients", share.clients},
                       {"share", static_cast<double>(share.clients) / told}});
  }
  return workers;
}

}  // namespace

std::string json_report(const Report& report) {
  const Settings& settings = report.settings;
  const Tally& tally = report.tally;
  const json::object object{
      {"mode", mode_name(settings.mode)},
      {"target", settings.target.to_string()},
      {"ids", settings.ids_text},
      {"threads", settings.threads},
      {"sources", settings.sources},
      {"intended_rate", settings.rate},
      {"concurrency", settings.concurrency},
      {"seconds", report.seconds},
      {"clients", clients_object(tally)},
      {"messages", tally.messages},
      {"clients_per_second", report.clients_per_second()},
      {"messages_per_second", report.messages_per_second()},
      {"latency_us", latencies_object(tally)},
      {"wave_seconds",
       {{"first", report.first_wave_seconds}, {"second", report.second_wave_seconds}}},
      {"workers", workers_array(tally)},
      {"handed_over", tally.handed_over},
      {"answered_where_accepted", tally.answered_where_accepted},
      {"errors", problems_object(problem_names(), tally.problems)},
      {"samples", text_array(tally.samples)},
      {"own_cpu", own_load_object(report.own_load())},
      {"interrupted", report.interrupted},
      {"passed", report.passed()}};
  return json::serialize(object) + "\n";
}

}  // namespace mpb::load
