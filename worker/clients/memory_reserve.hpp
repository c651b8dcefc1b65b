// What becomes of a worker that is refused memory. Within a client's own work the refusal is
// std::bad_alloc, and ends that client. Everywhere else, where nobody could be ended for it, a
// reserve is given up instead, and taken back when there is memory again.
#pragma once

#include <cstddef>

namespace mpb {

class MemoryReserve {
 public:
  static constexpr std::size_t kSize = 2UL * 1024 * 1024;

  /// At most one in a process: it is what `new` falls back upon (std::set_new_handler).
  MemoryReserve();
  ~MemoryReserve();
  MemoryReserve(const MemoryReserve&) = delete;
  MemoryReserve& operator=(const MemoryReserve&) = delete;

  /// Whether memory was refused since the last call, to anybody.
  [[nodiscard]] bool was_short();
  /// Takes the reserve back, if it was given up and there is memory.
  void restore();

  /// While one is there, a client is at work.
  class ClientWork {
   public:
    ClientWork() { ++depth; }
    ~ClientWork() { --depth; }
    ClientWork(const ClientWork&) = delete;
    ClientWork& operator=(const ClientWork&) = delete;

   private:
    friend class MemoryReserve;
    static thread_local int depth;
  };

 private:
  static void give_up();
};

}  // namespace mpb
