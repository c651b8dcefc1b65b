// What ps and top show of a process: its program's name, and what it is busy with.
#pragma once

#include <string_view>

namespace mpb {

/// First of all in main, while there is one thread: the title has its place where the command line
/// and the environment lie, and the latter moves elsewhere.
void keep_title_space(int argc, char** argv);

/// "PROGRAM: WHAT" as the command line (ps), and as much of it as fits as the name (15 bytes, top).
/// `what` is plain text; it is cut where there is no place for more. Without keep_title_space only
/// the name.
void set_process_title(std::string_view what);

}  // namespace mpb
