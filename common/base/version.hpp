// The version, as --version prints it.
#pragma once

#include <string>
#include <string_view>

namespace mpb {

inline std::string version_text(std::string_view program) {
  return std::string(program) + " " MPB_VERSION "\n";
}

}  // namespace mpb
