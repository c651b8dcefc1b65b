// mpctl's options: the command line and --help come from this table.
#pragma once

#include "common/config/option_line.hpp"
#include "mpctl/options.hpp"
#include "mpctl/request.hpp"

namespace mpb::ctl {

/// What options are read to; the words without an option are not among it.
struct GivenOptions {
  Options options;
  RequestWords words;
};

const Program<GivenOptions>& program();

}  // namespace mpb::ctl
