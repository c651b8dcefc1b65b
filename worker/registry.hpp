// The protocols and handlers that a worker program knows, by the names used in configuration.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/error.hpp"
#include "proto/classifier.hpp"
#include "worker/environment.hpp"
#include "worker/handler.hpp"
#include "worker/needs.hpp"

namespace mpb {

class Registry {
 public:
  /// Called for each listener, in the worker that has it.
  using ClassifierFactory =
      std::function<std::unique_ptr<Classifier>(Environment&, const ListenerTraits&)>;
  using HandlerFactory =
      std::function<std::unique_ptr<Handler>(Environment&, const ListenerTraits&)>;

  /// A registry with what mpworker itself knows: control and ping with `echo`, rtmp with `relay`
  /// and `forward`.
  static Registry with_defaults();

  /// `default_handler` serves listeners that name no handler.
  void add_protocol(std::string name, std::string default_handler, ClassifierFactory factory);
  /// `needs`: what its workers keep besides their clients when there is a sandbox. A handler that
  /// declares nothing can neither connect nor open files nor start programs.
  void add_handler(const std::string& protocol, const std::string& name, HandlerFactory factory,
                   Needs needs = {});

  /// Pairs of a protocol's name and a handler's.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> handlers() const;

  struct Service {
    std::unique_ptr<Classifier> classifier;
    std::unique_ptr<Handler> handler;
  };
  /// An unknown name is a usage error that lists the known ones. `handler` empty: the default.
  [[nodiscard]] Result<Service> make(std::string_view protocol, std::string_view handler,
                                     Environment& environment, const ListenerTraits& traits) const;

  /// Of one handler (empty: the protocol's default); none where make() fails.
  [[nodiscard]] Needs needs_of(std::string_view protocol, std::string_view handler) const;
  /// Of all handlers together.
  [[nodiscard]] Needs all_needs() const;

 private:
  struct Serving {
    HandlerFactory factory;
    Needs needs;
  };
  struct Protocol {
    std::string default_handler;
    ClassifierFactory classifier;
    std::map<std::string, Serving, std::less<>> handlers;
  };
  std::map<std::string, Protocol, std::less<>> protocols_;
};

}  // namespace mpb
