// Whole lines to a descriptor whose reader may be slow, stopped or gone.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "common/log/prompt_output.hpp"

namespace mpb {

/// A line that finds no room is lost, and counted. When lines can be written again, the first tells
/// how many were lost.
class LineOutput {
 public:
  /// The longest line, newline included: what a pipe takes as a whole or not at all (PIPE_BUF).
  static constexpr std::size_t kLongest = 4096;

  /// `loss_text`: the line that tells that so many were lost, newline included. `fd` stays open.
  LineOutput(int fd, std::function<std::string(std::uint64_t lines)> loss_text)
      : output_(fd), loss_text_(std::move(loss_text)) {}

  /// `line` ends in a newline; one that is too long is cut.
  void write(std::string_view line);
  /// Tells of lost lines, if there are any and it can. Cheap if there are none.
  void catch_up();
  /// How many were lost so far, told or not.
  [[nodiscard]] std::uint64_t lost() const { return lost_; }

 private:
  /// True when nothing stands in the way of another line.
  bool settle();
  /// False: nothing of it was written.
  bool begin(std::string_view line);

  PromptOutput output_;
  std::function<std::string(std::uint64_t)> loss_text_;
  std::string rest_;  // of a line that was begun
  std::uint64_t lost_ = 0;
  std::uint64_t untold_ = 0;
};

}  // namespace mpb
