#!/usr/bin/env python3
"""Sessions that outlive their worker: a client's first line is its session, each other line the
name that it wants to have.

    mpbroker --listen 127.0.0.1:1990 --protocol sessions --workers 3 \\
        --worker-program ./sessions_worker.py
    nc 127.0.0.1 1990

The table `sessions` is in all workers. Kill one: whoever comes in its place knows everybody before
its first client. `mpctl table sessions` shows it, `mpctl deny` keeps clients away.
"""
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "python"))
import mpbroker


def session_of(data):
    session, end, _ = data.partition(b"\n")
    if len(session) > 64 or (end and not session):
        raise ValueError("bad session")
    return (session, len(session) + 1) if end else None


async def serve(client):
    name = sessions.get(client.key)
    visits = await counts.add(b"visits")
    client.send((b"hello " + name if name else b"who are you?") + b" (visit %d)\n" % visits)
    async for line in client.reader:
        try:
            await sessions.put(client.key, line.rstrip(b"\n"), ttl=3600)
            client.send(b"hello " + line)
        except mpbroker.TableError as error:
            client.send(error.outcome.encode() + b"\n")


if __name__ == "__main__":
    worker = mpbroker.Worker(session_of, serve, busy=b"busy\n")
    sessions, counts = worker.shared("sessions"), worker.shared("counts")
    worker.run()
