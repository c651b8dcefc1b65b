#include "mpbroker/asio.hpp"

#include <exception>
#include <memory>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

#include "common/io/rate_bucket.hpp"
#include "common/log/log.hpp"

namespace mpb {
namespace {

constexpr RateLimit kLines{3, Duration{60'000}};

class FunctionClassifier final : public Classifier {
 public:
  explicit FunctionClassifier(std::shared_ptr<const AsioService> service)
      : service_(std::move(service)) {}
  [[nodiscard]] Verdict classify(std::string_view bytes, Classification&) const override {
    return service_->key_of(bytes);
  }
  [[nodiscard]] std::string_view busy_reply() const override { return service_->busy; }

 private:
  std::shared_ptr<const AsioService> service_;
};

/// Logs why coroutines end by themselves. Coroutines may outlive their handler.
class Failures {
 public:
  void note(const std::exception_ptr& failure, const std::string& key) {
    if (!failure) return;
    try {
      std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
      if (is_of_client(error.code())) return;
      log(key, error.what());
    } catch (const std::exception& error) {
      log(key, error.what());
    } catch (...) {
      log(key, "it threw what is no std::exception");
    }
  }

 private:
  /// Clients come and go.
  static bool is_of_client(const boost::system::error_code& code) {
    namespace error = boost::asio::error;
    return code == error::eof || code == error::operation_aborted || code == error::broken_pipe ||
           code == error::connection_reset || code == error::bad_descriptor ||
           code == error::not_found;  // async_read_until: the buffer is full
  }
  void log(const std::string& key, const char* why) {
    const TimePoint now = Clock::now();
    if (!lines_.ready(now, kLines)) return lines_.hold_back();
    log_error("coroutine.failed")("key", key)("untold", lines_.take(now, kLines))("why", why);
  }

  RateBucket lines_;
};

struct LinkState final : ClientState {
  std::shared_ptr<AsioLink> link;
};

class CoroutineHandler final : public Handler {
 public:
  CoroutineHandler(Environment& environment, std::shared_ptr<const AsioService> service)
      : environment_(environment),
        context_(environment.asio()),
        service_(std::move(service)),
        failures_(std::make_shared<Failures>()) {}

  void on_open(Client& client) override {
    auto state = std::make_unique<LinkState>();
    state->link = std::make_shared<AsioLink>(context_, *client.connection);
    const auto link = state->link;
    client.state = std::move(state);
    const std::string key(client.key);
    auto ended = [service = service_, failures = failures_, link,
                  key](const std::exception_ptr& failure) { failures->note(failure, key); };
    boost::asio::co_spawn(
        context_, service_->serve(AsioClient(AsioStream(link), key, client.hops, environment_)),
        boost::asio::bind_cancellation_slot(link->cancellation(), std::move(ended)));
  }
  Step on_bytes(Client& client, std::string_view bytes, std::string&) override {
    return link_of(client).take(bytes);
  }
  void on_writable(Client& client) override { link_of(client).on_writable(); }
  [[nodiscard]] bool serves_half_closed() const override { return true; }
  void on_end(Client& client) override { link_of(client).on_end(); }
  void on_close(Client& client) override {
    if (client.state) link_of(client).on_close();
  }

 private:
  static AsioLink& link_of(const Client& client) {
    return *static_cast<LinkState&>(*client.state).link;
  }

  Environment& environment_;
  boost::asio::io_context& context_;
  std::shared_ptr<const AsioService> service_;
  std::shared_ptr<Failures> failures_;
};

}  // namespace

void add_service(Registry& registry, AsioService service) {
  const auto shared = std::make_shared<const AsioService>(std::move(service));
  registry.add_protocol(shared->protocol, "coroutine", [shared](auto&, auto&) {
    return std::make_unique<FunctionClassifier>(shared);
  });
  registry.add_handler(
      shared->protocol, "coroutine",
      [shared](Environment& environment, auto&) {
        if (shared->begin) shared->begin(environment);
        return std::make_unique<CoroutineHandler>(environment, shared);
      },
      shared->needs);
}

int serve(int argc, char** argv, AsioService service) {
  Registry registry;
  add_service(registry, std::move(service));
  return worker_main(argc, argv, registry);
}

}  // namespace mpb
