// Descriptors that another process has passed on, and what they may be. Whoever passed one may have
// seen to it that close(2) waits for somebody: SO_LINGER on a socket whose peer does not read, a
// file system whose server does not answer, a unix socket with more of the like in its queue. So
// nothing but a TCP socket is closed in the caller's thread: all else goes to threads that only
// close, which are started when there is something for them and end when there is no more.
#pragma once

#include <sys/types.h>

#include <cstddef>

#include "common/base/unique_fd.hpp"

namespace mpb {

enum class StreamKind : unsigned char {
  kTcp,    // or MPTCP
  kUnix,   // SOCK_STREAM
  kOther,  // anything else, also a socket that listens
};
// Both ask the kernel alone: no file system is asked, whatever the descriptor is of.
StreamKind stream_kind(int fd);
/// A socket of any kind, a pipe, or a file in memory (memfd_create(2)): what letters may carry.
bool is_for_letters(int fd);
/// Of those whom a listening socket gives.
StreamKind client_kind(int listener);

/// A descriptor that came from another process, and what it was found to be.
struct ForeignDescriptor {
  UniqueFd fd;
  StreamKind kind = StreamKind::kOther;
};

/// Closes a descriptor whose last copy it may be; waits for nobody. A TCP socket does not linger.
void close_foreign(UniqueFd fd);
void close_foreign(ForeignDescriptor descriptor);
/// Closes one that few would make linger: a client's, or a copy of what was just passed on. Nothing
/// is asked or switched off for it. The first TCP socket that lingers all the same waits until the
/// turn's guard interrupts it (common/io/turn_guard.hpp); for some minutes after that none lingers.
void close_client(ForeignDescriptor descriptor);
/// Closes it in one of those threads, whatever it is.
void close_elsewhere(UniqueFd fd);

/// recv(2) with MSG_DONTWAIT, of bytes alone. Whoever writes to a unix socket can pass descriptors
/// along with them (SCM_RIGHTS): recv(2) itself would close these, and wait for it.
ssize_t receive_bytes(int socket, void* bytes, std::size_t size);

/// How many wait for their close(2) to begin or to return.
std::size_t descriptors_closing();
/// More than should: those threads are held up.
bool closing_is_held_up();

/// Switches SO_LINGER off: the last close(2) would wait for a client that does not read.
void dont_linger(int fd);

}  // namespace mpb
