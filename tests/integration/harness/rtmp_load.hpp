// mprtmp as a witness: a publisher and players that stay, and what they met.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "tests/integration/harness/child_process.hpp"

namespace mpb::test {

class RtmpLoad {
 public:
  /// Starts mprtmp against the port; `arguments` say what it does. It stays until it is told to
  /// end.
  RtmpLoad(const TempFolder& folder, std::uint16_t port, const std::vector<std::string>& arguments);

  /// Waits until every player has had its key frame: from then on pauses count.
  bool settled(Duration limit = kPatience);
  void signal(int number) const { process_->signal(number); }
  /// Ends it and reads its report.
  void stop(Duration limit = kPatience);

  // Of the report.
  [[nodiscard]] const boost::json::object& report() const { return report_; }
  /// The number at a path such as "video.lost", rounded.
  [[nodiscard]] std::int64_t number(std::string_view path) const;
  /// Empty: every player was served to the end, from a key frame on, without a lost frame or a
  /// time that goes back. Else what was wrong.
  [[nodiscard]] std::string complaint() const;
  /// The longest time that a player was without a picture, beyond what its own publisher was late.
  [[nodiscard]] Duration longest_pause() const;

 private:
  std::string json_;
  std::string log_;
  std::unique_ptr<ChildProcess> process_;
  boost::json::object report_;
};

}  // namespace mpb::test
