#!/usr/bin/env python3
"""What mpguard guards in guard_test.py: tells the test of its start, and does what that says.
usage: guarded_program.py SOCKET"""
import array
import json
import os
import select
import signal
import socket
import sys
import time


def notify(text, fds=()):
    path = os.environ["NOTIFY_SOCKET"]
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.sendmsg([text.encode()], rights, 0, "\0" + path[1:] if path[0] == "@" else path)


def barrier():
    """Returns when all that was said before is done."""
    reading, writing = os.pipe()
    notify("BARRIER=1", [writing])
    os.close(writing)
    assert select.select([reading], [], [], 30)[0] and os.read(reading, 1) == b""
    os.close(reading)


def memory(content):
    fd = os.memfd_create("kept")
    os.write(fd, content)
    return fd


def keep(name, content):
    notify(f"FDSTORE=1\nFDPOLL=0\nFDNAME={name}", [memory(content)])


def kept():
    """Name and content, in order; "" for what is no file."""
    names = os.environ["LISTEN_FDNAMES"].split(":")
    def content(fd):
        try:
            return os.pread(fd, 100, 0).decode()
        except OSError:
            return ""
    return [(name, content(3 + i)) for i, name in enumerate(names)]


def exits():
    """The next process that the guard has adopted: its number and status."""
    fd = 3 + os.environ["LISTEN_FDNAMES"].split(":").index("mpb-exits")
    assert select.select([fd], [], [], 30)[0]
    return list(array.array("i", os.read(fd, 8)))


signals = []
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
    signal.signal(number, lambda got, frame: signals.append(got))

if __name__ == "__main__":
    link = socket.socket(socket.AF_UNIX)
    link.connect(sys.argv[1])
    lines = link.makefile("rw")
    lines.write(json.dumps({"pid": os.getpid(), "environment": dict(os.environ)}) + "\n")
    lines.flush()
    for line in lines:
        scope = dict(globals(), result=None)
        exec(json.loads(line), scope)
        lines.write(json.dumps(scope["result"]) + "\n")
        lines.flush()
