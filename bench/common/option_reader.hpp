// Reads and checks the values of a load client's command line.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include <boost/program_options.hpp>

#include "common/base/error.hpp"
#include "common/base/units.hpp"
#include "common/io/endpoint.hpp"

namespace mpb::load {

// No abbreviations: a script must not change its meaning when an option is added.
inline constexpr int kOptionStyle = (boost::program_options::command_line_style::unix_style &
                                     ~boost::program_options::command_line_style::allow_guessing);

/// The values of one command line, which are texts or flags; the first error stays.
class OptionReader {
 public:
  explicit OptionReader(const boost::program_options::variables_map& values) : values_(values) {}

  [[nodiscard]] bool given(const char* option) const;
  [[nodiscard]] bool flag(const char* option) const { return values_[option].as<bool>(); }
  [[nodiscard]] bool has(const char* option) const { return values_.count(option) > 0; }
  [[nodiscard]] const std::string& text(const char* option) const {
    return values_[option].as<std::string>();
  }

  /// Stores the value of `option`, when there is one, as `parse` reads it.
  template <class T, class Parse>
  void read(const char* option, T& value, Parse&& parse) {
    if (!has(option)) return;
    const auto parsed = parse(std::string_view(text(option)));
    if (parsed) {
      value = static_cast<T>(*parsed);
    } else {
      fail(usage_error(fmt::format("--{}: {}", option, parsed.error().text)));
    }
  }
  template <class T>
  void read_integer(const char* option, T& value, std::int64_t low, std::int64_t high) {
    read(option, value, [=](std::string_view text) { return parse_integer(text, low, high); });
  }
  /// More than 0.
  void read_duration(const char* option, Duration& value);
  void forbid(std::string_view with, std::initializer_list<const char*> options);

  void fail(Error error) {
    if (status_) status_ = std::move(error);
  }
  [[nodiscard]] const Status& status() const { return status_; }

 private:
  const boost::program_options::variables_map& values_;
  Status status_;
};

/// Clients a second.
Result<double> parse_rate(std::string_view text);
/// parse_endpoint, which knows no names, with the one name that needs no look-up: "localhost".
Result<Endpoint> parse_target(std::string_view text);
Result<Endpoint> parse_host_port(const std::string& host, const std::string& port);

}  // namespace mpb::load
