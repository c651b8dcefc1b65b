// What a decoder gives: a value, or a sentence about what was wrong with the bytes.
#pragma once

#include <optional>
#include <string_view>
#include <utility>

namespace mpb {

template <class T>
class DecodeResult {
 public:
  DecodeResult(T value) : value_(std::move(value)) {}  // NOLINT(*-explicit-*): as Result<T> does
  static DecodeResult failure(std::string_view why) {
    DecodeResult result;
    result.why_ = why;
    return result;
  }

  explicit operator bool() const { return value_.has_value(); }
  [[nodiscard]] const T& operator*() const { return *value_; }
  [[nodiscard]] const T* operator->() const { return &*value_; }
  /// Static text, empty on success.
  [[nodiscard]] std::string_view why() const { return why_; }

 private:
  DecodeResult() = default;
  std::optional<T> value_;
  std::string_view why_;
};

}  // namespace mpb
