#!/usr/bin/env python3
"""The library for workers in Python, without a broker: the test says what it would."""
import asyncio
import itertools
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
        if not self.worker._subscribed:
            self.worker._subscribe()
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

    async def test_what_the_broker_would_eject_the_worker_for_is_an_error_of_the_caller(self):
        self.credit()
        before = len(self.channel.sent)
        for to in (m.Owner(b"k" * 1025, 0), m.Group("g" * 1025)):
            self.worker._spaces[0] = 0
            with self.assertRaises(ValueError):
                self.worker.send(to, "t")
        for group in ("", "g" * 65, "\u00e4" * 33):
            with self.assertRaises(ValueError):
                self.worker.join(group)
        self.assertEqual(len(self.channel.sent), before)
        for number in range(64):
            self.worker.join(str(number))
        self.worker.join("0")
        with self.assertRaises(ValueError):
            self.worker.join("more")
        self.worker.leave("0")
        self.worker.leave("0")
        self.worker.join("more")
        self.assertEqual(len(self.channel.of(m.JOIN)), 64 + 2)

    async def test_a_change_of_a_table_that_no_message_bears_is_not_sent(self):
        tables = self.worker._tables
        tables.begin(self.channel)
        tables._window = 10
        for name, key, outcome in (
            ("t", b"", "bad-key"), ("t", b"k" * 256, "bad-key"), ("t" * 65, b"k", "bad-name"),
            ("", b"k", "bad-name"), ("t", b"k" * 100_000, "bad-key"),
        ):  # fmt: skip
            with self.assertRaises(m.TableError) as error:
                await tables.shared(name).put(key, b"")
            self.assertEqual(error.exception.outcome, outcome)
        self.assertEqual(self.channel.sent, [])

    async def test_a_report_tells_the_next_broker_all_that_it_must_know(self):
        worker = self.worker
        worker._config = worker._config._replace(window=4)
        worker._owned[1, b"room"] = 7
        worker._parked[9] = None
        worker._adopted[3] = [(11, 12)]
        worker._ready = True
        worker._on_message(m.RESYNC, 0, 5, b"", m._Passed(None))
        ((ident, body),) = self.channel.of(m.RESYNC_REPORT)
        self.assertEqual(ident, 5)
        unsettled, adopted, owned, deliveries = itertools.islice(m.read_texts(body, 8), 4)
        self.assertEqual(unsettled, struct.pack("<Q", 9))
        self.assertEqual(adopted, struct.pack("<QH6x", 11, 3))
        self.assertEqual(list(m.read_keys(m.text(owned))), [(7, 1, b"room")])
        self.assertEqual(deliveries, struct.pack("<Q", 12))

    async def test_a_request_to_the_broker_before_fails_at_once(self):
        self.credit()
        asked = asyncio.ensure_future(self.worker.request(1, "t", timeout=PATIENCE))
        await self.until(lambda: self.channel.of(m.POST))
        self.worker._on_message(m.RESYNC, 0, 5, b"", m._Passed(None))
        with self.assertRaises(m.Lost) as lost:
            await asked
        self.assertEqual(lost.exception.why, m.NO_BROKER)
        self.assertIsNone(self.worker.send(1, "t"), "there is no credit yet")
        self.credit()
        self.assertIsNotNone(self.worker.send(1, "t"))

    async def test_gather_asks_again_who_is_there_after_events_were_lost(self):
        self.credit()
        self.know(m.Id(0, 1))
        self.event("lost")
        gathering = asyncio.create_task(self.worker.gather("t", timeout=PATIENCE))
        await asyncio.sleep(0)
        self.assertEqual(self.channel.of(m.POST), [], "it is not known who is there")
        self.know(m.Id(0, 1), m.Id(1, 1))
        await self.until(lambda: self.channel.of(m.POST))
        [(letter, _)] = self.channel.of(m.POST)
        for slot in (0, 1, 1):
            self.letter(b"", m.REPLY, letter, sender=m.Id(slot, 1), payload=b"%d" % slot)
        answers, missing = await gathering
        self.assertEqual(answers, {m.Id(0, 1): b"0", m.Id(1, 1): b"1"})
        self.assertEqual(missing, {})

    async def test_an_answer_of_one_that_came_meanwhile_counts(self):
        self.credit()
        self.know(m.Id(0, 1))
        gathering = asyncio.create_task(self.worker.gather("t", timeout=PATIENCE))
        await self.until(lambda: self.channel.of(m.POST))
        [(letter, _)] = self.channel.of(m.POST)
        for slot in (7, 0):
            self.letter(b"", m.REPLY, letter, sender=m.Id(slot, 1))
        self.assertEqual(await gathering, ({m.Id(7, 1): b"", m.Id(0, 1): b""}, {}))

    async def test_all_that_wait_for_room_get_it(self):
        self.know(m.Id(0, 1))
        gatherings = [
            asyncio.create_task(self.worker.gather("t", timeout=PATIENCE)) for _ in range(3)
        ]
        await asyncio.sleep(0)
        self.credit()
        await self.until(lambda: len(self.channel.of(m.POST)) == 3)
        for letter, _ in self.channel.of(m.POST):
            self.letter(b"", m.REPLY, letter, sender=m.Id(0, 1), payload=b"yes")
        for gathered in await asyncio.gather(*gatherings):
            self.assertEqual(gathered, ({m.Id(0, 1): b"yes"}, {}))

    async def test_time_counts_from_the_call_on(self):
        unknown = {m.OPERATOR: m.TIMEOUT}
        self.assertEqual(await self.worker.gather("t", timeout=0.01), ({}, unknown))
        self.assertEqual(await self.worker.ring("t", b"p", timeout=0.01), (b"p", [], unknown))
        self.know(m.Id(0, 1))  # and there is no room
        self.assertEqual(await self.worker.gather("t", timeout=0.01), ({}, {m.Id(0, 1): m.TIMEOUT}))

    async def test_the_end_of_the_broker_ends_what_waits_and_what_comes_later(self):
        self.credit()
        self.know(m.Id(0, 1))
        asked = asyncio.create_task(self.worker.gather("t", timeout=PATIENCE * 9))
        await self.until(lambda: self.channel.of(m.POST))
        self.worker._subscribe()  # all is to be told anew
        waiting = asyncio.create_task(self.worker.gather("t", timeout=PATIENCE * 9))
        ring = asyncio.create_task(self.worker.ring("t", b"p", timeout=PATIENCE * 9))
        await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE):
            self.end_broker()
            self.assertEqual(await asked, ({}, {m.Id(0, 1): m.NO_BROKER}))
            self.assertEqual(await waiting, ({}, {m.OPERATOR: m.NO_BROKER}))
            self.assertEqual(await ring, (b"p", [], {m.OPERATOR: m.NO_BROKER}))
            self.assertEqual(
                await self.worker.gather("t", timeout=PATIENCE * 9), ({}, {m.OPERATOR: m.NO_BROKER})
            )
            with self.assertRaises(m.Lost) as lost:
                await self.worker.request(1, "t")
            self.assertEqual(lost.exception.why, m.NO_BROKER)

    async def test_answers_that_find_no_room_are_posted_when_there_is(self):
        self.credit(1)
        self.worker.on("q")(lambda letter: b"answer")
        for correlation in range(5):
            self.letter(b"q", m.REQUEST, correlation)
        self.letter(b"nobody takes it", m.REQUEST, 5)
        await self.until(lambda: not self.worker._tasks)
        self.assertEqual(len(self.channel.of(m.POST)), 1)
        self.credit()
        self.assertEqual(len(self.channel.of(m.POST)), 6)
        self.assertEqual(self.worker._answers_bytes, 0)

    async def test_answers_that_wait_are_bounded_and_what_is_dropped_is_logged(self):
        self.credit(0)
        for number in range(m.MAX_ANSWERS):
            self.worker._post_answer(m.Id(1, 1), m.REPLY, number, b"")
        with self.assertLogs("mpbroker", "WARNING"):
            self.worker._post_answer(m.Id(1, 1), m.REPLY, 1, b"")
        self.assertEqual(len(self.worker._answers), m.MAX_ANSWERS)
        with self.assertLogs("mpbroker", "WARNING"):
            self.end_broker()

    async def test_nobody_answers_for_the_slot_that_was_asked(self):
        self.credit()
        asked = asyncio.create_task(self.worker.request(3, "t", timeout=PATIENCE))
        await self.until(lambda: self.channel.of(m.POST))
        [(letter, _)] = self.channel.of(m.POST)
        self.letter(b"", m.REPLY, letter, sender=m.Id(4, 1), payload=b"a lie")
        self.letter(b"", m.REPLY, letter, sender=m.Id(3, 9), payload=b"yes")
        self.assertEqual(await asked, b"yes")
        self.assertNotEqual(self.worker._next_letter, m.Worker(None, None)._next_letter)


if __name__ == "__main__":
    unittest.main()
