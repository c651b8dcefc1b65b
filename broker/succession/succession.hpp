// What outlives this broker, and what the one before it has left: descriptors with the holder, and
// the state. Without a holder there is nothing of either.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "broker/dispatch/worker_table.hpp"
#include "broker/succession/kept_memory.hpp"
#include "broker/succession/state.hpp"
#include "broker/succession/state_pages.hpp"
#include "common/base/unique_fd.hpp"
#include "common/io/event_loop.hpp"
#include "common/process/descriptor_store.hpp"
#include "common/process/exit_reports.hpp"
#include "common/process/service_manager.hpp"

namespace mpb {

class Succession {
 public:
  explicit Succession(EventLoop& loop);
  Succession(const Succession&) = delete;
  Succession& operator=(const Succession&) = delete;

  /// Takes what is its own of what was passed at the start; gives the rest. Once.
  std::vector<PassedDescriptor> begin(std::vector<PassedDescriptor> passed);
  [[nodiscard]] bool held() const { return store_.held(); }
  /// Of the broker before this one, whose service goes on; null: there is none.
  [[nodiscard]] const BrokerState* predecessor() const {
    return predecessor_ ? &*predecessor_ : nullptr;
  }
  [[nodiscard]] ExitReports& exits() { return exits_; }
  /// Where the shared tables are kept; empty: nowhere.
  [[nodiscard]] std::span<std::byte> tables_memory() const { return tables_.bytes(); }

  // Of the broker before; invalid, or nothing: not there.
  UniqueFd take_control();
  UniqueFd take_listener(std::uint16_t number);
  /// Those that were not taken: their addresses are free.
  void drop_listeners();
  struct Process {
    UniqueFd channel;
    UniqueFd pidfd;
  };
  std::optional<Process> take_process(Slot slot, std::uint32_t generation);
  /// Ends the processes that were not taken, and forgets what else was not.
  void end_rest();

  /// In the place of what was kept, unless that is the same socket.
  void keep_control(int socket);
  /// Those that are there now, by number; all others are kept no longer.
  void keep_listeners(const std::map<std::uint16_t, int>& sockets);
  void keep_process(Slot slot, std::uint32_t generation, int channel, int pidfd);
  void forget_process(Slot slot, std::uint32_t generation);

  /// Something of the state has changed: it is to be written at the turn's end.
  void note_change() { changed_ = true; }
  [[nodiscard]] bool has_changed() const { return changed_; }
  /// What the next broker begins with.
  void write(const BrokerState& state);
  /// Calls `action` once all that was kept before is with the holder: at a turn's end, or at once
  /// without a holder.
  void when_kept(std::function<void()> action);
  /// After the state was written.
  void end_turn();

 private:
  UniqueFd take(const std::string& name);
  void keep_socket(const std::string& name, int socket);
  bool keep(const std::string& name, int descriptor);
  void take_state();
  void take_tables();
  void retry(const Error& why);

  EventLoop& loop_;
  DescriptorStore store_;
  KeptMemory file_;
  std::optional<StatePages> pages_;  // of it
  KeptMemory tables_;
  ExitReports exits_;
  std::optional<BrokerState> predecessor_;
  std::map<std::string, UniqueFd> left_;  // by the broker before, and not taken yet
  std::map<std::string, ino_t> kept_;     // sockets that the holder has
  std::vector<std::function<void()>> waiting_;
  bool changed_ = false;
  bool paused_ = false;  // until the holder is asked again
  int tries_ = 0;
  bool too_long_ = false;
};

}  // namespace mpb
