"""Workers for mpbroker in Python: one module, asyncio, the standard library.

    import mpbroker

    def room_of(data):                      # whose is this client?
        name, end, _ = data.partition(b"\\n")
        return (name, len(name) + 1) if end else None

    async def echo(client):                 # serve it
        async for line in client.reader:
            client.send(line)

    mpbroker.Worker(room_of, echo).run()

    mpbroker --listen 127.0.0.1:1990 --protocol any --worker-program ./that.py

Workers talk to one another by letters: a topic, up to 32 KiB, perhaps a descriptor (section 12):

    worker = mpbroker.Worker(room_of, echo)

    @worker.on("memory")                    # what it returns is the answer
    def memory(letter):
        return b"%d" % memory_in_use()

    worker.send(mpbroker.ALL, "news", b"...")         # False: there is no room, see on_room
    answer = await worker.request(3, "memory")        # of worker 3; raises Lost
    answers, missing = await worker.gather("memory")  # of all
    total, visited, skipped = await worker.ring("sum", b"0")

Written from docs/channel-protocol.md, whose sections the comments name. Not kept here: the limits
on idle clients and on clients of one address.
"""

import array
import asyncio
import collections
import contextlib
import errno
import fcntl
import ipaddress
import itertools
import logging
import os
import re
import select
import selectors
import signal
import socket
import struct
import termios

log = logging.getLogger("mpbroker")

MAX_DATAGRAM = 98_320
MAX_KEY = 1_024
MAX_UNCONSUMED = 81_920
MAX_CLIENT = MAX_DATAGRAM - 80  # key and unconsumed together
MAX_UNSENT = 256 * 1024  # bytes that may wait for a client
ACCEPTS_AT_ONCE = 16
ACCEPT_PAUSE = 0.1  # seconds until there may be descriptors again
DESCRIPTOR_PAUSE = 0.02  # seconds until the kernel may pass descriptors again

VERSION = 2
HEADER = struct.Struct("<BBHIQ")  # version, type, flags, length, id

# Message types (section 3).
CONFIGURE, LISTEN, UNLISTEN, START, DELIVER, KEEP, SETTLED, NACK = range(0x01, 0x09)
DISOWN, DRAIN, PING, RESYNC, QUERY = 0x0A, 0x0B, 0x0C, 0x0D, 0x0F
OWN = 0x09
READY, HANDOFF, ACK, IDLE, LOAD, PONG = 0x11, 0x12, 0x13, 0x15, 0x16, 0x17
RESYNC_REPORT, ANSWER, BYE = 0x18, 0x19, 0x1B
POST, LETTER, UNDELIVERABLE, CREDIT, JOIN, SUBSCRIBE, EVENT = range(0x20, 0x27)
TABLES, TABLE_CHANGES, TABLE_RESULTS, TABLE_OPERATION = 0x30, 0x31, 0x32, 0x38

# Reasons of a Nack (section 5).
FULL, DRAINING, NO_DESCRIPTOR, UNKNOWN, RETRY, _, _, UNCERTAIN = range(1, 9)

# Operations on shared tables, and what becomes of them (section 13).
PUT, ERASE, COMPARE_AND_PUT, ADD = range(1, 5)
OUTCOMES = ["done", "conflict", "not-found", "full", "no-number", "bad-name", "bad-key", "too-long"]
OUTCOMES += ["forbidden"]
MAX_OPERATIONS = 65_536  # that have no result yet

# Of settings that Configure does not say (section 4).
DEFAULTS = [0, 0, 60_000, 10_000, 0, 10_000, 10_000, 1_000, 30_000]
# What to do when the channel ends, the 13th of them.
AFTER_BROKER, SERVE, FOLLOWERS = 12, 0, 2
FEWEST_ADOPTIONS = 256  # of each origin, that are remembered for the next broker

# What a letter is, and to whom it goes (section 12).
NEWS, REQUEST, REPLY, REFUSAL = range(4)
TO_WORKER, TO_SLOT, TO_ALL, TO_OWNER, TO_GROUP, TO_OPERATORS = range(6)
MAX_TOPIC, MAX_PAYLOAD = 64, 32 * 1024
MAX_GROUPS = 64  # that a worker is in; a name has as many bytes as a topic
SHARE_LETTERS, SHARE_BYTES = 512, 512 * 1024  # that may wait for one receiver
MAX_ANSWERS, MAX_ANSWERS_BYTES = 1_024, 4 * 1024 * 1024  # that wait for room

Id = collections.namedtuple("Id", "slot generation")  # a worker; its successor is another
Owner = collections.namedtuple("Owner", "key listener", defaults=[None])  # of a key
Group = collections.namedtuple("Group", "name")
ALL = object()  # every worker, the sender too
OPERATOR = Id(0xFFFF, 0)  # mpctl

LOSSES = (
    "none", "no such worker", "it is gone", "too much waits for it", "nobody owns the key",
    "nobody is in the group", "the descriptor was lost", "it takes no such requests",
    "no answer in time", "the broker is gone",
)  # fmt: skip
FULL_MAILBOX, REFUSED, TIMEOUT, NO_BROKER = LOSSES[3], LOSSES[7], LOSSES[8], LOSSES[9]
EVENTS = (
    "current", "setup", "fork", "online", "listening", "message", "drain", "disconnect", "exit",
    "owner", "lost",
)  # fmt: skip
Event = collections.namedtuple("Event", "kind worker count detail")

Configure = collections.namedtuple(
    "Configure", "slot window soft_limit silence header send route linger drain after"
)


def read_configure(body):
    """Times become seconds; None: no limit."""
    oldest, newest, slot, window = struct.unpack_from("<HHH2xI", body)
    if not oldest <= VERSION <= newest:
        log.error("mpbroker speaks versions %d to %d of the channel, not %d", oldest, newest, VERSION)
        os._exit(2)
    settings = [number for (number,) in struct.iter_unpack("<Q", next(read_texts(body, 12)))]
    after = settings[AFTER_BROKER] if len(settings) > AFTER_BROKER else SERVE
    settings += DEFAULTS[len(settings) :]
    soft_limit, _, silence, header, _, *times = settings[: len(DEFAULTS)]
    times = [ms / 1000 or None for ms in (silence, header, *times)]
    return Configure(slot, window, soft_limit, *times, after)


def byte_counts(sock):
    """What was read from a TCP connection and written to it, by whomever; None: not known."""
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 136)
        acked, received = struct.unpack_from("<QQ", info, 120)
        unread = struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, bytes(4)))[0]
        unsent = struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0]
    except (OSError, struct.error):
        return None
    ended = info[0] in (8, 9, 11)  # the peer's end counts as a byte
    return received - ended - unread, acked + unsent


def read_texts(body, at=0):
    """Texts and lists (section 3), one behind another."""
    while True:
        begin = at + 4
        at = begin + int.from_bytes(body[at:begin], "little")
        yield body[begin:at]


def text(data):
    return struct.pack("<I", len(data)) + data


def read_keys(body):
    """A list of keys (section 6): epoch, space, key."""
    at, body = 0, next(read_texts(body))
    while at < len(body):
        epoch, space, length = struct.unpack_from("<IHH", body, at)
        yield epoch, space, body[at + 8 : at + 8 + length]
        at += 8 + length


class Move(Exception):
    """For `serve` to raise: the client belongs to `key` from now on. Whoever serves it then begins
    with `unread`, and behind it what its reader has."""

    def __init__(self, key, unread=b""):
        super().__init__(key)
        self.key, self.unread = key, unread


class Client:
    """A client that is served: what `serve` gets."""

    def __init__(self, sock, listener, hops=0):
        self.key = b""
        self.hops = hops  # how often it was handed over
        self.reader = None  # asyncio.StreamReader; begins with the bytes behind the key
        self.writer = None  # asyncio.StreamWriter
        self._sock = sock
        self._listener = listener
        self._unconsumed = b""  # read and not consumed
        self._attempts = 0
        self._counted_as = None  # space and key, of one among the worker's `clients`
        self._waits = False  # for the broker to say who gets it
        self._sent = False  # its Handoff is out
        self._counts = None  # byte_counts() at that time
        self._timer = None  # for how long it waits

    def send(self, data):
        """Sends without waiting, from wherever. A client that lets more than MAX_UNSENT bytes wait
        is cut off; False then, and for one that is closing."""
        transport = self.writer.transport
        if transport.is_closing():
            return False
        if transport.get_write_buffer_size() + len(data) > MAX_UNSENT:
            transport.abort()
            return False
        transport.write(data)
        return True


class TableError(Exception):
    """Why a change of a shared table was not made: `outcome`, one of OUTCOMES, "unavailable" or "busy"; `version`: of the
    entry that is there in the way. Of one that is "unavailable" nobody knows whether it was made."""

    def __init__(self, outcome, version=0):
        super().__init__(outcome)
        self.outcome, self.version = outcome, version


class Table:
    """A table that all workers have (section 13). Keys and values are bytes. Reads are of this
    worker's copy; changes are asked of the broker, which puts those of all workers in one order."""

    def __init__(self, name, ask):
        self.name = name
        self._ask = ask
        self._entries = {}  # key: value, version
        self._watchers = []

    def __getitem__(self, key):
        return self._entries[key][0]

    def __contains__(self, key):
        return key in self._entries

    def __len__(self):
        return len(self._entries)

    def __iter__(self):
        return iter(list(self._entries))

    def get(self, key, default=None):
        return self._entries.get(key, (default,))[0]

    def version(self, key):
        """0: there is no such entry."""
        return self._entries.get(key, (None, 0))[1]

    def items(self, prefix=b""):
        return [(k, v) for k, (v, _) in self._entries.items() if k.startswith(prefix)]

    async def put(self, key, value, ttl=0):
        """The version that the entry has then. `ttl`: seconds that it lasts; 0: for ever."""
        return (await self._ask(self.name, PUT, key, value, ttl))[0]

    async def erase(self, key):
        return (await self._ask(self.name, ERASE, key))[0]

    async def compare_and_put(self, key, value, expected, ttl=0):
        """If the entry has the version `expected`; 0: if there is none."""
        return (await self._ask(self.name, COMPARE_AND_PUT, key, value, ttl, expected))[0]

    async def add(self, key, amount=1, ttl=0):
        """The sum. The value is a whole number in decimal digits; `ttl` counts where there was none."""
        return (await self._ask(self.name, ADD, key, b"", ttl, 0, amount))[1]

    def watch(self, prefix, changed):
        """Calls changed(key, value), or changed(key, None) for an entry that has gone, once a change
        is made here. Gives what ends it when called."""
        watcher = (prefix, changed)
        self._watchers.append(watcher)
        return lambda: watcher in self._watchers and self._watchers.remove(watcher)

    def _apply(self, key, value, version):
        if value is not None:
            self._entries[key] = value, version
        elif self._entries.pop(key, None) is None:
            return
        for prefix, changed in list(self._watchers):
            if key.startswith(prefix):
                changed(key, value)

    def _replace(self, fresh):
        for key in [key for key in self._entries if key not in fresh]:
            self._apply(key, None, 0)
        for version, key, value in sorted((v, k, value) for k, (value, v) in fresh.items()):
            if self.version(key) != version:
                self._apply(key, value, version)


def read_changes(body, at=0):
    """Changes of shared tables: version, table, key, value; None: it was erased."""
    while at < len(body):
        version, flags, table, key, value = struct.unpack_from("<QBBBxI", body, at)
        at += 16
        texts = []
        for length in (table, key, value):
            texts.append(body[at : at + length])
            at += length
        yield version, texts[0].decode(), texts[1], None if flags & 1 else texts[2]


class _Tables:
    def __init__(self):
        self._tables = {}
        self._used = set()  # names of tables that somebody has
        self._fresh = []  # changes of a copy that is not complete
        self._version = 0
        self._window = 0
        self._sent = 0  # operations without a result
        self._next = 1
        self._unsent = collections.deque()  # number, payload
        self._results = {}  # number: its future
        self._channel = None  # None: the worker has not begun, or the broker is gone
        self._gone = False
        self._networks = {"deny": {}, "allow": {}}  # version and length: networks
        for name in self._networks:
            self.shared(name).watch(b"", lambda key, value, n=name: self._note_network(n, key, value))

    def shared(self, name):
        self._used.add(name)
        return self._table(name)

    def _table(self, name):
        if name not in self._tables:
            self._tables[name] = Table(name, self._ask)
        return self._tables[name]

    def _forget_if_unused(self, name):
        """Names are others' choice: what is left of them must not grow."""
        if name not in self._used and not self._tables[name]:
            del self._tables[name]

    def begin(self, channel):
        self._channel = channel
        self._pump()

    def abandon(self):
        self._channel, self._gone = None, True
        self._unsent.clear()
        self._end(list(self._results))

    def resync(self):
        """Another broker follows. What was sent may be done or not; the rest waits for its Tables."""
        self._window = self._sent = 0
        unsent = {number for number, _ in self._unsent}
        self._end([number for number in self._results if number not in unsent])

    def _end(self, numbers):
        for number in numbers:
            result = self._results.pop(number)
            if not result.done():
                result.set_exception(TableError("unavailable"))

    def on_tables(self, flags, body):
        if flags & 1:
            self._fresh = []
        window, version = struct.unpack_from("<I4xQ", body)
        self._fresh += read_changes(next(read_texts(body, 16)))
        if not flags & 2:
            return
        self._window, self._version = window, version
        tables = collections.defaultdict(dict)
        for number, name, key, value in self._fresh:
            tables[name][key] = value, number
        self._fresh = []
        for name in {*tables, *self._tables}:
            self._table(name)._replace(tables[name])
            self._forget_if_unused(name)
        self._pump()

    def on_changes(self, body):
        for version, name, key, value in read_changes(next(read_texts(body))):
            if version > self._version:
                self._version = version
                self._table(name)._apply(key, value, version)
                self._forget_if_unused(name)

    def on_results(self, body):
        for number, version, total, outcome in struct.iter_unpack(
            "<QQqB7x", next(read_texts(body))
        ):
            self._sent = max(self._sent - 1, 0)
            result = self._results.pop(number, None)
            if result is None or result.done():
                continue
            if outcome:
                known = OUTCOMES[outcome] if outcome < len(OUTCOMES) else f"outcome {outcome}"
                result.set_exception(TableError(known, version))
            else:
                result.set_result((version, total))
        self._pump()

    async def _ask(self, name, kind, key, value=b"", ttl=0, expected=0, amount=0):
        if self._gone or len(self._results) >= MAX_OPERATIONS:
            raise TableError("unavailable" if self._gone else "busy")
        # The broker refuses it, too, if a message bears it.
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name):
            raise TableError("bad-name")
        if not 1 <= len(key) <= 255:
            raise TableError("bad-key")
        if len(value) > 4_096:
            raise TableError("too-long")
        ttl = min(int(ttl * 1000) or int(ttl > 0), 2**32 - 1)
        head = struct.pack("<BxxxIQq", kind, ttl, expected, amount)
        number, self._next = self._next, self._next + 1
        result = self._results[number] = asyncio.get_running_loop().create_future()
        self._unsent.append((number, head + text(name.encode()) + text(key) + text(value)))
        self._pump()
        return await result

    def _pump(self):
        while self._channel and self._unsent and self._sent < self._window:
            self._sent += 1
            self._channel.send(TABLE_OPERATION, *self._unsent.popleft())

    def _note_network(self, name, key, value):
        # "all" is everybody, of both kinds.
        for one in ("0.0.0.0/0", "::/0") if key == b"all" else (key.decode(),):
            self._note_one(name, ipaddress.ip_network(one), value)

    def _note_one(self, name, network, value):
        by_length = self._networks[name]
        place = network.version, network.prefixlen
        if value is not None:
            by_length.setdefault(place, set()).add(network.network_address)
        elif place in by_length:
            by_length[place].discard(network.network_address)
            if not by_length[place]:
                del by_length[place]

    def refuses(self, sock):
        """Whether the tables `deny` and `allow` have it so."""
        if not any(self._networks.values()) or sock.family == socket.AF_UNIX:
            return False
        try:
            address = ipaddress.ip_address(sock.getpeername()[0].partition("%")[0])
        except OSError:
            return False  # it is gone
        address = getattr(address, "ipv4_mapped", None) or address

        def has(by_length):
            return any(
                version == address.version
                and ipaddress.ip_network((address, length), strict=False).network_address in networks
                for (version, length), networks in by_length.items()
            )

        deny, allow = self._networks["deny"], self._networks["allow"]
        return has(deny) or (bool(allow) and not has(allow))


class _ClientProtocol(asyncio.StreamReaderProtocol):
    def __init__(self, reader, sock, loop):
        super().__init__(reader, loop=loop)
        self._sock = sock
        self.moving = None  # its socket, where the client is to outlive the transport
        self.closed = loop.create_future()

    def connection_lost(self, exc):
        if exc and self.moving:
            self.moving = self.moving.close()
        if not self.moving:
            # Another worker may hold its copy a moment longer: the peer sees the end now (section 5).
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)
        super().connection_lost(exc)
        self.closed.set_result(None)


class _Selector(selectors.EpollSelector):
    """Wakes one worker, not all, where a socket is shared."""

    def register_shared(self, fd):
        self._selector.unregister(fd)
        self._selector.register(fd, select.EPOLLIN | select.EPOLLEXCLUSIVE)


class Lost(Exception):
    """There is no answer: why, and whose is missing, if that is known."""

    def __init__(self, why, worker=None):
        super().__init__(why)
        self.why, self.worker = why, worker


class Letter:
    """What `on` handlers get. `fd` is closed after the call unless it is taken: set it to None."""

    def __init__(self, sender, number, kind, correlation, topic, payload, fd):
        self.sender = sender  # an Id
        self.number = number  # of a letter to many: its place in their order; else 0
        self.topic, self.payload, self.fd = topic, payload, fd
        self._kind, self._correlation = kind, correlation


class Letters:
    """What a Worker has to say to others, and they to it."""

    def __init__(self):
        self.id = Id(0, 0)
        self._handlers = {}  # topic: function
        self._next_letter = int.from_bytes(os.urandom(8)) >> 1  # not to be guessed by who answers
        self._letters_left, self._bytes_left = 0, 0
        self._posted = collections.deque()  # receiver and size, without credit for them again
        self._share = collections.Counter()  # letters of _posted, by receiver
        self._share_bytes = collections.Counter()
        self._answers = collections.deque()  # that found no room: what _post takes
        self._answers_bytes = 0
        self._asked = {}  # letter: whose answer counts, if not anybody's; what takes it
        self._groups = set()
        self._can_say = False  # the broker has given credit
        self._orphaned = False  # the broker is gone
        self._online, self._subscribed = set(), False
        self._known = asyncio.Event()  # _online has all, or the broker is gone
        self._room, self._wants_room = asyncio.Event(), False
        self._on_room = self._on_loss = self._on_event = None

    def on(self, topic):
        """Decorates a function of a Letter; of a request it returns the answer. It may be async."""

        def set_handler(function):
            self._handlers[topic] = function
            return function

        return set_handler

    def on_room(self, told):
        """Calls told() when there is room again for letters, after one that found none."""
        self._on_room = told

    def on_loss(self, told):
        """Calls told(letter, receiver, why) of each that does not arrive."""
        self._on_loss = told

    def on_event(self, told):
        """Calls told(event) of what happens to workers; first "online" of those that are, then
        "current"."""
        self._on_event = told
        self._subscribe()

    def send(self, to, topic, payload=b"", fd=None):
        """To a slot, an Id, ALL, an Owner, a Group or OPERATOR. The letter's number; None: there is
        no room for it now. ValueError: the topic has more than 64 bytes, the payload more than
        32,768, or the key or group more than 1,024."""
        return self._post(to, NEWS, 0, topic, payload, fd)

    async def request(self, to, topic, payload=b"", timeout=1.0):
        """The answer; raises Lost."""
        answer = self._loop.create_future()

        def take(sender, payload, why):
            if not answer.done():
                answer.set_exception(Lost(why, sender)) if why else answer.set_result(payload)

        letter = self._post(to, REQUEST, self._next_letter, topic, payload)
        if letter is None:
            raise Lost(NO_BROKER if not self._channel.is_open else FULL_MAILBOX)
        self._asked[letter] = (to if isinstance(to, (Id, int)) else None), take
        try:
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            raise Lost(TIMEOUT) from None
        finally:
            self._asked.pop(letter, None)

    async def gather(self, topic, payload=b"", timeout=1.0):
        """Asks all workers at once, this one too: their answers, and why others have none, by Id;
        OPERATOR: it is not known who there is. All of it takes `timeout` at most."""
        answers, missing, waiting, letter = {}, {}, set(), None
        complete = asyncio.Event()

        def take(sender, payload, why):
            if why == NO_BROKER:
                give_up(why)
            elif not why and sender not in missing:  # perhaps one that came meanwhile
                answers[sender] = payload
            elif sender in waiting:
                missing[sender] = why
            waiting.discard(sender)
            if not waiting:
                complete.set()

        def give_up(why):
            missing.update(dict.fromkeys(waiting or ([] if answers else [OPERATOR]), why))
            waiting.clear()

        try:
            async with asyncio.timeout(timeout):
                try:
                    await self._know_all()
                finally:
                    waiting |= self._online
                letter = await self._post_when_room(ALL, REQUEST, topic, payload)
                self._asked[letter] = ALL, take
                await complete.wait()
        except TimeoutError:
            give_up(TIMEOUT)
        except Lost as lost:
            give_up(lost.why)
        finally:
            self._asked.pop(letter, None)
        return answers, missing

    async def ring(self, topic, payload=b"", timeout=1.0):
        """Asks one worker after the other, by slot, this one last: each gets what the one before has
        answered. What the last one answered, who was asked, and who was skipped and why; OPERATOR: it
        is not known who there is. `timeout` is for each of them."""
        visited, skipped = [], {}
        try:
            async with asyncio.timeout(timeout):
                await self._know_all()
        except TimeoutError:
            return payload, visited, {OPERATOR: TIMEOUT}
        except Lost as lost:
            if not self._online:
                return payload, visited, {OPERATOR: lost.why}
        ahead = sorted(self._online, key=lambda one: (one <= self.id, one))
        for worker in ahead:
            try:
                payload = await self.request(worker, topic, payload, timeout)
                visited.append(worker)
            except Lost as lost:
                skipped[worker] = lost.why
        return payload, visited, skipped

    def join(self, group):
        """From now on letters to the group come here, too. A name has 1 to 64 bytes, and a worker
        is in at most 64 groups: else ValueError."""
        if not 1 <= len(group.encode()) <= MAX_TOPIC:
            raise ValueError("the name of a group has 1 to 64 bytes")
        if group in self._groups:
            return
        if len(self._groups) == MAX_GROUPS:
            raise ValueError("a worker is in at most 64 groups")
        self._groups.add(group)
        if self._can_say:
            self._channel.send(JOIN, payload=text(group.encode()))

    def leave(self, group):
        if group not in self._groups:
            return
        self._groups.remove(group)
        if self._can_say:
            self._channel.send(JOIN, payload=text(group.encode()), flags=1)

    # What the broker says.

    def _take_letter(self, number, body, passed):
        sender = Id(*struct.unpack_from("<HxxI", body))
        kind, correlation = struct.unpack_from("<B7xQ", body, 8)
        topic, payload = itertools.islice(read_texts(body, 24), 2)
        topic = topic.decode(errors="replace")  # the sender's choice: any bytes
        letter = Letter(sender, number, kind, correlation, topic, payload, passed.take())
        if kind not in (REPLY, REFUSAL) and topic in self._handlers:
            return self._start(self._handle(letter))
        self._close_fd(letter)
        if kind in (REPLY, REFUSAL):
            self._take_answer(correlation, sender, payload, REFUSED if kind == REFUSAL else None)
        elif kind == REQUEST:
            self._post_answer(sender, REFUSAL, correlation, b"")

    async def _handle(self, letter):
        try:
            answer = self._handlers[letter.topic](letter)
            if asyncio.iscoroutine(answer):
                answer = await answer
            if letter._kind == REQUEST:
                self._post_answer(letter.sender, REPLY, letter._correlation, answer or b"")
        except Exception:
            log.exception("letter topic=%r", letter.topic)
        finally:
            self._close_fd(letter)

    @staticmethod
    def _close_fd(letter):
        if letter.fd is not None:
            os.close(letter.fd)

    def _take_answer(self, letter, sender, payload, why):
        of, take = self._asked.get(letter, (None, None))
        if take and (of in (None, ALL, sender, sender.slot) or why not in (None, REFUSED)):
            take(sender, payload, why)

    def _take_losses(self, body):
        for letter, generation, slot, why in struct.iter_unpack("<QIHBx", next(read_texts(body))):
            receiver, why = Id(slot, generation), LOSSES[why] if why < len(LOSSES) else str(why)
            self._take_answer(letter, receiver, b"", why)
            if self._on_loss:
                self._on_loss(letter, receiver, why)

    def _take_credit(self, body):
        letters, size, generation = struct.unpack_from("<III", body)
        self.id = Id(self._config.slot, generation)
        self._letters_left += letters
        self._bytes_left += size
        for _ in range(min(letters, len(self._posted))):  # the oldest are taken to have gone on
            to, size = self._posted.popleft()
            if isinstance(to, int):
                self._share[to] -= 1
                self._share_bytes[to] -= size
        if not self._can_say:
            self._can_say = True
            for group in self._groups:
                self._channel.send(JOIN, payload=text(group.encode()))
            if self._subscribed:
                self._subscribe()
        self._post_answers()
        self._room.set()
        if self._wants_room:
            self._wants_room = False
            if self._on_room:
                self._on_room()

    def _take_event(self, body):
        kind, slot, generation, count = struct.unpack_from("<BxHIQ", body)
        if kind >= len(EVENTS):
            return
        detail = next(read_texts(body, 16)).decode("utf-8", "replace")
        event = Event(EVENTS[kind], Id(slot, generation), count, detail)
        if event.kind == "online":
            self._online.add(event.worker)
        elif event.kind in ("disconnect", "exit"):
            self._online.discard(event.worker)
            for of, take in list(self._asked.values()):
                if of in (ALL, event.worker):
                    take(event.worker, b"", LOSSES[2])
        elif event.kind == "current":
            self._known.set()
        elif event.kind == "lost":
            self._subscribe()
        if self._on_event:
            self._on_event(event)

    def _resync_letters(self):
        """Another broker follows: credit comes anew."""
        if not self._can_say:
            return
        self._can_say = False
        self._letters_left = self._bytes_left = 0
        self._posted.clear()
        self._share.clear()
        self._share_bytes.clear()
        self._online.clear()
        self._known.clear()
        for letter in list(self._asked):
            self._take_answer(letter, OPERATOR, b"", NO_BROKER)

    def _abandon(self):
        """The broker is gone: nobody answers any more."""
        self._orphaned = True
        for letter in list(self._asked):
            self._take_answer(letter, OPERATOR, b"", NO_BROKER)
        if self._answers:
            log.warning("%d answers are dropped: the broker is gone", len(self._answers))
            self._answers.clear()
        self._room.set()
        self._known.set()

    # Sending.

    def _subscribe(self):
        self._subscribed = True
        if self._orphaned:
            return
        self._online.clear()
        self._known.clear()
        if self._can_say:
            self._channel.send(SUBSCRIBE)

    async def _know_all(self):
        """Until it is known who is online; raises Lost."""
        if not self._subscribed:
            self._subscribe()
        while not self._known.is_set():  # it may be told anew meanwhile
            await self._known.wait()
        if self._orphaned:
            raise Lost(NO_BROKER)

    async def _post_when_room(self, to, kind, topic, payload):
        while True:
            letter = self._post(to, kind, self._next_letter, topic, payload)
            if letter is not None:
                return letter
            if not self._channel.is_open:
                raise Lost(NO_BROKER)
            self._room.clear()
            await self._room.wait()

    def _post(self, to, kind, correlation, topic, payload, fd=None):
        topic = topic.encode()
        if len(topic) > MAX_TOPIC or len(payload) > MAX_PAYLOAD:
            raise ValueError("topic or payload of a letter too long")
        name = to.key if isinstance(to, Owner) else to.name.encode() if isinstance(to, Group) else b""
        if len(name) > MAX_KEY:
            raise ValueError("name of a letter's receiver too long")
        content = struct.pack("<B7xQ", kind, correlation) + text(topic) + text(payload)
        body = self._address(to) + content
        size = HEADER.size + len(body)
        one = to.slot if isinstance(to, Id) else to  # leaves room for others
        crowded = isinstance(one, int) and to != OPERATOR and (
            self._share[one] >= SHARE_LETTERS or self._share_bytes[one] + size > SHARE_BYTES
        )
        no_credit = self._letters_left < 1 or self._bytes_left < size
        if crowded or no_credit or not self._channel.is_open:
            self._wants_room = True
            return None
        letter, fds = self._next_letter, [] if fd is None else [fd]
        if not self._channel.send(POST, letter, body, fds, flags=len(fds)):
            return None
        self._next_letter += 1
        self._letters_left -= 1
        self._bytes_left -= size
        if isinstance(one, int):
            self._share[one] += 1
            self._share_bytes[one] += size
        self._posted.append((one, size))
        return letter

    def _post_answer(self, to, kind, correlation, payload):
        """Who asked waits for it: where there is no room, it is posted when there is."""
        if self._post(to, kind, correlation, "", payload) is not None:
            return
        if len(payload) > MAX_PAYLOAD:
            raise ValueError("an answer too long")
        size = self._answers_bytes + len(payload)
        if self._orphaned or len(self._answers) == MAX_ANSWERS or size > MAX_ANSWERS_BYTES:
            return log.warning("an answer to worker %s is dropped: there is no room for it", to)
        self._answers.append((to, kind, correlation, payload))
        self._answers_bytes = size
        return None

    def _post_answers(self):
        for _ in range(len(self._answers)):  # one that waits for its receiver holds up no other
            answer = to, kind, correlation, payload = self._answers.popleft()
            if self._post(to, kind, correlation, "", payload) is None:
                self._answers.append(answer)
            else:
                self._answers_bytes -= len(payload)

    def _address(self, to):
        kind, slot, generation, space, name = TO_SLOT, 0, 0, 0, b""
        if to is ALL:
            kind = TO_ALL
        elif to == OPERATOR:
            kind = TO_OPERATORS
        elif isinstance(to, Id):
            kind, slot, generation = TO_WORKER, *to
        elif isinstance(to, Owner):
            listener = min(self._spaces) if to.listener is None else to.listener
            kind, space, name = TO_OWNER, self._spaces[listener], to.key
        elif isinstance(to, Group):
            kind, name = TO_GROUP, to.name.encode()
        else:
            slot = to
        return struct.pack("<BxHIHxx", kind, slot, generation, space) + text(name)


def make_sealed(data):
    """A file in memory that nobody can change, for what is too long for a payload. Close it."""
    fd = os.memfd_create("mpb-letter", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(os.dup(fd), "wb") as file:
        file.write(data)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    return fd


def read_sealed(fd, most):
    """What such a file has. ValueError: it is not sealed, or longer than `most`."""
    try:
        sealed = fcntl.fcntl(fd, fcntl.F_GET_SEALS) & _SEALS == _SEALS
    except OSError:
        sealed = False
    if not sealed or os.fstat(fd).st_size > most:
        raise ValueError("a file that is not sealed, or too long")
    return os.pread(fd, most, 0)


_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


class _Passed:
    """The descriptor that came with a message: whoever does not take it leaves it to be closed."""

    def __init__(self, fd):
        self._fd = fd

    def take(self):
        fd, self._fd = self._fd, None
        return fd

    def close(self):
        if self._fd is not None:
            os.close(self.take())


class _Channel:
    """The socket to the broker (section 2): whole messages, in order, without waiting."""

    def __init__(self, loop, sock, on_message, on_end):
        self._loop, self._sock = loop, sock
        self._on_message, self._on_end = on_message, on_end
        self._unsent = collections.deque()  # message, descriptors of our own, what follows it
        self._retry = None
        self.is_open = True
        sock.setblocking(False)
        loop.add_reader(sock, self._read)

    def send(self, kind, ident=0, payload=b"", fds=(), flags=0, then=None):
        """`then` is called once the kernel has taken the message. False: it waits for nobody, since
        there is no descriptor for a copy of its own."""
        message = HEADER.pack(VERSION, kind, flags, len(payload), ident) + payload
        if self.is_open and (self._unsent or not self._try(message, fds)) and self.is_open:
            # Its client may be closed while it waits here.
            try:
                self._unsent.append((message, [os.dup(fd) for fd in fds], then))
            except OSError:
                return False
        elif then:
            then()
        return True

    def _try(self, message, fds):
        """False: not now, or the broker is gone."""
        passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            self._sock.sendmsg([message], passed)
            return True
        except BlockingIOError:
            self._loop.add_writer(self._sock, self._flush)
        except OSError as error:
            if error.errno in (errno.ETOOMANYREFS, errno.ENOBUFS):
                self._retry = self._loop.call_later(DESCRIPTOR_PAUSE, self._flush)
            else:
                self.close()
        return False

    def _flush(self):
        self._retry = None
        self._loop.remove_writer(self._sock)
        while self._unsent and self._try(*self._unsent[0][:2]):
            _, fds, then = self._unsent.popleft()
            for fd in fds:
                os.close(fd)
            if then:
                then()

    def _read(self):
        while self.is_open:
            try:
                data, fds, *_ = socket.recv_fds(
                    self._sock, MAX_DATAGRAM, 1, socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                return
            except OSError:
                data, fds = b"", []
            if not data:
                return self.close()
            _, kind, flags, _, ident = HEADER.unpack_from(data)
            passed = _Passed(fds[0] if fds else None)
            try:
                self._on_message(kind, flags, ident, data[HEADER.size :], passed)
            finally:
                passed.close()

    def close(self):
        if not self.is_open:
            return
        self.is_open = False
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        if self._retry:
            self._retry.cancel()
        self._sock.close()
        unsent, self._unsent = self._unsent, collections.deque()
        for _, fds, then in unsent:
            for fd in fds:
                os.close(fd)
            if then:
                then()
        self._on_end()


class Worker(Letters):
    """A worker process.

    key_of(data) says whose a client is, from all that it has sent: the key and how many bytes have
    done their work with it; None: more is needed. Any split of the bytes gives the same key.
    ValueError: the client is refused, and told the error's text. An empty key: it is nobody's.

    `await serve(client)` serves one, and ends it by returning, or moves it (Move). `busy` is what a
    client is told that no worker can take. `shared(name)` is a table that all workers have.
    """

    def __init__(self, key_of, serve, busy=b""):
        super().__init__()
        self._key_of, self._serve, self._busy = key_of, serve, busy
        self._config = Configure(0, 1, 0, *[None] * 6, SERVE)
        self._spaces = {}  # of listeners
        self._local = set()  # listeners whose clients are served where they were accepted
        self._accepting = {}  # listener: its sockets
        self._owned = {}  # space and key: epoch
        self._members = collections.Counter()  # space and key: clients
        self._held = set()  # all clients
        self._clients = 0  # those that were routed here
        self._next_handoff = os.getpid() << 32
        self._unsent = collections.deque()  # clients to be offered
        self._parked = {}  # handoff: its client; None: closed meanwhile
        self._acks = []
        self._adopted = {}  # origin: the last handoffs from there, and their deliveries
        self._ready = False
        self._tasks = set()
        self._told_load, self._load_due = None, None
        self._tables = _Tables()
        self._draining = False

    def run(self):
        """Serves until the broker says, or a signal, or the broker is gone and no client left."""
        if "MPBROKER_ZYGOTE" in os.environ:
            return  # asked to fork workers, which a Python process with its threads should not
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
        self._selector = _Selector()

        def make_loop():
            return asyncio.SelectorEventLoop(self._selector)

        with asyncio.Runner(loop_factory=make_loop) as runner:
            runner.run(self._main())

    def shared(self, name):
        """The Table of this name that all workers have."""
        return self._tables.shared(name)

    async def _main(self):
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # means the broker
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._on_signal)
        sock = socket.socket(fileno=int(os.environ.get("MPBROKER_CHANNEL", "3")))
        self._channel = _Channel(self._loop, sock, self._on_message, self._on_broker_gone)
        await self._done.wait()

    # --- what the broker says ---------------------------------------------------------------------

    def _on_message(self, kind, flags, ident, body, passed):
        if kind == CONFIGURE:
            self._config = read_configure(body)
        elif kind == LISTEN:
            self._on_listen(flags, body, passed)
        elif kind == UNLISTEN:
            self._stop_accepting(struct.unpack_from("<H", body)[0])
        elif kind == START:
            if self._ready:
                return
            self._ready = True
            self._channel.send(READY, payload=struct.pack("<IH", os.getpid(), VERSION))
            self._tables.begin(self._channel)
        elif kind == RESYNC:
            self._on_resync(ident)
        elif kind == DELIVER:
            self._on_deliver(ident, body, passed)
        elif kind == KEEP:
            for handoff, delivery, epoch in struct.iter_unpack("<QQI4x", next(read_texts(body))):
                self._on_keep(handoff, delivery, epoch)
        elif kind == SETTLED:
            for (handoff,) in struct.iter_unpack("<Q", next(read_texts(body))):
                self._close(self._take_parked(handoff))
        elif kind == NACK:
            for handoff, reason in struct.iter_unpack("<QB7x", next(read_texts(body))):
                self._on_nack(handoff, reason)
        elif kind == OWN:
            for epoch, space, key in read_keys(body):
                self._own(space, key, epoch)
        elif kind == DISOWN:
            for epoch, space, key in read_keys(body):
                if self._owned.get((space, key)) == epoch:
                    del self._owned[space, key]
        elif kind == DRAIN:
            self._drain(struct.unpack_from("<I", body)[0] / 1000)
        elif kind == PING:
            counters = self._clients, len(self._held), len(self._owned)
            block = struct.pack("<HHIQQQ", 1, 0, 24, *counters)
            self._channel.send(PONG, ident, text(block))
        elif kind == LETTER:
            self._take_letter(ident, body, passed)
        elif kind == UNDELIVERABLE:
            self._take_losses(body)
        elif kind == CREDIT:
            self._take_credit(body)
        elif kind == EVENT:
            self._take_event(body)
        elif kind == TABLES:
            self._tables.on_tables(flags, body)
        elif kind == TABLE_CHANGES:
            self._tables.on_changes(body)
        elif kind == TABLE_RESULTS:
            self._tables.on_results(body)
        elif kind == QUERY:
            self._channel.send(ANSWER, ident, text(b"") * 2, flags=3)  # not known here (section 8)

    def _on_listen(self, flags, body, passed):
        listener, space = struct.unpack_from("<HH", body)
        self._spaces[listener] = space
        (self._local.add if flags & 2 else self._local.discard)(listener)
        if not flags & 32:
            self._stop_accepting(listener)
        fd = passed.take()
        if fd is None:
            return
        sock = socket.socket(fileno=fd)
        self._accepting.setdefault(listener, []).append(sock)
        self._watch(sock, listener)
        if self._draining:
            self._stop_accepting(listener)

    def _watch(self, sock, listener):
        if sock in self._accepting.get(listener, []):
            self._loop.add_reader(sock, self._accept, sock, listener)
            self._selector.register_shared(sock.fileno())

    def _stop_accepting(self, listener):
        for sock in self._accepting.pop(listener, []):
            self._loop.remove_reader(sock)
            sock.close()

    def _on_deliver(self, delivery, body, passed):
        handoff, epoch, origin, listener, hops = struct.unpack_from("<QIH2xHH", body)
        key, _, unconsumed = itertools.islice(read_texts(body, 24), 3)
        fd = passed.take()
        refused = (
            NO_DESCRIPTOR if fd is None
            else UNKNOWN if listener not in self._spaces
            else DRAINING if self._draining
            else FULL if self._is_full()
            else None
        )  # fmt: skip
        if refused:
            if fd is not None:
                os.close(fd)
            self._send_nack(delivery, refused)
            return self._tell_load_soon()
        client = Client(socket.socket(fileno=fd), listener, hops + 1)
        client._sock.setblocking(False)
        client.key, client._unconsumed = key, unconsumed
        self._held.add(client)
        most = max(FEWEST_ADOPTIONS, self._config.window)
        adopted = self._adopted.setdefault(origin, collections.deque())
        while len(adopted) >= most:
            adopted.popleft()
        adopted.append((handoff, delivery))
        return self._adopt(client, delivery, epoch)

    def _on_resync(self, number):
        """Section 11: another broker has taken the channel over. What was to be acknowledged is told
        in the report."""
        adopted_now, self._acks = self._acks, []
        self._resync_letters()
        self._tables.resync()
        flags = 2 * self._ready + 4 * self._draining
        unsettled = list(self._parked)
        adopted = [(h, o, d) for o, all_of in self._adopted.items() for h, d in all_of]
        keys = [
            struct.pack("<IHH", epoch, space, len(key)) + key
            for (space, key), epoch in self._owned.items()
        ]
        while True:
            some, unsettled = unsettled[:1024], unsettled[1024:]
            told, adopted = adopted[:1024], adopted[1024:]
            owned, keys = keys[:32], keys[32:]
            last = not (unsettled or adopted or keys)
            self._channel.send(
                RESYNC_REPORT,
                number,
                payload=self._load()
                + text(b"".join(struct.pack("<Q", number) for number in some))
                + text(b"".join(struct.pack("<QH6x", h, o) for h, o, _ in told))
                + text(b"".join(owned))
                + text(b"".join(struct.pack("<Q", d) for _, _, d in told)),
                flags=flags | last,
            )
            if last:
                break
        for client, _ in adopted_now:
            self._begin(client)

    def _on_keep(self, handoff, delivery, epoch):
        client = self._take_parked(handoff)
        if client is None:
            self._send_nack(delivery, UNKNOWN)
        elif self._is_full() and not client._counted_as:
            self._send_nack(delivery, FULL)
            client._attempts += 1
            self._offer(client)
        else:
            self._adopt(client, delivery, epoch)

    def _send_nack(self, delivery, reason):
        self._channel.send(NACK, payload=text(struct.pack("<QB7x", delivery, reason)))

    def _on_nack(self, handoff, reason):
        client = self._take_parked(handoff)
        if client is None:
            return
        if reason == RETRY:
            client._attempts += 1
            self._offer(client)
        elif reason == NO_DESCRIPTOR:
            self._loop.call_later(DESCRIPTOR_PAUSE, self._offer, client)
        elif reason == UNCERTAIN:
            # Whoever may have had it has ended: it is offered again if nobody has touched it.
            if client._counts is None or client._counts != byte_counts(client._sock):
                return self._close(client)
            client._attempts += 1
            self._offer(client)
        else:
            self._refuse(client, self._busy)

    def _on_broker_gone(self):
        """Section 10: goes on with the clients that it has."""
        self._config = self._config._replace(soft_limit=0)
        self._abandon()
        self._tables.abandon()
        self._drain(None if self._config.after == SERVE else self._config.drain or 0)
        for client in list(self._held):
            if client._waits and client._sent:
                self._close(client)  # another worker may have it
            elif client._waits:
                self._refuse(client, self._busy)

    # --- clients on their way ---------------------------------------------------------------------

    def _accept(self, listening, listener):
        for _ in range(ACCEPTS_AT_ONCE):
            try:
                sock, _ = listening.accept()
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    self._loop.remove_reader(listening)
                    self._loop.call_later(ACCEPT_PAUSE, self._watch, listening, listener)
                break  # if not so, another worker was faster
            if self._tables.refuses(sock):
                sock.close()
                continue
            sock.setblocking(False)
            client = Client(sock, listener)
            self._held.add(client)
            self._start(self._classify(client))
        self._tell_load_soon()

    async def _classify(self, client):
        data, found = b"", None
        try:
            async with asyncio.timeout(self._config.silence) as limit:
                while found is None and len(data) <= MAX_UNCONSUMED:
                    fresh = await self._loop.sock_recv(client._sock, 65_536)
                    if not fresh:
                        return self._close(client)
                    if not data:
                        header = self._config.header
                        limit.reschedule(self._loop.time() + header if header else None)
                    data += fresh
                    found = self._key_of(data)
        except ValueError as error:
            return self._refuse(client, f"{error}\n".encode())
        except (OSError, TimeoutError):
            return self._close(client)
        except Exception:
            log.exception("whose a client is")
            return self._close(client)
        if found is None:
            return self._close(client)
        key, consumed = found
        return self._route(client, key, data[consumed:])

    def _route(self, client, key, unconsumed):
        client.key, client._unconsumed, client._attempts = key, unconsumed, 0
        if not self._fits(client):  # the broker would end this worker for such a Handoff
            return self._close(client)
        here = client._listener in self._local or self._id(client) in self._owned
        if here and (client._counted_as or not self._is_full()):
            return self._begin(client)
        return self._offer(client)

    @staticmethod
    def _fits(client):
        """Whether it can be handed over (section 6)."""
        key, unconsumed = len(client.key), len(client._unconsumed)
        return key <= MAX_KEY and unconsumed <= MAX_UNCONSUMED and key + unconsumed <= MAX_CLIENT

    def _offer(self, client):
        """Asks the broker who gets it; it is left alone from now on (section 5)."""
        if client not in self._held:
            return
        if not self._channel.is_open:
            return self._refuse(client, self._busy)
        client._waits, client._sent = True, False
        if client._timer is None and self._config.route:
            client._timer = self._loop.call_later(self._config.route, self._give_up, client)
        self._unsent.append(client)
        self._send_handoffs()

    def _send_handoffs(self):
        while self._unsent and len(self._parked) < self._config.window and self._channel.is_open:
            client = self._unsent.popleft()
            if client not in self._held:
                continue
            if self._is_full():
                self._tell_load()
            self._next_handoff += 1
            self._parked[self._next_handoff] = client
            client._sent = True
            client._counts = (
                byte_counts(client._sock) if self._config.after == FOLLOWERS else None
            )
            attempts, hops = min(client._attempts, 255), min(client.hops, 65_535)
            counted = client._counted_as is not None
            head = struct.pack("<HHBBxx", client._listener, hops, attempts, counted)
            payload = head + text(client.key) + text(b"") + text(client._unconsumed)
            if not self._channel.send(HANDOFF, self._next_handoff, payload, [client._sock.fileno()]):
                del self._parked[self._next_handoff]
                self._refuse(client, self._busy)

    def _take_parked(self, handoff):
        """None: it was closed meanwhile."""
        client = self._parked.pop(handoff, None)
        self._send_handoffs()
        return client

    def _give_up(self, client):
        """The verdict has not come in time."""
        if not client._sent:
            return self._refuse(client, self._busy)
        for handoff, parked in self._parked.items():
            if parked is client:
                self._parked[handoff] = None  # counts against the window still
        return self._close(client)

    def _refuse(self, client, text):
        with contextlib.suppress(OSError):
            client._sock.send(text)
            client._sock.shutdown(socket.SHUT_WR)
        self._close(client)

    # --- clients that are served ------------------------------------------------------------------

    def _adopt(self, client, delivery, epoch):
        """It may be read from and written to once the Ack is out."""
        self._own(self._spaces[client._listener], client.key, epoch)
        self._count(client)
        self._acks.append((client, delivery))
        if len(self._acks) == 1:
            self._loop.call_soon(self._send_acks)

    def _send_acks(self):
        acks, self._acks = self._acks, []
        ids = b"".join(struct.pack("<Q", delivery) for _, delivery in acks)
        payload = self._load() + text(ids)

        def begin():
            for client, _ in acks:
                self._begin(client)

        self._channel.send(ACK, payload=payload, then=begin)

    def _count(self, client):
        client._waits = False
        if client._timer:
            client._timer.cancel()
            client._timer = None
        before, client._counted_as = client._counted_as, self._id(client)
        if before != client._counted_as:
            self._members[client._counted_as] += 1
            if before:
                self._leave_key(before)
        if not before:
            self._clients += 1
            self._tell_load_soon()

    def _begin(self, client):
        if client in self._held:
            self._count(client)
            self._start(self._serve_to_the_end(client))

    async def _serve_to_the_end(self, client):
        reader = asyncio.StreamReader()
        reader.feed_data(client._unconsumed)
        client._unconsumed = b""
        protocol = _ClientProtocol(reader, client._sock, self._loop)
        moved = False
        try:
            transport, _ = await self._loop.create_connection(lambda: protocol, sock=client._sock)
            client.reader = reader
            client.writer = asyncio.StreamWriter(transport, protocol, reader, self._loop)
            move = None
            try:
                await self._serve(client)
            except Move as wish:
                move, protocol.moving = wish, self._copy_to_move(client)
            finally:
                transport.close()  # once all is sent
                try:
                    # With a drain behind its time, nobody is waited for.
                    patience = 0 if self._done.is_set() else self._config.send
                    async with asyncio.timeout(patience):
                        await asyncio.shield(protocol.closed)
                except TimeoutError:
                    if protocol.moving:  # it does not read what it was sent
                        protocol.moving = protocol.moving.close()
                    transport.abort()
                    await protocol.closed
                with contextlib.suppress(OSError):
                    await client.writer.wait_closed()  # or it is told that nobody did
            if protocol.moving:
                client._sock = protocol.moving
                unread = await reader.read()  # to its end: the transport is closed
                self._route(client, move.key, move.unread + unread)
                moved = True
        except (ConnectionError, EOFError, TimeoutError):
            pass
        except Exception:
            log.exception("client key=%r", client.key)
        finally:
            if not moved:
                self._close(client)

    @staticmethod
    def _copy_to_move(client):
        """None: the client is gone, its socket closed, or there is no descriptor."""
        try:
            return client._sock.dup()
        except OSError as error:
            if error.errno != errno.EBADF:
                log.error("client key=%r cannot move: %s", client.key, error)
            return None

    def _close(self, client):
        if client not in self._held:
            return
        self._held.remove(client)
        client._sock.close()
        if client._timer:
            client._timer.cancel()
        if client._counted_as:
            self._clients -= 1
            self._leave_key(client._counted_as)
        self._tell_load_soon()
        self._end_if_empty()

    # --- keys and load ----------------------------------------------------------------------------

    def _id(self, client):
        return self._spaces[client._listener], client.key

    def _own(self, space, key, epoch):
        if epoch and not self._draining:
            self._owned[space, key] = epoch

    def _leave_key(self, key):
        self._members[key] -= 1
        if self._members[key] == 0:
            del self._members[key]
            epoch = self._owned.get(key)
            if epoch:
                self._loop.call_later(self._config.linger or 0, self._give_up_key, key, epoch)

    def _give_up_key(self, key, epoch):
        """Idle (section 6): nobody has come again."""
        if self._owned.get(key) == epoch and key not in self._members and self._channel.is_open:
            del self._owned[key]
            space, name = key
            entry = struct.pack("<IHH", epoch, space, len(name)) + name
            self._channel.send(IDLE, payload=text(entry))

    def _is_full(self):
        return 0 < self._config.soft_limit <= self._clients

    def _load(self):
        self._told_load = self._clients, len(self._held)
        return struct.pack("<II", *self._told_load)

    def _tell_load(self):
        self._channel.send(LOAD, payload=self._load(), flags=int(self._draining))

    def _tell_load_soon(self):
        def tell():
            self._load_due = None
            if self._told_load != (self._clients, len(self._held)):
                self._tell_load()

        was_full = self._told_load and 0 < self._config.soft_limit <= self._told_load[0]
        if was_full and not self._is_full():
            self._tell_load()  # clients may wait for it
        elif self._load_due is None:
            self._load_due = self._loop.call_later(0.01, tell)

    # --- the end ----------------------------------------------------------------------------------

    def _start(self, coroutine):
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)  # the loop itself holds none
        task.add_done_callback(self._tasks.discard)

    def _on_signal(self):
        self._drain(0 if self._draining else self._config.drain or 0)
        self._tell_load()  # others accept in its place

    def _drain(self, seconds):
        """Takes no more clients, and ends when the last has gone or the time is over; None: when
        the last has gone, and it keeps its keys, which nobody else can get."""
        self._draining = True
        for listener in list(self._accepting):
            self._stop_accepting(listener)
        if seconds is not None:
            self._owned.clear()
            self._loop.call_later(seconds, self._done.set)
        self._end_if_empty()

    def _end_if_empty(self):
        if self._draining and not self._held:
            self._done.set()
