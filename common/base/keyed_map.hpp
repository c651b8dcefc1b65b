// The hash tables of all programs. Clients, workers, upstreams and hook servers choose keys, and so
// none may be able to tell which have one hash: the hash has a key, drawn for each process. No
// other hash tables are used; tools/check_hashes.py checks it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>

#include "proto/base/siphash.hpp"

namespace mpb {

/// This process's; drawn at the first call.
const SipKey& hash_key();

/// Of texts, numbers, addresses in memory and arrays of bytes. The same in all of a process's
/// tables, and another in each process.
struct KeyedHash {
  using is_transparent = void;
  using is_avalanching = void;  // as boost::unordered_flat_map asks

  // None is noexcept: libstdc++ then keeps hashes in the nodes, and does not reckon them again.
  std::size_t operator()(std::string_view text) const { return siphash13(hash_key(), text); }

  template <class T>
  requires std::is_integral_v<T> std::size_t operator()(T number) const {
    return of_word(static_cast<std::uint64_t>(number));
  }

  template <class T>
  requires(!std::is_same_v<std::remove_cv_t<T>, char>) std::size_t operator()(T* address) const {
    return of_word(reinterpret_cast<std::uintptr_t>(address));
  }

  template <std::size_t N>
  std::size_t operator()(const std::array<std::uint8_t, N>& bytes) const {
    return siphash13(hash_key(), {reinterpret_cast<const char*>(bytes.data()), N});
  }

 private:
  static std::size_t of_word(std::uint64_t word) {
    SipState state(hash_key());
    state.block(word);
    state.block(std::uint64_t{sizeof word} << 56);
    return state.finish();
  }
};

/// Texts are looked up as std::string_view, too.
template <class Key, class Value>
using KeyedMap = std::unordered_map<Key, Value, KeyedHash, std::equal_to<>>;
template <class Key>
using KeyedSet = std::unordered_set<Key, KeyedHash, std::equal_to<>>;

}  // namespace mpb
