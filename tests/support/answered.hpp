// What a worker's handlers answer to a question, read as the broker reads it.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "common/answers/record.hpp"
#include "worker/worker_environment.hpp"

namespace mpb::test {

/// Throws when nobody answers that, or the records are broken.
template <class Entry>
Listing<Entry> answered(const WorkerEnvironment& environment, std::string_view argument = {}) {
  const auto* responder = environment.responder(std::string(Entry::kQuestion));
  if (responder == nullptr) throw std::runtime_error("nobody answers");
  const AnswerContent content = (*responder)(argument);
  Listing<Entry> listing;
  take_values(listing.totals, content.totals);
  const bool whole = read_records<Entry>(
      content.records, [&listing](Entry entry) { listing.entries.push_back(std::move(entry)); });
  if (!whole) throw std::runtime_error("broken records");
  return listing;
}

}  // namespace mpb::test
