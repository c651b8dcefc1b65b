#include "bench/mpclient/id_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "common/base/units.hpp"

namespace mpb::load {
namespace {

constexpr std::int64_t kMinId = std::numeric_limits<std::int32_t>::min();
constexpr std::int64_t kMaxId = std::numeric_limits<std::int32_t>::max();
constexpr double kMaxExponent = 10;

/// SplitMix64 (Steele, Lea, Flood 2014): advances `state` and returns 64 well mixed bits.
std::uint64_t next_random(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/// In [0, 1).
double next_unit(std::uint64_t& state) {
  return static_cast<double>(next_random(state) >> 11) * 0x1.0p-53;
}

/// (exp(x) - 1) / x and log(1 + x) / x, steady around 0.
double expm1_ratio(double x) {
  return std::abs(x) > 1e-8 ? std::expm1(x) / x : 1 + x / 2;
}
double log1p_ratio(double x) {
  return std::abs(x) > 1e-8 ? std::log1p(x) / x : 1 - x / 2;
}

Result<double> parse_exponent(std::string_view text) {
  double value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || end != text.data() + text.size() || !(value > 0) ||
      value > kMaxExponent) {
    return usage_error(
        fmt::format("'{}' is not a zipf exponent above 0, at most {}", text, kMaxExponent));
  }
  return value;
}

}  // namespace

IdSource::IdSource(Kind kind, std::int64_t parameter, double exponent, std::uint64_t seed)
    : kind_(kind), parameter_(parameter), exponent_(exponent), seed_(seed) {
  if (kind_ != Kind::kZipf) return;
  zipf_low_ = zipf_integral(1.5) - 1;
  zipf_high_ = zipf_integral(static_cast<double>(parameter_) + 0.5);
  zipf_shortcut_ = 2 - zipf_integral_inverse(zipf_integral(2.5) - zipf_density(2));
}

Result<IdSource> IdSource::parse(std::string_view text, std::uint64_t seed) {
  const auto colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  std::string_view rest = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  if (text == "seq") return IdSource(Kind::kSequence, 0, 0, seed);
  if (kind == "seq" || kind == "fixed") {
    const auto id = parse_integer(rest, kMinId, kMaxId);
    if (!id) return id.error();
    return IdSource(kind == "seq" ? Kind::kSequence : Kind::kFixed, *id, 0, seed);
  }
  if (kind != "uniform" && kind != "zipf") {
    return usage_error(
        fmt::format("'{}' is not uniform:N, zipf:N, zipf:N,S, fixed:K, seq or seq:FIRST", text));
  }
  double exponent = 1;
  const auto comma = kind == "zipf" ? rest.find(',') : std::string_view::npos;
  if (comma != std::string_view::npos) {
    const auto parsed = parse_exponent(rest.substr(comma + 1));
    if (!parsed) return parsed.error();
    exponent = *parsed;
    rest = rest.substr(0, comma);
  }
  const auto ids = parse_integer(rest, 1, kMaxId);
  if (!ids) return ids.error();
  return IdSource(kind == "zipf" ? Kind::kZipf : Kind::kUniform, *ids, exponent, seed);
}

std::int32_t IdSource::id(std::uint64_t number) const {
  std::uint64_t state = seed_ ^ (number * 0xd1342543de82ef95);
  switch (kind_) {
    case Kind::kUniform: {
      const auto count = static_cast<std::uint64_t>(parameter_);
      return static_cast<std::int32_t>((next_random(state) >> 32) * count >> 32);
    }
    case Kind::kZipf:
      return zipf(state);
    case Kind::kFixed:
      return static_cast<std::int32_t>(parameter_);
    case Kind::kSequence:
      break;
  }
  // Wraps round from the largest id to the smallest.
  const auto first = static_cast<std::uint32_t>(parameter_);
  return static_cast<std::int32_t>(first + static_cast<std::uint32_t>(number));
}

std::int32_t IdSource::id_other_than(std::int32_t other, std::uint64_t number) const {
  const std::int32_t drawn = id(number);
  if (drawn != other) return drawn;
  if (kind_ == Kind::kUniform || kind_ == Kind::kZipf) {
    if (parameter_ > 1) return static_cast<std::int32_t>((std::int64_t{drawn} + 1) % parameter_);
  }
  return drawn == kMaxId ? drawn - 1 : drawn + 1;
}

// Rejection-inversion sampling for monotone discrete distributions (Hoermann, Derflinger 1996):
// no table, about one draw per id.
std::int32_t IdSource::zipf(std::uint64_t random_state) const {
  const auto count = static_cast<double>(parameter_);
  for (;;) {
    const double u = zipf_high_ + next_unit(random_state) * (zipf_low_ - zipf_high_);
    const double x = zipf_integral_inverse(u);
    const double rank = std::clamp(std::floor(x + 0.5), 1.0, count);
    if (rank - x <= zipf_shortcut_ || u >= zipf_integral(rank + 0.5) - zipf_density(rank)) {
      return static_cast<std::int32_t>(rank) - 1;
    }
  }
}

double IdSource::zipf_integral(double x) const {
  const double log_x = std::log(x);
  return expm1_ratio((1 - exponent_) * log_x) * log_x;
}

double IdSource::zipf_integral_inverse(double x) const {
  const double t = std::max(x * (1 - exponent_), -1.0);
  return std::exp(log1p_ratio(t) * x);
}

double IdSource::zipf_density(double x) const {
  return std::exp(-exponent_ * std::log(x));
}

}  // namespace mpb::load
