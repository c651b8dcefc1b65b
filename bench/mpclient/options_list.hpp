// Names, defaults and explanations of mpclient's options.
#pragma once

#include <boost/program_options/options_description.hpp>

namespace mpb::load {

/// All but the arguments without a name. Values are texts or flags; read_command_line checks them.
boost::program_options::options_description visible_options();

}  // namespace mpb::load
