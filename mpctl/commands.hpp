// Carrying out one command: requests to the broker, answers to standard output.
#pragma once

#include "common/base/error.hpp"
#include "mpctl/options.hpp"

namespace mpb::ctl {

/// The exit status; an error: the command could not be carried out.
Result<int> run_command(const Options& options);

}  // namespace mpb::ctl
