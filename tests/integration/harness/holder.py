#!/usr/bin/env python3
"""A holder of descriptors for tests: runs a program, keeps what it stores by sd_notify(3), and runs
it again with all of that when a signal has killed it. Ends as the program does when it ends by
itself.

    holder.py PROGRAM [ARGUMENT...]
"""

import array
import ctypes
import os
import select
import signal
import socket
import struct
import sys

PR_SET_CHILD_SUBREAPER = 36
PAUSE = 0.02  # seconds between a death and the next start

store = []  # name, descriptor


def take(message, fds):
    said = dict(line.split("=", 1) for line in message.decode().splitlines() if "=" in line)
    if said.get("FDSTORE") == "1":
        store.extend((said.get("FDNAME", "stored"), fd) for fd in fds)
        return
    if said.get("FDSTOREREMOVE") == "1":
        for entry in [entry for entry in store if entry[0] == said.get("FDNAME")]:
            store.remove(entry)
            os.close(entry[1])
    for fd in fds:  # that of BARRIER=1: closed once all before it is done
        os.close(fd)


def start(notify_name, exits):
    """The program, with all descriptors from 3 on."""
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        passed = [*store, ("mpb-exits", exits)]
        high = [os.dup(fd) for _, fd in passed]
        floor = max([*high, 3 + len(passed)]) + 1
        moved = []
        for fd in high:  # out of the way of the numbers that they get
            target = floor + len(moved)
            os.dup2(fd, target)
            moved.append(target)
        for number, fd in enumerate(moved):
            os.dup2(fd, 3 + number, inheritable=True)
        os.closerange(3 + len(passed), floor + len(moved) + 16)
        environment = dict(os.environ)
        environment["NOTIFY_SOCKET"] = notify_name
        environment["MPBROKER_HOLDER"] = "guard"
        environment["LISTEN_PID"] = str(os.getpid())
        environment["LISTEN_FDS"] = str(len(passed))
        environment["LISTEN_FDNAMES"] = ":".join(name for name, _ in passed)
        os.execve(sys.argv[1], sys.argv[1:], environment)
    finally:
        os._exit(127)


def main():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    name = "@mpb-holder-%d" % os.getpid()
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    notify.bind("\0" + name[1:])
    exits_here, exits_there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    exits_here.setblocking(False)
    wanted = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    for number in wanted:
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, wanted)
    program = start(name, exits_there.fileno())
    while True:
        select.select([notify, wake_read], [], [])
        while True:
            try:
                message, ancillary, _, _ = notify.recvmsg(8192, socket.CMSG_SPACE(64 * 4))
            except BlockingIOError:
                break
            fds = array.array("i")
            for _, _, data in ancillary:
                fds.frombytes(data[: len(data) - len(data) % 4])
            take(message, list(fds))
        try:
            signals = os.read(wake_read, 64)
        except BlockingIOError:
            signals = b""
        for number in signals:
            if number != signal.SIGCHLD:
                os.kill(program, number)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid != program:
                try:
                    exits_here.send(struct.pack("<Ii", pid, status))
                except OSError:
                    pass
            elif os.WIFSIGNALED(status):
                # What it said before its end is stored for the next.
                while select.select([notify], [], [], 0)[0]:
                    message, ancillary, _, _ = notify.recvmsg(8192, socket.CMSG_SPACE(64 * 4))
                    fds = array.array("i")
                    for _, _, data in ancillary:
                        fds.frombytes(data[: len(data) - len(data) % 4])
                    take(message, list(fds))
                select.select([], [], [], PAUSE)
                program = start(name, exits_there.fileno())
            else:
                sys.exit(os.WEXITSTATUS(status))


main()
