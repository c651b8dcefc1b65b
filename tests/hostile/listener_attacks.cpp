// What a worker can do to the descriptors that it shares with others: the listener that all have,
// and a client of which it has kept a copy.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "tests/hostile/attack.hpp"

namespace mpb::hostile {
namespace {

constexpr std::chrono::microseconds kPause{200};

void set(int socket, int level, int option, int value) {
  ::setsockopt(socket, level, option, &value, sizeof value);
}

void make_blocking(int socket) {
  ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) & ~O_NONBLOCK);
}

/// Nothing that arrives is taken, and nobody can take the filter off.
void drop_all(int socket) {
  sock_filter drop{BPF_RET | BPF_K, 0, 0, 0};
  const sock_fprog program{1, &drop};
  ::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
  set(socket, SOL_SOCKET, SO_LOCK_FILTER, 1);
}

/// Whatever comes without a signature is dropped; no option tells of the key.
void want_signatures(int socket) {
  tcp_md5sig key{};
  key.tcpm_flags = TCP_MD5SIG_FLAG_PREFIX;
  key.tcpm_addr.ss_family = AF_INET;
  key.tcpm_keylen = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_MD5SIG_EXT, &key, sizeof key);
}

/// What would make those wait, or turn in circles, who have a client that inherits it.
void set_what_holds_up(int socket) {
  const linger patience{1, 60};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &patience, sizeof patience);
  const timeval for_ever{60, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &for_ever, sizeof for_ever);
  set(socket, SOL_SOCKET, SO_TIMESTAMPING,
      SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE);
}

void set_what_harms_clients(int socket) {
  set(socket, SOL_SOCKET, SO_RCVLOWAT, 1 << 20);
  set(socket, SOL_SOCKET, SO_RCVBUF, 1);
}

void spoil(int listener) {
  make_blocking(listener);
  set_what_holds_up(listener);
  set_what_harms_clients(listener);
  set(listener, IPPROTO_IP, IP_MINTTL, 255);
  want_signatures(listener);
  drop_all(listener);
}

void spoil_and_end(Rogue& rogue) {
  spoil(rogue.listening_socket());
  ::_exit(0);
}

void spoil_and_stay(Rogue& rogue) {
  spoil(rogue.listening_socket());
}

/// For as long as this process lives.
template <class F>
void again_and_again(F&& act) {
  std::thread([act] {
    while (true) {
      act();
      std::this_thread::sleep_for(kPause);
    }
  }).detach();
}

void unblock_for_ever(Rogue& rogue) {
  const int listener = rogue.listening_socket();
  again_and_again([listener] { make_blocking(listener); });
}

void hold_up_for_ever(Rogue& rogue) {
  const int listener = rogue.listening_socket();
  again_and_again([listener] { set_what_holds_up(listener); });
}

/// The worker in slot 0 gets a client of which this one does all it can to a copy.
void torment_a_client(Rogue& rogue) {
  static Connection connection = tcp_connection();
  const int copy = connection.server.get();
  channel::Handoff message;
  message.client.key = "7";
  message.client.unconsumed = "WW";
  rogue.hand_off(message, copy);
  again_and_again([copy] {
    make_blocking(copy);
    set_what_holds_up(copy);
    set_what_harms_clients(copy);
    char byte = 0;
    ::recv(copy, &byte, 1, MSG_DONTWAIT);
    ::send(copy, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL);  // a time stamp of it fills the error queue
    ::send(connection.client.get(), "WM", 2, MSG_DONTWAIT | MSG_NOSIGNAL);
  });
  rogue.behave_until([&] { return rogue.verdicts() == 1; });
}

constexpr Attack kAttacks[] = {
    {"spoil-listener-and-end", Stage::kOnline, spoil_and_end},
    {"spoil-listener", Stage::kOnline, spoil_and_stay},
    {"unblock-listener-for-ever", Stage::kOnline, unblock_for_ever},
    {"hold-up-clients-for-ever", Stage::kOnline, hold_up_for_ever},
    {"torment-a-client", Stage::kOnline, torment_a_client},
};

}  // namespace

std::span<const Attack> listener_attacks() {
  return kAttacks;
}

}  // namespace mpb::hostile
