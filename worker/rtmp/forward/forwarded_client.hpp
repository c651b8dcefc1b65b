// A client that is forwarded: tries upstreams until one answers its connect, then moves bytes
// between the two sockets. An idle one costs two descriptors, its own and the upstream's; a pipe
// (two more) only while the reader of a direction does not keep up.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/io/event_loop.hpp"
#include "mpbroker/handler.hpp"
#include "worker/rtmp/forward/splice_path.hpp"
#include "worker/rtmp/forward/upstream_dial.hpp"
#include "worker/rtmp/forward/upstreams.hpp"

namespace mpb::rtmp {

/// What a client asked for, and who is asked in its name.
struct ForwardRequest {
  std::string vhost;
  std::shared_ptr<const VhostSettings> settings;
  std::string address;     // the client's, as the upstream is told it
  std::string bytes;       // chunks as they came, from the first behind C2 on, connect among them
  double transaction = 0;  // of connect
};

class ForwardedClient final : public ClientState {
 public:
  ForwardedClient(Upstreams& upstreams, Connection& connection);
  ForwardedClient(const ForwardedClient&) = delete;
  ForwardedClient& operator=(const ForwardedClient&) = delete;
  ~ForwardedClient() override;

  /// Takes the client's socket over, in the next turn of the loop. Until an upstream has answered,
  /// nothing more is read from it: what it sends waits in the kernel.
  void begin(ForwardRequest request);
  /// Lets go of everything; the connection is ended by somebody else.
  void leave();

 private:
  /// One of the two sockets in the loop.
  class Side final : public EventHandler {
   public:
    using React = void (ForwardedClient::*)(std::uint32_t);
    Side(ForwardedClient& owner, React react) : owner_(owner), react_(react) {}
    /// False: the kernel refuses.
    bool watch(int fd, std::uint32_t events);
    void unwatch();

   private:
    void on_events(std::uint32_t events) override;

    ForwardedClient& owner_;
    React react_;
    Watch watch_;
    int fd_ = -1;
    std::uint32_t watched_ = 0;
  };

  /// What is needed until an upstream has answered.
  struct Search {
    ForwardRequest request;
    std::shared_ptr<UpstreamSet> set;
    std::vector<std::size_t> tried;        // the last one is being tried
    std::vector<Endpoint> addresses;       // of that one, which are tried in turn
    std::size_t next_address = 0;          // behind the one that is being tried
    std::string why;                       // the address before did not serve
    bool blamed = false;                   // the upstream, for one of its addresses
    std::optional<std::uint64_t> look_up;  // of its name
    std::optional<UpstreamDial> dial;
  };

  enum class Dialled : std::uint8_t { kBegun, kFailed, kNoDescriptor };

  /// Does what an event asks for. Is there no memory for it, the client is ended.
  template <class F>
  void work(F&& what);
  void note_memory();
  void try_next();
  /// False: it has to wait for a name's addresses.
  bool find_addresses(std::size_t number);
  Dialled dial(const Endpoint& address);
  void address_failed(std::string_view why);
  void on_dial_event(std::uint32_t events);
  /// `blames`: the upstream, not what this client sent it or something here.
  void give_up_on(std::string_view why, bool blames);
  [[nodiscard]] std::string upstream_prefix() const;
  /// Tells the client that nobody serves it, and ends it.
  void refuse(Reason reason, std::string_view description);

  void on_client(std::uint32_t events);
  void on_upstream(std::uint32_t events);
  void start_relaying();
  /// Each true when bytes moved.
  bool pump_up();
  bool pump_down();
  bool pump(SplicePath& path, int source, int sink);
  void go_on(bool sent, bool received);
  /// Ends the upstream's connection at once, the client's when all is written.
  void end();
  void restart_timer(Duration delay, void (ForwardedClient::*action)());
  void stop_timer();
  void on_dial_timeout();

  Upstreams& upstreams_;
  Connection& connection_;
  std::unique_ptr<Search> search_;  // null: relaying
  std::string vhost_;               // once relaying
  std::shared_ptr<void> seat_;      // at the upstream, once relaying
  UniqueFd upstream_;
  Side client_side_;
  Side upstream_side_;
  SplicePath up_;    // client to upstream
  SplicePath down_;  // upstream to client
  std::optional<EventLoop::TimerId> timer_;
  bool copies_ = false;        // bytes go through this process: see SplicePath::pump
  bool client_ended_ = false;  // and the upstream was told
  bool unread_ = false;        // bytes wait for the client to read
};

}  // namespace mpb::rtmp
