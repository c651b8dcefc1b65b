// The part of a load client's command line that all of them have.
#pragma once

#include <string>
#include <vector>

#include <boost/program_options.hpp>

#include "bench/common/option_reader.hpp"
#include "common/base/error.hpp"
#include "common/io/endpoint.hpp"

namespace mpb::load {

using Positional = std::vector<std::string>;

/// The type of an option whose value is a text; help calls the value `name`.
boost::program_options::typed_value<std::string>* text_value(const char* name);
boost::program_options::typed_value<std::string>* text_value(const char* name,
                                                             const char* default_value);

/// Adds --sources and --close.
void add_connection_options(boost::program_options::options_description& group);
/// --json, --help and --version.
boost::program_options::options_description output_options();

/// A command line taken apart; no value has been checked.
struct Arguments {
  bool help = false;
  bool version = false;
  boost::program_options::variables_map values;
  Positional positional;
};

/// `visible`: the options of --help, output_options() among them. `too_many` is the error when more
/// than `max_positional` arguments have no name. Every error is of kind kUsage.
Result<Arguments> parse_arguments(const std::vector<std::string>& arguments,
                                  const boost::program_options::options_description& visible,
                                  int max_positional, const char* too_many);

/// Reads --connect, or else HOST PORT, the first two of `positional`, which must be there then.
void read_target_address(OptionReader& reader, const Positional& positional, Endpoint& target);
/// Reads --close.
void read_close(OptionReader& reader, bool& reset_on_close);
/// Reads --sources, which is an error with a target that is not in 127.0.0.0/8.
void read_sources(OptionReader& reader, const Endpoint& target, unsigned& sources);

}  // namespace mpb::load
