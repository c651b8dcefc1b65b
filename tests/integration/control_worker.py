#!/usr/bin/env python3
"""A worker that serves `control`, which moves clients whenever they say so, by python/mpbroker.py."""
import os
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "python"))
import mpbroker


def key_of(claim):
    return b"%d" % int.from_bytes(claim[1:5], "little", signed=True)


def whose(data):
    if data[:1] != b"C":
        return b"", 0
    return (key_of(data), 0) if len(data) >= 5 else None


async def serve(client):
    while command := await client.reader.read(1):
        text = b"hello, server ping!\0"
        if command == b"C":
            claim = command + await client.reader.readexactly(4)
            if key_of(claim) != client.key:
                raise mpbroker.Move(key_of(claim), claim)
        elif command == b"M":
            await client.reader.readuntil(b"\0")
        elif command == b"W":
            who = os.environ["MPBROKER_SLOT"].encode(), os.getpid(), client.key or b"-", client.hops
            text = b"worker=%s pid=%d id=%s hops=%d\0" % who
        else:
            client.send(b"error: expected C, M or W\0")
            return
        client.send(text)


if __name__ == "__main__":
    mpbroker.Worker(whose, serve, busy=b"busy\0").run()
