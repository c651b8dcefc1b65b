// What a column of an answer is: a line of one of the lists in common/answers/entries.hpp.
#pragma once

#include <string_view>

// The members of a struct, and its walk(), from a list of lines X(type, member). The type is the
// kind: std::string, std::uint64_t, double (finite, not negative), bool, or a block of counters,
// which are a column each. The member's name is the column's in JSON.
#define MPB_COLUMN_MEMBER(type, member) type member{};
#define MPB_COLUMN_VISIT(type, member) visit(::std::string_view(#member), entry.member);
#define MPB_COLUMNS(LIST)                         \
  LIST(MPB_COLUMN_MEMBER)                         \
  template <class Entry, class Visit>             \
  static void walk(Entry& entry, Visit&& visit) { \
    LIST(MPB_COLUMN_VISIT)                        \
  }
