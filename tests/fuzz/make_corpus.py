#!/usr/bin/env python3
"""Writes the seed corpora, tests/fuzz/corpus/<target>/: small inputs of every kind."""
import pathlib
import struct

CORPUS = pathlib.Path(__file__).parent / "corpus"


def write(target, seeds):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in seeds.items():
        (folder / name).write_bytes(content)


def claim(number):
    return b"C" + struct.pack("<i", number)


def datagram(kind, payload=b"", number=0, flags=0):
    return struct.pack("<BBHIQ", 1, kind, flags, len(payload), number) + payload


def client(fixed, key, state, prefix):
    return fixed + struct.pack("<HHI", len(key), len(state), len(prefix)) + key + state + prefix


def key(epoch, space, name):
    return struct.pack("<IHH", epoch, space, len(name)) + name


CONTROL = {
    "claim": claim(7),
    "claim_negative": claim(-1),
    "claim_cut": claim(7)[:3],
    "who": b"W",
    "message": b"Mhello\0",
    "message_empty": b"M\0",
    "message_cut": b"Mhel",
    "message_longest": b"M" + b"x" * 4096 + b"\0",
    "message_overlong": b"M" + b"x" * 4097,
    "message_overlong_ended": b"M" + b"x" * 4097 + b"\0",
    "several": claim(1) + b"WMhi\0" + claim(2) + b"W",
    "unknown": b"GET / HTTP/1.1\r\n\r\n",
}

KEYS = key(1, 2, b"room") + key(3, 4, b"")
MESSAGE = {
    "configure": datagram(0x01, struct.pack("<HH9I", *range(1, 12))),
    "listen": datagram(0x02, struct.pack("<HHHH", 1, 4, 7, 4) + b"maincontrolecho", 7, 1),
    "unlisten": datagram(0x03, number=7),
    "start": datagram(0x04),
    "deliver": datagram(0x05, client(struct.pack("<QHHIH6x", 1, 2, 3, 4, 5), b"k", b"s", b"p"), 9),
    "keep": datagram(0x06, struct.pack("<QQI4x", 1, 2, 3) * 2),
    "settled": datagram(0x07, struct.pack("<QQ", 1, 2)),
    "nack": datagram(0x08, struct.pack("<QB7x", 1, 1) + struct.pack("<QB7x", 2, 7)),
    "own": datagram(0x09, KEYS),
    "disown": datagram(0x0A, KEYS),
    "drain": datagram(0x0B, struct.pack("<I", 5000)),
    "ping": datagram(0x0C, number=3),
    "resync": datagram(0x0D),
    "query": datagram(0x0F, struct.pack("<H", 7) + b"streams", 5),
    "query_argument": datagram(0x0F, struct.pack("<H", 4) + b"kicka.test/live/s", 6),
    "ready": datagram(0x11, struct.pack("<I", 4711)),
    "handoff": datagram(0x12, client(struct.pack("<HHB3x", 1, 2, 3), b"key", b"st", b"prefix"), 9),
    "ack": datagram(0x13, struct.pack("<IIQQ", 1, 2, 3, 4)),
    "idle": datagram(0x15, KEYS),
    "load": datagram(0x16, struct.pack("<II", 1, 2)),
    "pong": datagram(0x17, struct.pack("<QQ", 1, 2), 3),
    "resync_report": datagram(
        0x18, struct.pack("<IIIIQQH6x", 1, 2, 1, 1, 3, 4, 5) + KEYS, flags=1),
    "answer": datagram(0x19, b'{"streams":[{"vhost":"a.test"', 5),
    "answer_last": datagram(0x19, b'{"unknown":true}', 5, 1),
    "version": b"\x02" + datagram(0x0C)[1:],
    "cut": datagram(0x11, b"ab"),
}

LISTENER = b"[listener main]\nlisten = 127.0.0.1:1990\nprotocol = control\n"
OPTIONS = {
    "empty": b"",
    "general": b"# comment\nworkers = 4\nmax-workers = 8\nlinger = 5s\n",
    "listener": LISTENER + b"policy = hash\noverflow = refuse\nbacklog = 4096\n",
    "routes": LISTENER + b"sticky = no\nroute = a=0\nroute = b=1,2\nroute = *=3\n",
    "limits": b"grow-at = 80\nmax-keys = 1000\nkey-linger = 1s\nacceptors = 1\n",
    "unix": b"[listener u]\nlisten = unix:/tmp/x.sock\nmode = 0600\nprotocol = ping\n",
    "durations": b"header-timeout = 200ms\nidle-timeout = 0\ndrain-timeout = 1m\n",
    "socket": b"control-socket = ./mp.sock\nmax-clients = 1000\n" + LISTENER,
    "two": LISTENER + LISTENER.replace(b"main", b"six").replace(b"127.0.0.1", b"[::1]"),
    "unknown_key": b"wrokers = 4\n",
    "no_value": b"workers\n",
    "broken_section": b"[listener\nlisten = unix:/tmp/x\n",
    "crlf": b"workers = 4\r\n\r\n",
    "nul": b"workers = 4\0\n",
}

write("control_fuzz", CONTROL)
write("classifier_fuzz", CONTROL)
write("message_fuzz", MESSAGE)
write("options_fuzz", OPTIONS)
