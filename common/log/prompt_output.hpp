// A descriptor that is written to without waiting, whatever it is: a file, a pipe, a terminal, a
// socket.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string_view>

#include "common/base/unique_fd.hpp"
#include "common/log/background_writer.hpp"

namespace mpb {

/// The flags of the descriptor stay as they are: others share them (the parent, its other
/// children), and would find theirs non-blocking all of a sudden, or make ours blocking again.
class PromptOutput {
 public:
  /// `fd` stays open.
  explicit PromptOutput(int fd) : fd_(fd) {}

  /// Writes as much of `text`, lines that end in newlines, as there is room for now; -1 when there
  /// is none or it cannot be written. Raises SIGPIPE or SIGXFSZ where write(2) does.
  ssize_t write(std::string_view text);

 private:
  enum class Way {
    kNone,        // none yet: looked for with each write
    kSend,        // a socket
    kDirect,      // a file: it does not wait for a reader
    kReopened,    // a pipe or terminal, through flags of our own
    kBackground,  // one that may not be opened again
  };
  [[nodiscard]] Way find_way();
  Way reopen();

  int fd_;
  Way way_ = Way::kNone;
  UniqueFd reopened_;
  std::optional<BackgroundWriter> background_;
};

}  // namespace mpb
