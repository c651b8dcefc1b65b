#!/usr/bin/env python3
"""A chat, whole: a client's first line names a room, its other lines are heard by all of the room.

    mpbroker --listen 127.0.0.1:1990 --protocol chat --workers 3 --worker-program ./chat_worker.py
    nc 127.0.0.1 1990

All members of a room meet in one process, whichever accepted them: a room is a plain set.
"""
import collections
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "python"))
import mpbroker

rooms = collections.defaultdict(set)


def room_of(data):
    name, end, _ = data.partition(b"\n")
    if len(name) > 64 or (end and not name):
        raise ValueError("bad name of a room")
    return (name, len(name) + 1) if end else None


async def chat(client):
    room = rooms[client.key]
    room.add(client)
    client.send(b"welcome to %s, %d here\n" % (client.key, len(room)))
    try:
        async for line in client.reader:
            for member in room:
                member.send(line)
    finally:
        room.discard(client)
        if not room:
            rooms.pop(client.key, None)


if __name__ == "__main__":
    mpbroker.Worker(room_of, chat, busy=b"busy\n").run()
