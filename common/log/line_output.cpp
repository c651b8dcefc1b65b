#include "common/log/line_output.hpp"

namespace mpb {

void LineOutput::write(std::string_view line) {
  constexpr std::string_view kCut = "...\n";
  std::string cut;
  if (line.size() > kLongest) {
    cut = line.substr(0, kLongest - kCut.size());
    line = cut += kCut;
  }
  if (settle() && begin(line)) return;
  ++lost_;
  ++untold_;
}

void LineOutput::catch_up() {
  if (untold_ > 0 || !rest_.empty()) settle();
}

bool LineOutput::settle() {
  if (!rest_.empty()) {
    const ssize_t written = output_.write(rest_);
    if (written > 0) rest_.erase(0, static_cast<std::size_t>(written));
    if (!rest_.empty()) return false;
  }
  if (untold_ == 0) return true;
  if (!begin(loss_text_(untold_))) return false;
  untold_ = 0;
  return rest_.empty();
}

bool LineOutput::begin(std::string_view line) {
  const ssize_t written = output_.write(line);
  if (written <= 0) return false;
  rest_ = line.substr(static_cast<std::size_t>(written));
  return true;
}

}  // namespace mpb
