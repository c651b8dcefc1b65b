#include "bench/common/common_options.hpp"

#include <fmt/format.h>

#include "bench/common/connector.hpp"

namespace mpb::load {

namespace po = boost::program_options;

po::typed_value<std::string>* text_value(const char* name) {
  return po::value<std::string>()->value_name(name);
}

po::typed_value<std::string>* text_value(const char* name, const char* default_value) {
  return text_value(name)->default_value(default_value);
}

void add_connection_options(po::options_description& group) {
  group.add_options()(
      "sources", text_value("N"),
      "rotate over N loopback source addresses from 127.0.0.1 on (default: as many as the local "
      "ports need)")("close", text_value("fin|rst", "fin"),
                     "how a client ends its connection: rst leaves no port in TIME_WAIT");
}

po::options_description output_options() {
  po::options_description group("Output");
  group.add_options()("json", text_value("FILE"),
                      "write the report as JSON too; - is standard output")(
      "help", po::bool_switch(), "print this and exit")("version", po::bool_switch(),
                                                        "print the version and exit");
  return group;
}

Result<Arguments> parse_arguments(const std::vector<std::string>& arguments,
                                  const po::options_description& visible, int max_positional,
                                  const char* too_many) {
  po::options_description all;
  all.add(visible).add_options()("positional", po::value<Positional>());
  po::positional_options_description order;
  order.add("positional", max_positional);
  Arguments parsed;
  po::variables_map& values = parsed.values;
  try {
    po::store(
        po::command_line_parser(arguments).options(all).positional(order).style(kOptionStyle).run(),
        values);
  } catch (const po::too_many_positional_options_error&) {
    return usage_error(too_many);
  } catch (const po::error& error) {
    return usage_error(error.what());
  }
  parsed.help = values["help"].as<bool>();
  parsed.version = values["version"].as<bool>();
  if (values.count("positional") > 0) parsed.positional = values["positional"].as<Positional>();
  return parsed;
}

void read_target_address(OptionReader& reader, const Positional& positional, Endpoint& target) {
  if (reader.has("connect")) {
    if (!positional.empty()) {
      return reader.fail(usage_error("--connect takes the place of HOST PORT: give one of them"));
    }
    return reader.read("connect", target, parse_target);
  }
  const auto parsed = parse_host_port(positional[0], positional[1]);
  if (!parsed) return reader.fail(parsed.error());
  target = *parsed;
}

void read_close(OptionReader& reader, bool& reset_on_close) {
  const std::string& how = reader.text("close");
  reset_on_close = how == "rst";
  if (how != "fin" && how != "rst") {
    reader.fail(usage_error(fmt::format("--close: '{}' is neither fin nor rst", how)));
  }
}

void read_sources(OptionReader& reader, const Endpoint& target, unsigned& sources) {
  if (!reader.has("sources")) return;
  reader.read_integer("sources", sources, 1, kMaxSources);
  if (!is_ipv4_loopback(target)) {
    reader.fail(usage_error("--sources goes with a target in 127.0.0.0/8 only"));
  }
}

}  // namespace mpb::load
