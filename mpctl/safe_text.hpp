// Text from elsewhere, made harmless for a terminal: names and keys are clients' words.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mpb::ctl {

/// Plain, as common/base/plain_text.hpp has it, and with backslashes doubled, so that no text looks
/// like the escapes of another.
std::string safe_text(std::string_view text);

/// A word of the command line that was not expected there: what stands behind '=' may be a secret.
std::string unexpected_word(std::string_view word);

/// The columns that `text`, which is safe, takes: its code points.
std::size_t width_of(std::string_view text);

}  // namespace mpb::ctl
