// Secrets that a configuration names instead of having them: files, such as systemd's credentials.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/base/error.hpp"

namespace mpb {

/// "credential:NAME" gives what is in the file NAME of $CREDENTIALS_DIRECTORY, where systemd puts
/// what LoadCredential= and its like say; "file:/PATH" what is in that file. A line feed at its end
/// is not part of it. Any other value is the secret itself. Errors show no more of a file than its
/// path. Of a file no more than `most` bytes and one are read, so that a longer secret is seen to
/// be one.
Result<std::string> read_secret_reference(std::string_view value, std::size_t most);

/// Whether a value is such a reference, if a bad one.
bool is_secret_reference(std::string_view value);

}  // namespace mpb
