#include <sstream>
#include <string>

#include <boost/program_options.hpp>

#include "bench/mprtmp/options.hpp"

namespace mpb::rtmp_load {

namespace po = boost::program_options;

boost::program_options::options_description visible_options() {
  const auto text = [](const char* name) { return po::value<std::string>()->value_name(name); };
  const auto with_default = [&](const char* name, const char* value) {
    return text(name)->default_value(value);
  };
  po::options_description target("Target");
  target.add_options()("connect", text("ENDPOINT"),
                       "instead of HOST PORT: 127.0.0.1:1935, [::1]:1935, localhost:1935")(
      "sources", text("N"),
      "rotate over N loopback source addresses from 127.0.0.1 on (default: as many as the local "
      "ports need)")("close", with_default("fin|rst", "fin"),
                     "how a client ends its connection: rst leaves no port in TIME_WAIT")(
      "digest", po::bool_switch(), "the handshake with digests, as Flash Player and ffmpeg do");
  po::options_description load("Load: at least one of --publish, --play and --churn");
  load.add_options()("publish", po::bool_switch(), "one publisher for each stream")(
      "play", po::bool_switch(), "--clients players, spread over all streams, stay")(
      "churn", po::bool_switch(),
      "players come and go: each plays until --until, then leaves and the next one comes")(
      "clients", text("N"), "players in total (with --play needed; with --churn: no bound)")(
      "concurrency", text("N"), "with --churn: players at once (default: 16)")(
      "until", text("WHAT"),
      "with --churn: start (play was answered), media (first byte of audio or video; the default) "
      "or key (first key frame)")(
      "rate", text("R"),
      "start R clients a second; times count from the intended start (default: as fast as they are "
      "answered)")("duration", text("TIME"), "the run ends then (default: no bound)")(
      "hold", text("TIME"),
      "when all clients are served, say so, measure traffic and transit for TIME, and end")(
      "timeout", with_default("TIME", "10s"),
      "for connecting, for each answer, and for a player without media");
  po::options_description streams("Streams");
  streams.add_options()("vhosts", with_default("N", "1"), "how many")(
      "vhost", with_default("NAME", "v%d.test"), "their names; %d is the number from 0 on")(
      "vhost-form", with_default("tcurl|app|stream", "tcurl"),
      "where it is named: tcUrl's host, app?vhost=, or stream?vhost=")(
      "app", with_default("NAME", "live"), "")(
      "stream", with_default("NAME", "s"), "with several --streams their number is put behind it")(
      "streams", with_default("N", "1"), "of each vhost");
  po::options_description media("What publishers send");
  media.add_options()("bitrate", with_default("RATE", "2.5Mbit"),
                      "of all together: 500kbit, 2.5Mbit, ...")(
      "audio", with_default("RATE", "128kbit"), "of it; 0: no audio")(
      "fps", with_default("N", "30"), "video frames a second")("gop", with_default("TIME", "2s"),
                                                               "from key frame to key frame");
  po::options_description output("Output");
  output.add_options()("json", text("FILE"), "write the report as JSON too; - is standard output")(
      "help", po::bool_switch(), "print this and exit")("version", po::bool_switch(),
                                                        "print the version and exit");
  po::options_description all;
  all.add(target).add(load).add(streams).add(media).add(output);
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
