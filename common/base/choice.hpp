// Values that are one of a few words.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/error.hpp"

namespace mpb {

template <class T>
using Choice = std::pair<std::string_view, T>;

/// The value that the word stands for; the error lists the words.
template <class T, std::size_t N>
Result<T> choose(std::string_view word, const std::array<Choice<T>, N>& choices) {
  std::string words;
  for (const auto& [known, value] : choices) {
    if (known == word) return value;
    words.append(words.empty() ? "" : ", ").append(known);
  }
  return usage_error("expected one of " + words);
}

/// The word for a value, which must be among the choices.
template <class T, std::size_t N>
std::string word_for(const T& value, const std::array<Choice<T>, N>& choices) {
  for (const auto& [word, known] : choices) {
    if (known == value) return std::string(word);
  }
  return {};
}

}  // namespace mpb
