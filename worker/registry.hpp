// The protocols and handlers that a worker program knows, by the names used in configuration.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/error.hpp"
#include "proto/classifier.hpp"
#include "worker/environment.hpp"
#include "worker/handler.hpp"

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
  void add_handler(const std::string& protocol, const std::string& name, HandlerFactory factory);

  /// Pairs of a protocol's name and a handler's.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> handlers() const;

  struct Service {
    std::unique_ptr<Classifier> classifier;
    std::unique_ptr<Handler> handler;
  };
  /// An unknown name is a usage error that lists the known ones. `handler` empty: the default.
  [[nodiscard]] Result<Service> make(std::string_view protocol, std::string_view handler,
                                     Environment& environment, const ListenerTraits& traits) const;

 private:
  struct Protocol {
    std::string default_handler;
    ClassifierFactory classifier;
    std::map<std::string, HandlerFactory, std::less<>> handlers;
  };
  std::map<std::string, Protocol, std::less<>> protocols_;
};

}  // namespace mpb
