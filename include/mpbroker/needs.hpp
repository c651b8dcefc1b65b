// What a handler needs of the system besides its clients. Nothing else is left to the worker once
// it is ready (sandbox = strict), for good: what its process is taken over for cannot have more.
#pragma once

#include <string>
#include <vector>

namespace mpb {

struct Needs {
  bool connect = false;   // connections to others, by address or name: hooks, upstreams, databases
  bool listen = false;    // sockets of its own that others connect to
  bool programs = false;  // starts programs, which are held to all that the worker is held to
  std::vector<std::string> read{};   // files and folders; system libraries need not be named
  std::vector<std::string> write{};  // the same to write, make and remove files in

  /// What a worker needs that serves with both.
  void add(const Needs& other) {
    connect = connect || other.connect;
    listen = listen || other.listen;
    programs = programs || other.programs;
    read.insert(read.end(), other.read.begin(), other.read.end());
    write.insert(write.end(), other.write.begin(), other.write.end());
  }
  /// Whether who has these calls left can serve a handler that needs `other`.
  [[nodiscard]] bool leave_calls_for(const Needs& other) const {
    return (connect || !other.connect) && (listen || !other.listen) &&
           (programs || !other.programs) && (!write.empty() || other.write.empty());
  }
};

}  // namespace mpb
