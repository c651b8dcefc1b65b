// Very many clients at once.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/integration/harness/client.hpp"

namespace mpb::test {

/// Raises this process's descriptor limit as far as it goes, and returns what is left for clients.
std::size_t descriptors_for_clients();

class Crowd {
 public:
  /// Connects `count` clients; they say nothing yet.
  Crowd(std::uint16_t port, std::size_t count);

  /// All say 'C' with an id and 'W' at once, then read the answers. `id_of` gives the id of the
  /// client with a number. Returns how many got the right answers; the rest is in `failures`.
  template <class IdOf>
  std::size_t join(IdOf&& id_of) {
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      ids_[i] = static_cast<std::int32_t>(id_of(i));
      clients_[i].send(claim_bytes(ids_[i]) + "W");
    }
    return read_answers();
  }
  /// All send a message, then all read the answer. Returns how many were greeted.
  std::size_t message();

  [[nodiscard]] std::vector<Client>& clients() { return clients_; }
  [[nodiscard]] const std::vector<Who>& who() const { return who_; }
  /// How many of them each worker serves, by slot.
  [[nodiscard]] std::map<int, std::size_t> per_worker() const;
  /// Ids that are served by more than one worker.
  [[nodiscard]] std::vector<std::int32_t> split_ids() const;
  /// Wrong answers and how often they came.
  [[nodiscard]] std::string failures() const;

 private:
  std::size_t read_answers();

  std::vector<Client> clients_;
  std::vector<std::int32_t> ids_;
  std::vector<Who> who_;
  std::map<std::string, int> failures_;
};

}  // namespace mpb::test
