#include <boost/json.hpp>

#include "bench/mprtmp/report.hpp"

namespace mpb::rtmp_load {
namespace {

namespace json = boost::json;
using load::latency_object;

json::object clients_object(const ClientCounts& clients) {
  return {{"started", clients.started},
          {"served", clients.served},
          {"lost", clients.lost},
          {"wrong", clients.wrong},
          {"unfinished", clients.unfinished}};
}

json::object frames_object(const FrameCounts& frames) {
  return {{"received", frames.received},
          {"lost", frames.lost},
          {"gaps", frames.gaps},
          {"duplicated", frames.duplicated},
          {"out_of_order", frames.out_of_order}};
}

json::object traffic_object(const Traffic& traffic, double seconds) {
  return {{"seconds", seconds},
          {"bytes_sent", traffic.bytes_sent},
          {"bytes_received", traffic.bytes_received},
          {"video_sent", traffic.video_sent},
          {"audio_sent", traffic.audio_sent},
          {"video_received", traffic.video_received},
          {"audio_received", traffic.audio_received}};
}

json::object latencies_object(const Tally& tally) {
  return {{"connect", latency_object(tally.connect)},
          {"accepted", latency_object(tally.accepted)},
          {"started", latency_object(tally.started)},
          {"first_media", latency_object(tally.first_media)},
          {"first_key", latency_object(tally.first_key)},
          {"transit", latency_object(tally.transit)},
          {"pause", latency_object(tally.pause)},
          {"start_lateness", latency_object(tally.lateness)},
          {"send_lateness", latency_object(tally.send_lateness)}};
}

}  // namespace

std::string json_report(const Report& report) {
  const Settings& settings = report.settings;
  const Tally& tally = report.tally;
  const json::object object{{"mode", mode_name(settings)},
                            {"target", settings.target.to_string()},
                            {"vhosts", settings.names.vhosts},
                            {"streams", settings.names.streams},
                            {"vhost_form", word_for(settings.names.form, kForms)},
                            {"bitrate", settings.shape.bitrate},
                            {"intended_rate", settings.rate},
                            {"sources", settings.sources},
                            {"seconds", report.seconds},
                            {"publishers", clients_object(tally.publishers)},
                            {"players", clients_object(tally.players)},
                            {"sessions_per_second", report.sessions_per_second()},
                            {"video", frames_object(tally.video)},
                            {"audio", frames_object(tally.audio)},
                            {"unmarked", tally.unmarked},
                            {"began_without_key", tally.began_without_key},
                            {"backward_timestamps", tally.backward_timestamps},
                            {"new_publishers", tally.new_publishers},
                            {"total", traffic_object(tally.total, report.seconds)},
                            {"window", traffic_object(tally.window, report.window_seconds)},
                            {"bits_sent_per_second", report.bits_sent_per_second()},
                            {"bits_received_per_second", report.bits_received_per_second()},
                            {"latency_us", latencies_object(tally)},
                            {"errors", load::problems_object(problem_names(), tally.problems)},
                            {"samples", load::text_array(tally.samples)},
                            {"own_cpu", load::own_load_object(report.own_load)},
                            {"interrupted", report.interrupted},
                            {"passed", report.passed()}};
  return json::serialize(object) + "\n";
}

}  // namespace mpb::rtmp_load
