#!/usr/bin/env python3
"""A worker of lines: the first says the key, each other one asks what this process may do."""
import os
import resource
import sys

sys.path.append(os.environ["TENANT_PYTHON"])
import mpbroker


def key_of(data):
    key, end, _ = data.partition(b"\n")
    return (key, len(key) + 1) if end else None


def answer(word, rest):
    if word == "read":
        with open(rest) as file:
            return file.read()
    if word == "return":  # to root
        os.setuid(0)
        return "root"
    if word == "who":
        return "%d %d %s" % (os.getuid(), os.getgid(), os.getgroups())
    if word == "nofile":
        return "%d %d" % resource.getrlimit(resource.RLIMIT_NOFILE)
    if word == "eat":
        try:
            return "ate %d" % len(bytearray(512 << 20))
        except MemoryError:
            os.abort()
    return "pid %d" % os.getpid()


async def serve(client):
    while line := await client.reader.readline():
        word, _, rest = line.decode().rstrip("\n").partition(" ")
        try:
            text = answer(word, rest)
        except OSError as error:
            text = error.strerror
        client.send(text.encode() + b"\n")


if __name__ == "__main__":
    mpbroker.Worker(key_of, serve, busy=b"busy\n").run()
