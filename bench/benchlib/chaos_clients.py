"""Clients that count exactly what becomes of them while processes of the service die. Each talks the
control protocol: C and a 32-bit id claim a key, W asks who serves."""

import collections
import errno
import random
import selectors
import socket
import struct
import threading
import time

ANSWER_LIMIT = 20  # seconds; a client without an answer for so long is lost
IDLE_BASE = 1_000_000  # ids of idle clients begin here, those of pairs behind them


class Lost(Exception):
    """Why a client is lost."""


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), ANSWER_LIMIT)
        self.rest = b""

    def line(self):
        while b"\0" not in self.rest:
            data = self.socket.recv(65536)
            if not data:
                raise Lost("end of the connection")
            self.rest += data
        line, self.rest = self.rest.split(b"\0", 1)
        return line.decode()

    def claim(self, ident):
        self.socket.sendall(b"C" + struct.pack("<i", ident))
        said = self.line()
        if not said.startswith("hello"):
            raise Lost(f"told '{said}'")

    def who(self):
        """What serves it: the worker's pid, and the id it is known by."""
        self.socket.sendall(b"W")
        while not (said := self.line()).startswith("worker="):
            if not said.startswith("hello"):
                raise Lost(f"told '{said}'")
        fields = dict(word.split("=", 1) for word in said.split())
        return int(fields["pid"]), int(fields["id"])

    def close(self):
        self.socket.close()


class Crowd:
    """All clients of a run, and the books about them."""

    def __init__(self, port, seed):
        self.port = port
        self.seed = seed
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.served = collections.Counter()   # by kind
        self.lost = collections.Counter()     # by kind and reason: the service's fault
        self.excused = collections.Counter()  # by kind: served by a worker that was killed meanwhile
        self.gaps = []                        # seconds until an idle client's answer
        self.killed = set()                   # pids of workers
        self.pinned = set()                   # ids that go elsewhere while their worker is away
        self.threads = []
        self.idle = []
        self.last_pid = {}                    # of idle clients, by place

    def start(self, newcomers, movers, pairs, idle):
        for place in range(idle):
            self.idle.append(self._join(IDLE_BASE + place, place))
        for kind, count in ((self._come_and_go, newcomers), (self._move, movers),
                            (self._stay_in_pairs, pairs)):
            for number in range(count):
                self._run(kind, number)
        self._run(self._visit_idle, 0)

    def _join(self, ident, place):
        client = Client(self.port)
        client.claim(ident)
        self.last_pid[place] = client.who()[0]
        return client

    def _run(self, what, number):
        thread = threading.Thread(target=what, args=(number,), daemon=True)
        self.threads.append(thread)
        thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(2 * ANSWER_LIMIT)
        for client in self.idle:
            if client is not None:
                client.close()

    def note_killed(self, pid):
        with self.lock:
            self.killed.add(pid)

    def _count(self, kind):
        with self.lock:
            self.served[kind] += 1

    def _lose(self, kind, why, pids):
        if isinstance(why, OSError) and not isinstance(why, TimeoutError):
            why = errno.errorcode.get(why.errno, "?")
        elif isinstance(why, TimeoutError):
            why = f"no answer in {ANSWER_LIMIT} s"
        with self.lock:
            if any(pid in self.killed for pid in pids):
                self.excused[kind] += 1
            else:
                self.lost[f"{kind}: {why}"] += 1

    def _random(self, kind, number):
        return random.Random(f"{self.seed} {kind} {number}")

    def _come_and_go(self, number):
        """Short clients: two of one id meet in one process."""
        dice = self._random("new", number)
        while not self.stopping.is_set():
            pids, clients = [], []
            try:
                ident = dice.randrange(1, 500)
                for _ in range(2):
                    client = Client(self.port)
                    clients.append(client)
                    client.claim(ident)
                    pid, told = client.who()
                    pids.append(pid)
                    if told != ident:
                        raise Lost("another's id")
                if clients[0].who()[0] != pids[1] and ident not in self.pinned:
                    raise Lost("two owners of one key")
                self._count("new")
            except (Lost, OSError) as why:
                # One that has not heard who serves it may have been on its way to anybody.
                self._lose("new", why, pids if len(pids) == 2 else [*pids, *self.killed])
            for client in clients:
                client.close()

    def _move(self, number):
        """A client that claims one key after the other."""
        dice = self._random("move", number)
        client, pid = None, 0
        while not self.stopping.is_set():
            try:
                client = client or Client(self.port)
                ident = dice.randrange(1, 500)
                client.claim(ident)
                pid, told = client.who()
                if told != ident:
                    raise Lost("another's id")
                self._count("move")
            except (Lost, OSError) as why:
                self._lose("move", why, [pid, *self.killed])
                client = None
            self.stopping.wait(0.005)

    def _stay_in_pairs(self, number):
        """Two clients of one id for a long time: always in one process."""
        ident = 2 * IDLE_BASE + number
        pair, pids = [], []
        while not self.stopping.is_set():
            try:
                if not pair:
                    for _ in range(2):
                        client = Client(self.port)
                        pair.append(client)
                        client.claim(ident)
                pids = [client.who()[0] for client in pair]
                if pids[0] != pids[1]:
                    raise Lost("two owners of one key")
                self._count("pair")
            except (Lost, OSError) as why:
                self._lose("pair", why, [*pids, *self.killed])
                for client in pair:
                    client.close()
                pair = []
            self.stopping.wait(0.02)

    def _visit_idle(self, _):
        """Asks one idle client after the other, 500 a second; hears of those that ended."""
        selector = selectors.DefaultSelector()
        for place, client in enumerate(self.idle):
            selector.register(client.socket, selectors.EVENT_READ, place)
        place = 0
        while self.idle and not self.stopping.wait(0.002):
            for key, _ in selector.select(0):
                self._ask_idle(key.data, selector)
            place = (place + 1) % len(self.idle)
            if self.idle[place] is None:
                self._join_again(place, selector)
            else:
                self._ask_idle(place, selector)

    def _ask_idle(self, place, selector):
        client = self.idle[place]
        try:
            begun = time.monotonic()
            pid, told = client.who()
            self.gaps.append(time.monotonic() - begun)
            if told != IDLE_BASE + place:
                raise Lost("another's id")
            if pid != self.last_pid[place]:
                raise Lost("another process, and nothing moved it")
            self._count("idle")
        except (Lost, OSError) as why:
            self._lose("idle", why, [self.last_pid[place]])
            selector.unregister(client.socket)
            client.close()
            self.idle[place] = None
            self._join_again(place, selector)

    def _join_again(self, place, selector):
        try:
            self.idle[place] = self._join(IDLE_BASE + place, place)
            selector.register(self.idle[place].socket, selectors.EVENT_READ, place)
        except (Lost, OSError) as why:
            self._lose("idle", why, self.killed)
