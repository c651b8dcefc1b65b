// Gives back the memory of hash tables out of which most was taken.
#pragma once

#include <cstddef>

namespace mpb {

/// After an erase. Costs, over many, a constant time for each; iterators hold no longer.
template <class HashTable>
void shrink_if_sparse(HashTable& table) {
  constexpr std::size_t kSmall = 64;  // buckets
  constexpr std::size_t kSparse = 8;  // buckets for each element
  const std::size_t buckets = table.bucket_count();
  if (buckets > kSmall && table.size() < buckets / kSparse) table.rehash(0);
}

}  // namespace mpb
