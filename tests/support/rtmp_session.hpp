// Drives an rtmp::Classifier as a session does, and writes what clients send to it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto/rtmp/classifier.hpp"

namespace mpb::test {

class RtmpSession {
 public:
  explicit RtmpSession(const rtmp::Classifier& classifier) : classifier_(classifier) {}

  /// Takes bytes as they come; after the last verdict nothing more is asked for.
  void feed(std::string_view segment);

  [[nodiscard]] const std::vector<Verdict>& verdicts() const { return verdicts_; }
  [[nodiscard]] const Verdict& last() const { return verdicts_.back(); }
  /// True once the client is routed, local or rejected.
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] const std::string& pending() const { return pending_; }
  /// The verdicts in a form to compare: of the handshake's answer, which is random, only the
  /// length.
  [[nodiscard]] std::vector<std::string> told() const;

 private:
  const rtmp::Classifier& classifier_;
  std::vector<Verdict> verdicts_;  // but for kNeedMore
  std::string pending_;
  Classification so_far_;
  bool ended_ = false;
};

/// C0C1 of the simple handshake, and C2 (which nobody checks).
std::string rtmp_hello();
std::string rtmp_c2();

/// The description in a `_error` reply with NetConnection.Connect.Rejected, else empty.
std::string rejected_description(std::string_view reply);

}  // namespace mpb::test
