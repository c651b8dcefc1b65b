// The options of a listening socket, so that what another process that shares the socket does to
// them can be undone: most of them are inherited by every client that is accepted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mpb {

class SocketOptions {
 public:
  /// As they are now.
  void remember(int socket);

  struct Outcome {
    std::string changed;   // names of the options that were put back, between commas
    bool complete = true;  // false: one cannot be put back
  };
  Outcome restore(int socket) const;

 private:
  struct Value {
    std::size_t option;  // its place in the table
    std::string bytes;
  };
  std::vector<Value> values_;
  std::uint32_t attached_ = 0;  // bytes; see memory_of_options
};

/// Takes away what the kernel tells of errors, time stamps and copies, for which nobody here has
/// asked: while it is there, epoll(7) says EPOLLERR. And asks that no more comes.
void clear_error_queue(int socket);

/// Takes O_NONBLOCK (and not O_ASYNC) for granted again. True: somebody had changed it.
bool mend_flags(int socket);

}  // namespace mpb
