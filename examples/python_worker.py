#!/usr/bin/env python3
"""A worker for mpbroker that serves `control`, written from docs/channel-protocol.md. Small rather
than complete: the limits of Configure are not kept, and who does not read answers is closed."""
import contextlib, os, select, signal, socket, time, types
from struct import iter_unpack, pack, unpack_from
# The broker always reads, so sending on the channel may block; all other sockets never do.
channel, _ = socket.socket(fileno=3), socket.setdefaulttimeout(0)
epoll, pid, slot, window, linger, ends_at = select.epoll(), os.getpid(), 0, 1, 1000, None
handoff, clients, spaces, accepting = pid << 32, {}, {}, {}  # all but spaces by descriptor
owned, unsent, parked = {}, [], {}  # key: [epoch, space, last seen]; clients; handoff: client
def new_client(sock, listener, hops=0, unread=b""):  # wanted: the key it is offered under
    return clients.setdefault(sock.fileno(), types.SimpleNamespace(
        sock=sock, listener=listener, hops=hops, unread=unread, key=b"", wanted=b"", attempts=0))
def tell(kind, ident, payload, fds=(), flags=0):
    socket.send_fds(channel, [pack("<BBHIQ", 2, kind, flags, len(payload), ident) + payload], fds)
def text(data): return pack("<I", len(data)) + data  # of texts and of lists
def texts(body, at):
    while at < len(body): at += 4 + (n := unpack_from("<I", body, at)[0]); yield body[at - n:at]
def load(): return pack("<II", sum(1 for c in clients.values() if c.key), len(clients))
def leave(client, last=b"", settled=False):  # settled: another worker has it now
    if client.key in owned: owned[client.key][2] = time.monotonic()
    clients.pop(client.sock.fileno())
    if settled: return client.sock.close()
    if not client.wanted: epoll.unregister(client.sock)
    with contextlib.suppress(OSError), client.sock: client.sock.send(last), client.sock.shutdown(2)
def serve(client, fresh=b""):
    client.unread += fresh
    while data := client.unread:
        text, size = b"hello, server ping!\0", 1 + data.find(b"\0", 0, 4098)  # of an M
        if data[:1] == b"C":
            if (size := 5) > len(data): return
            key = b"%d" % int.from_bytes(data[1:5], "little", signed=True)
            if key != client.key and key not in owned:  # not ours: left alone until the verdict
                client.wanted, client.attempts = key, epoll.unregister(client.sock) or 0
                return unsent.append(client)
            client.key = key
        elif data[:1] == b"W":
            who, size = (slot, pid, client.key or b"-", client.hops), 1
            text = b"worker=%d pid=%d id=%s hops=%d\0" % who
        elif data[:1] == b"M" and not size and len(data) <= 4097: return
        elif data[:1] != b"M" or not size: return leave(client, b"error: expected C, M or W\0")
        client.unread = data[size:]
        if client.sock.send(text) != len(text): return leave(client)
def adopt(client, delivery, epoch, key):
    if epoch: owned[key] = [epoch, spaces[client.listener], 0]
    client.key, client.wanted = key, b""
    tell(0x13, 0, load() + text(pack("<Q", delivery)))  # the Ack, before anything is read or written
    epoll.register(client.sock, select.EPOLLIN)
    serve(client)
def unlisten(*listeners):  # accept there no more; the broker has the sockets, too
    for fd in [fd for fd in accepting if accepting[fd][1] in listeners]:
        epoll.unregister(fd), accepting.pop(fd)[0].close()
def drain(seconds):
    global ends_at
    ends_at, _, _ = time.monotonic() + seconds, owned.clear(), unlisten(*spaces)
def handle(kind, flags, ident, body, fds):
    global slot, window, linger
    if kind == 0x01:  # Configure
        oldest, newest, slot, window = unpack_from("<HHH2xI", body)
        if not oldest <= 2 <= newest: os._exit(2)
        linger, *_ = [n for n, in iter_unpack("<Q", next(texts(body, 12)))][7:8] or [1000]
    elif kind == 0x03: unlisten(*unpack_from("<H", body))
    elif kind == 0x02:  # Listen, again after each reload: the new socket replaces the old ones
        ident, space = unpack_from("<HH", body)
        spaces[ident] = space
        if not flags & 32: unlisten(ident)
        for fd in fds: accepting[fd] = socket.socket(fileno=fd), ident
        for fd in fds: epoll.register(fd, select.EPOLLIN | select.EPOLLEXCLUSIVE)
    elif kind == 0x04: tell(0x11, 0, pack("<IH", pid, 2))  # Start: Ready
    elif kind == 0x05:  # Deliver
        epoch, listener, hops = unpack_from("<8xI4xHH", body)
        if ends_at or not fds: return tell(0x08, 0, text(pack("<QB7x", ident, 2 if ends_at else 3)))
        key, _, prefix = (text for _, text in zip(range(3), texts(body, 24)))
        adopt(new_client(socket.socket(fileno=fds[0]), listener, hops + 1, prefix), ident, epoch, key)
    elif kind == 0x06:  # Keep
        for number, delivery, epoch in iter_unpack("<QQI4x", next(texts(body, 0))):
            adopt(client := parked.pop(number), delivery, epoch, client.wanted)
    elif kind == 0x07:  # Settled
        for number, in iter_unpack("<Q", next(texts(body, 0))): leave(parked.pop(number), settled=True)
    elif kind == 0x08:  # Nack: offer it again, or give up
        for number, reason in iter_unpack("<QB7x", next(texts(body, 0))):
            unsent.append(client := parked.pop(number))
            client.attempts += reason == 5
            if reason not in (3, 5): leave(unsent.pop(), b"busy\0")
    elif kind == 0x0a:  # Disown
        rest = next(texts(body, 0))
        while rest:
            epoch, size = unpack_from("<I2xH", rest)
            key, rest = rest[8:8 + size], rest[8 + size:]
            if owned.get(key, [0])[0] == epoch: del owned[key]
    elif kind == 0x0b: drain(unpack_from("<I", body)[0] / 1000)
    elif kind == 0x0f: tell(0x19, ident, text(b'{"unknown":true}'), flags=1)  # Query: Answer
    elif kind == 0x0c:  # Ping: Pong, and what else there is to say now and then
        tell(0x17, ident, text(b"")), tell(0x16, 0, load())
        in_use, now = {c.key for c in clients.values()}, time.monotonic()
        for key in [k for k in owned if k not in in_use and now > owned[k][2] + linger / 1000]:
            tell(0x15, 0, text(pack("<IHH", *owned.pop(key)[:2], len(key)) + key))  # Idle
signal.signal(signal.SIGTERM, lambda *_: drain(30)), signal.signal(signal.SIGHUP, signal.SIG_IGN)
epoll.register(3, select.EPOLLIN)
while not ends_at or (clients and time.monotonic() < ends_at):
    for fd, _ in epoll.poll(1):
        try:
            if fd == 3 and (got := socket.recv_fds(channel, 98320, 1, socket.MSG_CMSG_CLOEXEC))[0]:
                handle(*unpack_from("<xBH4xQ", got[0]), got[0][16:], got[1])
            elif fd == 3:  # the broker is gone: serve until the last client leaves
                window = epoll.unregister(3) or drain(3600) or 0
            elif fd in accepting:  # another worker may have been faster: OSError
                client = new_client(accepting[fd][0].accept()[0], accepting[fd][1])
                epoll.register(client.sock, select.EPOLLIN)
            elif data := clients[fd].sock.recv(16384):
                serve(clients[fd], data)
            else: leave(clients[fd])
        except OSError: fd in clients and leave(clients[fd])
    while unsent and len(parked) < window:  # Handoff
        parked[handoff := handoff + 1] = client = unsent.pop(0)
        head = pack("<HHBBxx", client.listener, client.hops, client.attempts, bool(client.key))
        tell(0x12, handoff, head + text(client.wanted) + text(b"") + text(client.unread),
             [client.sock.fileno()])
