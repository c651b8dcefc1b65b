// One connection to the control socket: lines in, requests one at a time, lines out.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "broker/operator/control_socket.hpp"

namespace mpb {

/// Always held by a shared_ptr: replies and timers hold it weakly.
class ControlConnection final : private EventHandler,
                                public std::enable_shared_from_this<ControlConnection> {
 public:
  using OnClosed = std::function<void(const ControlConnection&)>;

  /// `on_closed` is called once, when the connection closes by itself.
  ControlConnection(EventLoop& loop, const OnRequest& on_request, const ControlLimits& limits,
                    UniqueFd socket, OnClosed on_closed);
  ControlConnection(const ControlConnection&) = delete;
  ControlConnection& operator=(const ControlConnection&) = delete;
  ~ControlConnection();

  Status start();
  /// Empty: to events; else to the changes of this shared table.
  [[nodiscard]] bool subscribed_to(std::string_view topic) const {
    return subscribed_ && topic_ == topic;
  }
  /// `line` ends with a newline. May close the connection.
  void publish(std::string_view line);
  /// Without on_closed.
  void shut();

 private:
  void on_events(std::uint32_t events) override;
  void receive();
  void serve();
  [[nodiscard]] bool may_serve() const;
  std::size_t line_end();
  std::optional<std::string> take_line();
  void begin_request(std::string_view line);
  void ask(const boost::json::object& request);
  void on_reply(std::uint64_t number, const boost::json::object& reply);
  void answer(const boost::json::object& reply);
  void serve_next_turn();
  void finish_turn();
  bool send_output();
  void watch_what_matters();
  void restart_idle_limit();
  void close();

  [[nodiscard]] bool is_open() const { return socket_.valid(); }
  [[nodiscard]] std::size_t unread() const { return output_.size() - sent_; }

  EventLoop& loop_;
  const OnRequest& on_request_;
  const ControlLimits& limits_;
  UniqueFd socket_;
  OnClosed on_closed_;
  Watch watch_;
  std::uint32_t watched_ = 0;
  EventLoop::TimerId idle_timer_{};
  std::string input_;
  std::size_t searched_ = 0;  // of input_: there is no line end before
  std::string output_;
  std::size_t sent_ = 0;        // of output_
  std::uint64_t requests_ = 0;  // the number of the latest one
  bool awaiting_ = false;       // its reply
  bool serving_ = false;        // a reply that comes now is one from within on_request
  bool turn_planned_ = false;
  bool input_ended_ = false;
  bool ends_ = false;  // once its output is sent
  bool subscribed_ = false;
  std::string topic_;  // see subscribed_to()
};

}  // namespace mpb
