#include "mpctl/options_list.hpp"

#include <fmt/format.h>

#include <sstream>
#include <string>
#include <vector>

#include <boost/program_options.hpp>

#include "mpctl/options.hpp"

namespace mpb::ctl {

namespace po = boost::program_options;

po::options_description visible_options() {
  const auto text = [](const char* name) { return po::value<std::string>()->value_name(name); };
  const std::string socket = fmt::format("the broker's control socket (default: ${}, else {})",
                                         kSocketVariable, kDefaultSocket);
  po::options_description options("Options");
  options.add_options()("control-socket", text("PATH"), socket.c_str())(
      "json", po::bool_switch(), "print the broker's answers as they came: JSON, one per line")(
      "interval", text("TIME")->default_value("1s"), "watch: time between two tables, from 100ms")(
      "count", text("N"), "watch: end after N tables")("remove", text("KEY"),
                                                       "route: take the pin of KEY away; "
                                                       "vhost: take the vhost KEY away")(
      "unset", po::value<std::vector<std::string>>()->value_name("KEY"),
      "vhost: give KEY its default; may be repeated")(
      "listener", text("NAME"),
      "route: only for listeners of this one's protocol (default: for all)")(
      "help,h", po::bool_switch(), "show this")("version", po::bool_switch(), "show the version");
  return options;
}

std::string help_text() {
  std::ostringstream text;
  text << "Usage: mpctl [--control-socket PATH] COMMAND\n"
          "\n"
          "Shows and steers a running mpbroker.\n"
          "\n"
          "Commands:\n"
          "  status                      listeners, workers and what they count\n"
          "  watch                       the same, live, with rates\n"
          "  metrics                     the same as OpenMetrics text, for Prometheus\n"
          "  health                      one line, and an exit status for probes\n"
          "  streams                     the live streams of all workers\n"
          "  upstreams                   the servers that clients are forwarded to\n"
          "  hooks                       what workers asked web servers, and how it went\n"
          "  kick VHOST/APP/STREAM       close the publisher and the players of a stream\n"
          "  events                      what happens from now on, one line each\n"
          "  drain SLOT                  no new clients for a worker; it ends when empty\n"
          "  route KEY=SLOT[,SLOT...]    pin a key to a worker, or to a set of them\n"
          "  route --remove KEY          take the pin away\n"
          "  workers N                   set the number of base workers\n"
          "  vhost NAME KEY=VALUE...     set keys of a vhost, which is made if need be;\n"
          "                              a reload brings back what the file says\n"
          "  vhost NAME --unset KEY      give a key its default\n"
          "  vhost --remove NAME         take it away\n"
          "  reload                      read the configuration again\n"
          "  stop                        drain all workers, then end\n"
          "\n"
       << visible_options()
       << "\nExit status: 0 done, 1 the broker refused or cannot be reached, 2 wrong usage.\n"
          "health: 0 well, 1 something is wrong, 2 nobody is online or no answer.\n";
  return text.str();
}

}  // namespace mpb::ctl
