#!/usr/bin/env python3
"""The library for workers in Python, without a broker: the test says what it would."""
import asyncio
import os
import pathlib
import socket
import struct
import sys
import unittest

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent.parent / "python"))
import mpbroker as m

PATIENCE = 20  # seconds; reached by a failure alone


class Channel:
    """Keeps what a worker sends."""

    def __init__(self):
        self.is_open = True
        self.sent = []  # type, id, payload

    def send(self, kind, ident=0, payload=b"", fds=(), flags=0, then=None):
        self.sent.append((kind, ident, payload))
        return True

    def of(self, kind):
        return [(ident, payload) for sent, ident, payload in self.sent if sent == kind]


class LettersTest(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        self.worker = m.Worker(lambda data: None, None)
        self.channel = self.worker._channel = Channel()
        self.worker._config = self.worker._config._replace(slot=0)

    async def asyncSetUp(self):
        self.worker._loop = asyncio.get_running_loop()
        self.worker._done = asyncio.Event()

    def credit(self, letters=1024, size=1 << 20):
        self.worker._take_credit(struct.pack("<III", letters, size, 1))

    def letter(self, topic, kind=m.NEWS, correlation=0, fd=None, sender=m.Id(1, 1), payload=b""):
        body = struct.pack("<HxxI", *sender) + struct.pack("<B7xQ", kind, correlation)
        passed = m._Passed(fd)
        self.worker._on_message(m.LETTER, 0, 0, body + m.text(topic) + m.text(payload), passed)
        passed.close()

    def event(self, kind, worker=m.OPERATOR):
        head = struct.pack("<BxHIQ", m.EVENTS.index(kind), *worker, 0)
        self.worker._take_event(head + m.text(b""))

    def know(self, *workers):
        for worker in workers:
            self.event("online", worker)
        self.event("current")

    def end_broker(self):
        self.channel.is_open = False
        self.worker._on_broker_gone()

    async def until(self, condition):
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0)

    async def test_a_topic_of_any_bytes_leaks_no_descriptor(self):
        heard = []
        self.worker.on("a\ufffd")(lambda letter: heard.append(letter.topic))
        for topic in (b"\xff", b"a\xff"):
            ours, theirs = os.pipe()
            os.close(theirs)
            self.letter(topic, fd=ours)
            await self.until(lambda: not self.worker._tasks)
            with self.assertRaises(OSError):
                os.fstat(ours)
        self.assertEqual(heard, ["a\ufffd"])

    async def test_the_descriptor_of_a_message_that_cannot_be_read_is_closed(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        got = []

        def take(kind, flags, ident, body, passed):
            got.append(passed._fd)
            raise ValueError("as a message may that is not understood")

        failures = []
        self.worker._loop.set_exception_handler(lambda loop, context: failures.append(context))
        channel = m._Channel(self.worker._loop, ours, take, lambda: None)
        kept, other = os.pipe()
        socket.send_fds(theirs, [m.HEADER.pack(2, m.LETTER, 0, 0, 0)], [kept])
        await self.until(lambda: failures)
        with self.assertRaises(OSError):
            os.fstat(got[0])
        channel.close()
        theirs.close()
        os.close(kept)
        os.close(other)


if __name__ == "__main__":
    unittest.main()
