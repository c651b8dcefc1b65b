// Text from elsewhere, made harmless for a terminal: names and keys are clients' words.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mpb::ctl {

/// Control characters (also those above U+007F), characters that turn the direction of writing and
/// bytes that are not UTF-8 become \xNN or \u{NNNN}; a backslash is doubled.
std::string safe_text(std::string_view text);

/// A word of the command line that was not expected there: what stands behind '=' may be a secret.
std::string unexpected_word(std::string_view word);

/// A finished line of ours with text from elsewhere in it: the same, but backslashes stay.
std::string safe_line(std::string_view line);

/// One JSON text, equivalent and on one line, without those characters.
std::string safe_json(std::string_view text);

/// The columns that `text`, which is safe, takes: its code points.
std::size_t width_of(std::string_view text);

}  // namespace mpb::ctl
