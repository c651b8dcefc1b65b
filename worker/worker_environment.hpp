// The Environment as the worker and its own handlers have it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <typeindex>
#include <utility>
#include <vector>

#include "common/config/vhost_table.hpp"
#include "common/io/event_loop.hpp"
#include "mpbroker/environment.hpp"
#include "worker/clients/memory_budget.hpp"
#include "worker/link/notices.hpp"
#include "worker/tables/worker_tables.hpp"
#include "worker/talk/worker_bus.hpp"

namespace mpb {

class AsioHost;
struct AnswerContent;

/// The only kind of Environment in a worker.
class WorkerEnvironment final : public Environment {
 public:
  explicit WorkerEnvironment(EventLoop& event_loop)
      : loop(event_loop), letters(event_loop), tables(event_loop) {}
  WorkerEnvironment(const WorkerEnvironment&) = delete;
  WorkerEnvironment& operator=(const WorkerEnvironment&) = delete;
  /// Coroutines that wait for the tables end while both Asio and the tables are there.
  ~WorkerEnvironment() { tables.drop_callbacks(); }

  EventLoop& loop;
  VhostTable vhosts;
  std::uint16_t own_slot = 0;
  std::uint64_t gop_memory = 0;  // bytes that may be kept for players to begin with; 0: no limit
  Notices notices;               // see tell()
  MemoryBudget memory;           // of all that is held for clients (media-memory)
  WorkerBus letters;
  WorkerTables tables;                        // see shared()
  std::vector<MemoryKeeper*> memory_keepers;  // they outlive the clients, or take themselves out

  [[nodiscard]] std::uint16_t slot() const override { return own_slot; }
  boost::asio::io_context& asio() override;
  Bus& bus() override { return letters; }
  SharedTables& shared() override { return tables; }
  void tell(const Notice& notice, int socket = -1) override;
  /// Answers a question of the operator's ("streams", "kick"): see common/answers/record.hpp.
  using Responder = std::function<AnswerContent(std::string_view argument)>;
  void answer(std::string question, Responder responder) {
    responders_[std::move(question)] = std::move(responder);
  }
  /// Null: nobody here answers that.
  [[nodiscard]] const Responder* responder(const std::string& question) const {
    const auto found = responders_.find(question);
    return found == responders_.end() ? nullptr : &found->second;
  }

  /// As that of Environment; made with T(WorkerEnvironment&).
  template <class T>
  T& shared() {
    return shared_by<T>(*this);
  }

 private:
  std::shared_ptr<void>& shared_place(std::type_index type) override { return shared_[type]; }

  std::shared_ptr<AsioHost> asio_;  // first: it is to end last
  std::map<std::string, Responder> responders_;
  std::map<std::type_index, std::shared_ptr<void>> shared_;
};

}  // namespace mpb
