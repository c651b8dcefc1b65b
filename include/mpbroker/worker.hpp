// A worker program: the protocols and handlers that it knows, and its main function. How it is
// started is in README.md, what it may do in docs/security.md.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "mpbroker/classifier.hpp"
#include "mpbroker/environment.hpp"
#include "mpbroker/handler.hpp"
#include "mpbroker/needs.hpp"

namespace mpb {

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
};

/// The protocols `control` and `ping` of mpworker, with the handler `echo` each. Those of RTMP are
/// in mpbroker/rtmp.hpp.
void add_echo(Registry& registry);

/// The main function of a worker program: under a broker (its channel is descriptor 3 and
/// MPBROKER_CHANNEL=3 is in the environment), or alone with --listen and --protocol, whose default
/// is `control` whatever the Registry has. Returns the exit code: 0, 1 (failure) or 2 (wrong usage
/// or configuration).
int worker_main(int argc, char** argv, const Registry& registry);

}  // namespace mpb
