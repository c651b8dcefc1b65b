// The options themselves, as --help shows them.
#pragma once

#include <boost/program_options/options_description.hpp>

namespace mpb::ctl {

boost::program_options::options_description visible_options();

}  // namespace mpb::ctl
