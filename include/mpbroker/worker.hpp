// A worker program: the protocols and handlers that it knows, and its main function. How it is
// started is in README.md, what it may do in docs/security.md.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mpbroker/classifier.hpp"
#include "mpbroker/environment.hpp"
#include "mpbroker/handler.hpp"

namespace mpb {

/// What a handler needs of the system besides its clients. Nothing else is left to the worker once
/// it is ready (sandbox = strict), for good: what its process is taken over for cannot have more.
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

/// Protocols and handlers by the names used in configuration. Empty at first.
class Registry {
 public:
  /// Called for each listener, in the worker that has it.
  using ClassifierFactory =
      std::function<std::unique_ptr<Classifier>(Environment&, const ListenerTraits&)>;
  using HandlerFactory =
      std::function<std::unique_ptr<Handler>(Environment&, const ListenerTraits&)>;

  /// `default_handler` serves listeners that name no handler.
  void add_protocol(std::string name, std::string default_handler, ClassifierFactory factory) {
    Protocol& protocol = protocols_[std::move(name)];
    protocol.default_handler = std::move(default_handler);
    protocol.classifier = std::move(factory);
  }
  /// `needs`: what its workers keep besides their clients when there is a sandbox. A handler that
  /// declares nothing can neither connect nor open files nor start programs.
  void add_handler(const std::string& protocol, const std::string& name, HandlerFactory factory,
                   Needs needs = {}) {
    protocols_[protocol].handlers[name] = {std::move(factory), std::move(needs)};
  }

  /// The factories need no more than their handlers do while they serve. Workers that a zygote
  /// forks then inherit most of what confines them, instead of each making it anew: that is
  /// cheaper.
  void confine_early() { confined_early_ = true; }
  [[nodiscard]] bool confined_early() const { return confined_early_; }

  struct Serving {
    HandlerFactory factory;
    Needs needs;
  };
  struct Protocol {
    std::string default_handler;
    ClassifierFactory classifier;  // none: handlers were added for a protocol that was not
    std::map<std::string, Serving, std::less<>> handlers;
  };
  using Protocols = std::map<std::string, Protocol, std::less<>>;
  [[nodiscard]] const Protocols& protocols() const { return protocols_; }

 private:
  Protocols protocols_;
  bool confined_early_ = false;
};

/// The protocols `control` and `ping` of mpworker, with the handler `echo` each. Those of RTMP are
/// in mpbroker/rtmp.hpp.
void add_echo(Registry& registry);

/// The main function of a worker program: under a broker (its channel is descriptor 3 and
/// MPBROKER_CHANNEL=3 is in the environment), or alone with --listen and --protocol, whose default
/// is `control` whatever the Registry has. Returns the exit code: 0, 1 (failure) or 2 (wrong usage
/// or configuration). A worker that was forked by a zygote ends in it: what the program does behind
/// it, and at its exit, is done by processes that were run.
int worker_main(int argc, char** argv, const Registry& registry);

}  // namespace mpb
