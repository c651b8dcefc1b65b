// Text from elsewhere, made harmless for whoever reads it: a log, a terminal, a service manager.
// Names and keys are clients' words; answers and errors have them in it.
#pragma once

#include <string>
#include <string_view>

#include "common/base/utf8.hpp"

namespace mpb {

/// Whether it is to be shown as it is. Not so: what is no UTF-8, control characters (C0, DEL, C1),
/// separators of lines and paragraphs, and what cannot be seen: characters that turn the direction
/// of the text around them, have no width, or only choose between forms of others. With these two
/// names could look alike, or a line like another.
bool is_plain(const CodePoint& code);
bool is_plain(std::string_view text);

/// Appends what stands for a character that is not plain, which `bytes` has: \xNN for a byte,
/// \u{NNNN} for more.
void append_escaped(std::string& line, const CodePoint& code, std::string_view bytes);

/// `text` with escapes for what is not plain. Backslashes stay, so that plain text stays as it is.
std::string plain_text(std::string_view text);
/// The same of several lines, whose ends stay.
std::string plain_lines(std::string_view text);

/// One JSON text, equivalent, plain, and on one line.
std::string plain_json(std::string_view json);

}  // namespace mpb
