#include "bench/mpclient/options_list.hpp"

#include <sstream>
#include <string>

#include <boost/program_options.hpp>

#include "bench/common/common_options.hpp"
#include "bench/mpclient/options.hpp"

namespace mpb::load {

namespace po = boost::program_options;

boost::program_options::options_description visible_options() {
  po::options_description target("Target");
  target.add_options()(
      "connect", text_value("ENDPOINT"),
      "instead of HOST PORT: 127.0.0.1:1990, [::1]:1990, localhost:1990 or unix:/path");
  add_connection_options(target);
  po::options_description load("Load: closed loop, unless one of the others is asked for");
  load.add_options()("clients", text_value("N"),
                     "clients in total (default: no bound; needed for the modes that keep them)")(
      "duration", text_value("TIME"), "start no client after this time (default: no bound)")(
      "concurrency", text_value("N"),
      "closed loop: clients in flight (default: 64); open loop: at most so many (default: what "
      "descriptors allow)")("rate", text_value("R"),
                            "open loop: start R clients a second; latency counts from the intended "
                            "start, so that waiting is not hidden")(
      "interval", text_value("TIME"), "keep the clients, each sends a message every TIME")(
      "hold", text_value("TIME"),
      "keep the clients idle for TIME after their answer; with --storm: before they move")(
      "storm", po::bool_switch(),
      "all clients connect at once; when all are answered, all move to another id at once")(
      "threads", text_value("N", "1"), "threads that share the clients");
  po::options_description client("Each client");
  client.add_options()("ids", text_value("KIND", "seq"),
                       "the ids: uniform:N, zipf:N, zipf:N,S (exponent S, default 1), fixed:K, "
                       "seq or seq:FIRST")("seed", text_value("N", "1"), "same seed, same ids")(
      "messages", text_value("N", "0"), "messages after the C, each waits for its answer")(
      "message-size", text_value("SIZE", "20B"), "text of a message, at most 4096 bytes")(
      "who", po::bool_switch(), "ask W behind each C: report the workers' shares")(
      "verify", po::bool_switch(),
      "as --who; also: clients of one id meet one worker while any of them lives")(
      "timeout", text_value("TIME", "10s"), "for connecting, and for each answer")(
      "allow-busy", po::bool_switch(), "a refused client is no failure");
  po::options_description all;
  all.add(target).add(load).add(client).add(output_options());
  return all;
}

std::string help_text() {
  std::ostringstream out;
  out << "mpclient HOST PORT CLIENTS SLEEP_MS\n"
         "mpclient HOST PORT | --connect ENDPOINT [options]\n"
         "\n"
         "Loads a server of the control protocol and reports what its clients met.\n"
         "HOST is an IPv4 or IPv6 address or localhost. The first form keeps CLIENTS clients, "
         "each\n"
         "sends a message every SLEEP_MS milliseconds, until a signal or --duration ends it.\n"
         "\n"
         "TIME is 200ms, 5s, 1m, 2h or 1d; SIZE is 512, 16KiB, ... Latencies are microseconds.\n"
      << visible_options()
      << "\nExit status: 0 all clients were served; 1 one was lost, wrongly answered or refused;\n"
         "2 the command line is wrong.\n";
  return out.str();
}

}  // namespace mpb::load
