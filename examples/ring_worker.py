#!/usr/bin/env python3
"""The memory of all workers, added up around the ring and told to all of them.

    mpbroker --listen 127.0.0.1:1990 --protocol ring --workers 4 --worker-program ./ring_worker.py
    nc 127.0.0.1 1990      each line is answered: how many KiB, of how many workers, as told to all
"""
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "python"))
import mpbroker

total = b"not known yet"


def memory_in_use():  # KiB
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4


async def serve(client):
    async for _ in client.reader:
        client.send(b"before: %s\n" % total)
        memory, visited, _ = await worker.ring("add", b"0")
        news = b"%s KiB in %d" % (memory, len(visited))
        worker.send(mpbroker.ALL, "total", news)
        client.send(b"total: %s\n" % news)


worker = mpbroker.Worker(lambda data: (b"", 0), serve)


@worker.on("add")
def add(letter):
    return b"%d" % (int(letter.payload) + memory_in_use())


@worker.on("total")
def learn(letter):
    global total
    total = letter.payload


if __name__ == "__main__":
    worker.run()
