// The options of a listening socket, so that what another process that shares the socket does to
// them can be undone: most of them are inherited by every client that is accepted.
#pragma once

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
};

/// Takes O_NONBLOCK (and not O_ASYNC) for granted again. True: somebody had changed it.
bool mend_flags(int socket);

}  // namespace mpb
