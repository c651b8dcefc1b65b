#!/usr/bin/env python3
"""The commands of tables_worker.cpp, without `record` and `fill`, in Python; and:

    go TABLE KEY VALUE WHOSE    puts, and before the result comes moves to WHOSE: no answer
    long TABLE N                puts under a key of N bytes
"""
import asyncio
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent.parent / "python"))
import mpbroker


def key_of(data):
    key, end, _ = data.partition(b"\n")
    return (key, len(key) + 1) if end else None


async def answer(line):
    command, name, *words = line.split()
    table = worker.shared(name.decode())
    if command == b"size":
        return b"%d" % len(table)
    if command == b"get":
        key = words[0]
        return b"%s %d" % (table[key], table.version(key)) if key in table else b"none"
    version, total = 0, 0
    try:
        if command == b"long":
            version = await table.put(bytes(int(words[0])), b"")
        elif command == b"put":
            version = await table.put(words[0], words[1], int(words[2]) / 1000 if words[2:] else 0)
        elif command == b"del":
            version = await table.erase(words[0])
        elif command == b"cap":
            version = await table.compare_and_put(words[0], words[1], int(words[2]))
        elif command == b"add":
            total = await table.add(words[0], int(words[1]))
    except mpbroker.TableError as error:
        return b"%s %d 0" % (error.outcome.encode(), error.version)
    return b"done %d %d" % (version or table.version(words[0]), total)


async def serve(client):
    async for line in client.reader:
        if line.startswith(b"go "):
            name, key, value, whose = line.split()[1:]
            put = asyncio.ensure_future(worker.shared(name.decode()).put(key, value))
            puts.add(put)
            put.add_done_callback(puts.discard)
            await asyncio.sleep(0)  # it is asked for now
            raise mpbroker.Move(whose)
        client.send(await answer(line) + b"\n")


puts = set()


if __name__ == "__main__":
    worker = mpbroker.Worker(key_of, serve, busy=b"busy\n")
    worker.run()
