#!/usr/bin/env python3
"""What talk_worker.cpp is, in Python."""
import collections
import os
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent.parent / "python"))
import mpbroker

heard, losses, events = [], [], []
counts = collections.Counter()


def key_of(data):
    key, end, _ = data.partition(b"\n")
    return (key, len(key) + 1) if end else None


async def echo(client):
    while data := await client.reader.read(4096):
        client.send(data)


worker = mpbroker.Worker(key_of, echo)


def name_of(worker_id):
    return "op" if worker_id == mpbroker.OPERATOR else "%d.%d" % worker_id


def pipe_end():
    kept, other = os.pipe()
    os.close(other)
    return kept


def to_of(text):
    if text == "all":
        return mpbroker.ALL
    if text == "op":
        return mpbroker.OPERATOR
    if text.startswith("g:"):
        return mpbroker.Group(text[2:])
    if text.startswith("k:"):
        return mpbroker.Owner(text[2:].encode())
    slot, dot, generation = text.partition(".")
    return mpbroker.Id(int(slot), int(generation)) if dot else int(slot)


@worker.on("news")
def hear(letter):
    text = letter.payload.decode()
    if letter.fd is not None:
        try:
            text = "sealed %d" % len(mpbroker.read_sealed(letter.fd, 1 << 20))
        except ValueError:
            text = "unsealed"
    heard.append("%s#%d %s\n" % (name_of(letter.sender), letter.number, text))


@worker.on("burst")
def burst(letter):
    counts["bursts"] += 1


@worker.on("echo")
def echo_letter(letter):
    return letter.payload


@worker.on("mute")
async def mute(letter):
    await worker._done.wait()


@worker.on("sum")
def add(letter):
    return (letter.payload + b"+" if letter.payload else b"") + name_of(worker.id).encode()


@worker.on("do")
async def obey(letter):
    return (await do(*letter.payload.decode().split(" "))).encode()


async def do(verb, *words):
    if verb == "send":
        sent = worker.send(to_of(words[0]), "news", " ".join(words[1:]).encode())
        return "full" if sent is None else "queued"
    if verb in ("sealed", "unsealed"):
        fd = mpbroker.make_sealed(b"x" * int(words[1])) if verb == "sealed" else pipe_end()
        sent = worker.send(to_of(words[0]), "news", fd=fd)
        os.close(fd)
        return "full" if sent is None else "queued"
    if verb == "burst":
        to, count, payload = to_of(words[0]), int(words[1]), b"x" * int(words[2])
        sent = 0
        while sent < count and worker.send(to, "burst", payload) is not None:
            sent += 1
        return str(sent)
    if verb == "request":
        try:
            text = " ".join(words[2:]).encode()
            answer = (await worker.request(to_of(words[0]), words[1], text, 2)).decode()
            return "%s: %s" % ("?", answer)
        except mpbroker.Lost as lost:
            return lost.why
    if verb == "gather":
        answers, missing = await worker.gather(words[0], " ".join(words[1:]).encode())
        lines = ["%s: %s\n" % (name_of(one), said.decode()) for one, said in sorted(answers.items())]
        lines += ["%s missing: %s\n" % (name_of(one), why) for one, why in sorted(missing.items())]
        return "".join(lines)
    if verb == "ring":
        total, _, skipped = await worker.ring("sum", " ".join(words).encode())
        return total.decode() + "".join(" without " + name_of(one) for one in skipped)
    if verb == "join":
        worker.join(words[0])
        return "joined"
    if verb == "leave":
        worker.leave(words[0])
        return "left"
    if verb == "watch":
        worker.on_event(note_event)
        return "watching"
    if verb == "counts":
        return "bursts %(bursts)d full %(full)d gone %(gone)d rooms %(rooms)d" % counts
    return "".join({"heard": heard, "losses": losses, "events": events}[verb])


def note_event(event):
    if event.kind != "message":  # these come with the test's own questions
        events.append(f"{event.kind} {name_of(event.worker)}\n")


@worker.on_loss
def lose(number, receiver, why):
    losses.append(f"{name_of(receiver)} {why}\n")
    counts["full"] += why == "too much waits for it"
    counts["gone"] += why == "it is gone"


@worker.on_room
def note_room():
    counts["rooms"] += 1


counts.update(bursts=0, full=0, gone=0, rooms=0)
worker.run()
