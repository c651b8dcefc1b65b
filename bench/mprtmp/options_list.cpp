#include <sstream>
#include <string>

#include <boost/program_options.hpp>

#include "bench/common/common_options.hpp"
#include "bench/mprtmp/options.hpp"

namespace mpb::rtmp_load {

namespace po = boost::program_options;
using load::text_value;

boost::program_options::options_description visible_options() {
  po::options_description target("Target");
  target.add_options()("connect", text_value("ENDPOINT"),
                       "instead of HOST PORT: 127.0.0.1:1935, [::1]:1935, localhost:1935");
  load::add_connection_options(target);
  target.add_options()("digest", po::bool_switch(),
                       "the handshake with digests, as Flash Player and ffmpeg do");
  po::options_description load("Load: at least one of --publish, --play and --churn");
  load.add_options()("publish", po::bool_switch(), "one publisher for each stream")(
      "play", po::bool_switch(), "--clients players, spread over all streams, stay")(
      "churn", po::bool_switch(),
      "players come and go: each plays until --until, then leaves and the next one comes")(
      "clients", text_value("N"), "players in total (with --play needed; with --churn: no bound)")(
      "concurrency", text_value("N"), "with --churn: players at once (default: 16)")(
      "until", text_value("WHAT"),
      "with --churn: start (play was answered), media (first byte of audio or video; the default) "
      "or key (first key frame)")(
      "rate", text_value("R"),
      "start R clients a second; times count from the intended start (default: as fast as they are "
      "answered)")("duration", text_value("TIME"), "the run ends then (default: no bound)")(
      "hold", text_value("TIME"),
      "when all clients are served, say so, measure traffic and transit for TIME, and end")(
      "timeout", text_value("TIME", "10s"),
      "for connecting, for each answer, and for a player without media");
  po::options_description streams("Streams");
  streams.add_options()("vhosts", text_value("N", "1"), "how many")(
      "vhost", text_value("NAME", "v%d.test"), "their names; %d is the number from 0 on")(
      "vhost-form", text_value("tcurl|app|stream", "tcurl"),
      "where it is named: tcUrl's host, app?vhost=, or stream?vhost=")(
      "app", text_value("NAME", "live"), "")(
      "stream", text_value("NAME", "s"), "with several --streams their number is put behind it")(
      "streams", text_value("N", "1"), "of each vhost");
  po::options_description media("What publishers send");
  media.add_options()("bitrate", text_value("RATE", "2.5Mbit"),
                      "of all together: 500kbit, 2.5Mbit, ...")(
      "audio", text_value("RATE", "128kbit"), "of it; 0: no audio")(
      "fps", text_value("N", "30"), "video frames a second")("gop", text_value("TIME", "2s"),
                                                             "from key frame to key frame");
  po::options_description all;
  all.add(target).add(load).add(streams).add(media).add(load::output_options());
  return all;
}

std::string help_text() {
  std::ostringstream out;
  out << "mprtmp HOST PORT | --connect ENDPOINT --publish | --play | --churn [options]\n"
         "\n"
         "Loads an RTMP server with publishers and players and reports what they met: every frame\n"
         "of its publishers has a number and the time it was sent.\n"
         "\n"
         "TIME is 200ms, 5s, 1m, 2h or 1d; RATE is bits a second. Times in reports are "
         "microseconds.\n"
      << visible_options()
      << "\nExit status: 0 all clients were served; 1 one was lost or got another stream;\n"
         "2 the command line is wrong.\n";
  return out.str();
}

}  // namespace mpb::rtmp_load
