// Which id each client names: the shape of the load on the owners.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/error.hpp"

namespace mpb::load {

/// An id for every client number. A pure function of the seed and the number, so that a run gives
/// the same ids however many threads share it, and all threads can use one object.
class IdSource {
 public:
  /// "uniform:N" (0 to N-1), "zipf:N" or "zipf:N,S" (0 is the most frequent; exponent S, default
  /// 1), "fixed:K", "seq" or "seq:FIRST" (the client's number, from FIRST on).
  static Result<IdSource> parse(std::string_view text, std::uint64_t seed);

  [[nodiscard]] std::int32_t id(std::uint64_t number) const;
  /// As id(), but never `other`.
  [[nodiscard]] std::int32_t id_other_than(std::int32_t other, std::uint64_t number) const;

 private:
  enum class Kind { kUniform, kZipf, kFixed, kSequence };

  IdSource(Kind kind, std::int64_t parameter, double exponent, std::uint64_t seed);
  [[nodiscard]] std::int32_t zipf(std::uint64_t random_state) const;
  [[nodiscard]] double zipf_integral(double x) const;
  [[nodiscard]] double zipf_integral_inverse(double x) const;
  [[nodiscard]] double zipf_density(double x) const;

  Kind kind_;
  std::int64_t parameter_;  // N, K or FIRST
  double exponent_;
  std::uint64_t seed_;
  double zipf_low_ = 0;  // the integral's range over all ids
  double zipf_high_ = 0;
  double zipf_shortcut_ = 0;
};

}  // namespace mpb::load
