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
    return struct.pack("<BBHIQ", 2, kind, flags, len(payload), number) + payload


def text(data):
    """A text, list or record: its length before it."""
    return struct.pack("<I", len(data)) + data


def texts(*parts):
    return b"".join(map(text, parts))


def numbers(*values):
    return text(struct.pack(f"<{len(values)}Q", *values))


def client(*parts):
    return struct.pack("<HHBB2x", 1, 2, 3, 1) + texts(*parts)


def key(epoch, space, name):
    return struct.pack("<IHH", epoch, space, len(name)) + name


def amf_string(text):
    return b"\x02" + struct.pack(">H", len(text)) + text


def amf_number(number):
    return b"\x00" + struct.pack(">d", number)


def amf_object(array=False, **properties):
    begin = b"\x08" + struct.pack(">I", len(properties)) if array else b"\x03"
    return begin + b"".join(
        struct.pack(">H", len(name)) + name.encode() + value
        for name, value in properties.items()) + b"\0\0\x09"


def rtmp_command(name, transaction, *arguments):
    return amf_string(name) + amf_number(transaction) + b"".join(arguments)


def rtmp_connect(app, tc_url):
    return rtmp_command(b"connect", 1, amf_object(
        app=amf_string(app), tcUrl=amf_string(tc_url), objectEncoding=amf_number(3)))


def rtmp_message(kind, payload, chunk_stream=3, chunk_size=128):
    header = bytes([chunk_stream]) + b"\0\0\0" + struct.pack(">I", len(payload))[1:]
    header += bytes([kind]) + b"\0\0\0\0"
    chunks = [payload[i:i + chunk_size] for i in range(0, len(payload), chunk_size)]
    return header + bytes([0xC0 | chunk_stream]).join(chunks)


def change(version, table, name, value=None):
    head = struct.pack("<QBBBxI", version, value is None, len(table), len(name), len(value or b""))
    return head + table + name + (value or b"")


CHANGES = change(6, b"deny", b"192.0.2.0/24", b"") + change(7, b"sessions", b"id")

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
STREAM = texts(b"a.test", b"live", b"s", b"192.0.2.1:5", b"avc1", b"mp4a") + struct.pack(
    "<QQdddQQQQQQ", 1280, 720, 29.97, 2500.5, 5000, 2, 3, 1, 60, 70, 8)
UPSTREAM = texts(b"a.test", b"192.0.2.1:1935", b"no") + numbers(4, 3, 5, 2) + b"\x01\x00"
HOOK = texts(b"a:80", b"open") + numbers(1, 2, 3, 4, 5, 6, 7, 8)
CONTENT = struct.pack("<B7xQ", 1, 9) + texts(b"topic", b"payload")
MESSAGE = {
    "post": datagram(0x20, struct.pack("<BxHIH2x", 0, 1, 2, 3) + text(b"") + CONTENT, 5),
    "post_owner": datagram(0x20, struct.pack("<BxHIH2x", 3, 0, 0, 1) + text(b"key") + CONTENT, 6, 1),
    "letter": datagram(0x21, struct.pack("<H2xI", 1, 2) + CONTENT + b"newer", 7, 1),
    "undeliverable": datagram(0x22, text(struct.pack("<QIHBx", 5, 2, 1, 3) * 2)),
    "credit": datagram(0x23, struct.pack("<III", 1024, 1 << 20, 1)),
    "join": datagram(0x24, text(b"group")),
    "leave": datagram(0x24, text(b"group"), flags=1),
    "subscribe": datagram(0x25),
    "event": datagram(0x26, struct.pack("<BxHIQ", 8, 1, 2, 3) + text(b"exit code 0")),
    "configure": datagram(0x01, struct.pack("<HHH2xI", 2, 2, 1, 64) + numbers(*range(11))),
    "listen": datagram(0x02, struct.pack("<HH", 7, 4) + texts(b"main", b"control", b"echo", b""), flags=1),
    "listen_networks": datagram(0x02, struct.pack("<HH", 7, 1) + texts(
        b"r", b"rtmp", b"", bytes(16) + b"\0" + bytes(16) + b"\xff"), flags=8),
    "unlisten": datagram(0x03, struct.pack("<H", 7)),
    "start": datagram(0x04),
    "deliver": datagram(0x05, struct.pack("<QIH2x", 1, 2, 3) + client(b"k", b"s", b"p"), 9, 1),
    "keep": datagram(0x06, text(struct.pack("<QQI4x", 1, 2, 3) * 2)),
    "settled": datagram(0x07, numbers(1, 2)),
    "nack": datagram(0x08, text(struct.pack("<QB7x", 1, 1) + struct.pack("<QB7x", 2, 7))),
    "own": datagram(0x09, text(KEYS)),
    "disown": datagram(0x0A, text(KEYS)),
    "drain": datagram(0x0B, struct.pack("<I", 5000)),
    "ping": datagram(0x0C, number=3),
    "fork": datagram(0x50, struct.pack("<H", 7), number=3),
    "can_fork": datagram(0x51, struct.pack("<H", 2)),
    "forked": datagram(0x52, struct.pack("<II", 4711, 0), number=3),
    "resync": datagram(0x0D, number=3),
    "query": datagram(0x0F, texts(b"streams", b""), 5),
    "query_argument": datagram(0x0F, texts(b"kick", b"a.test/live/s"), 6),
    "vhosts": datagram(0x0E, text(b"[vhost a.test]\nlatency = merge:350ms\n"), flags=3),
    "vhosts_empty": datagram(0x0E, text(b""), flags=3),
    "vhosts_removed": datagram(0x0E, text(b"a.test\n"), flags=15),
    "ready": datagram(0x11, struct.pack("<IH", 4711, 2)),
    "handoff": datagram(0x12, client(b"key", b"st", b"prefix"), 9),
    "ack": datagram(0x13, struct.pack("<II", 1, 2) + numbers(3, 4)),
    "idle": datagram(0x15, text(KEYS)),
    "load": datagram(0x16, struct.pack("<II", 1, 2)),
    "pong": datagram(0x17, text(struct.pack("<HH", 1, 0) + numbers(1, 2)
                                + struct.pack("<HH", 2, 0) + numbers(5, 6, 7)
                                + struct.pack("<HH", 3, 7) + numbers(8)), 3),
    "notice": datagram(0x1A, struct.pack("<BBBxI", 3, 1, 2, 9) + texts(
        b"192.0.2.1:5", b"a.test", b"live", b"s", b"k")),
    "resync_report": datagram(0x18, struct.pack("<II", 1, 2) + numbers(3) + text(
        struct.pack("<QH6x", 4, 5)) + text(KEYS) + numbers(6), 3, 7),
    "bye": datagram(0x1B, struct.pack("<I", 2) + text(b"why")),
    "answer": datagram(0x19, numbers(9) + text(texts(STREAM, STREAM + b"newer", STREAM[:18])), 5),
    "answer_upstreams": datagram(0x19, numbers(4, 1) + text(texts(UPSTREAM, b"")), 5, 1),
    "answer_hooks": datagram(0x19, numbers() + text(texts(HOOK)), 5, 1),
    "tables": datagram(0x30, struct.pack("<I4xQ", 1024, 7) + text(CHANGES), 0, 3),
    "tables_empty": datagram(0x30, struct.pack("<I4xQ", 1024, 0) + text(b""), 0, 3),
    "table_changes": datagram(0x31, text(CHANGES)),
    "table_changes_cut": datagram(0x31, text(CHANGES[:-1])),
    "table_results": datagram(0x32, text(struct.pack("<QQqB7x", 3, 7, -2, 1))),
    "table_operation": datagram(
        0x38, struct.pack("<B3xIQq", 4, 1000, 6, -5) + texts(b"sessions", b"id", b"user"), 3),
    "answer_unknown": datagram(0x19, texts(b"", b""), 5, 3),
    "version": b"\x03" + datagram(0x0C)[1:],
    "cut": datagram(0x11, b"ab"),
}

LISTENER = b"[listener main]\nlisten = 127.0.0.1:1990\nprotocol = control\n"
RTMP = LISTENER.replace(b"control", b"rtmp")
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
    "rtmp": RTMP + b"key = vhost/app/stream\nprefix = srs-real-ip\nprefix-from = 10.0.0.0/8, unix:\nhandler = relay\n",
    "vhost_delivery": LISTENER + b"[vhost A.test.]\nlatency = merge:350ms\ngop-cache = no\n"
    b"queue = 3s\njitter = zero\n",
    "vhost_access": LISTENER + b"[vhost *.a.test]\npublish-allow = 192.0.2.1, 10.0.0.0/8\n"
    b"play-deny = 2001:db8::/32,all\npublish-key = k\nplay-secret = s\n",
    "vhost_hooks": LISTENER + b"[vhost a]\non-connect = http://127.0.0.1:8085/c\n"
    b"on-stop = http://[::1]:80/\nhook-timeout = 1s\nhook-failure = open\n",
    "vhost_limits": LISTENER + b"[vhost __defaultVhost__]\nmax-players = 9\n"
    b"max-bitrate = 6Mbit\nplay-wait = 5s\npublish-timeout = 0\n",
    "vhost_forward": RTMP + b"handler = forward\n[vhost a]\nupstream = 192.0.2.1:1935\n"
    b"upstream = unix:/x backup\nupstream-prefix = proxy-v2\nupstream-fails = 1\n",
    "cells": b"max-workers = 9\nmax-failures = 2\nrecovery-time = 5m\n" + LISTENER
    + b"isolate = key\nrollover = 6h\n[key 7*]\nprotocol = control\nuser = nobody\nnofile = 300\n",
    "vhost_cell": RTMP + b"isolate = key\nkey = vhost/app\n[vhost a.test]\nuser = nobody\n"
    b"group = nogroup\nmemory-max = 64MiB\ncpu-weight = 50\n",
    "unknown_key": b"wrokers = 4\n",
    "no_value": b"workers\n",
    "broken_section": b"[listener\nlisten = unix:/tmp/x\n",
    "crlf": b"workers = 4\r\n\r\n",
    "nul": b"workers = 4\0\n",
}

TC_URL = b"rtmp://a.test:1935/live"
LOCATION = {
    "connect": rtmp_connect(b"live", TC_URL),
    "connect_amf3": b"\0" + rtmp_connect(b"live?vhost=b.test&key=abc", TC_URL),
    "play": rtmp_command(b"play", 4, b"\x05", amf_string(b"s?vhost=b.test&key=abc")),
    "host": b"live\n" + TC_URL,
    "address": b"live\nrtmp://[::1]:1935/live/",
    "user": b"live\nrtmp://user:word@A.Test./live",
    "parameters": b"live/room?domain=b.test&key=%41\n" + TC_URL + b"?vhost=c.test",
    "old_form": b"live...vhost...b.test...key...x\n" + TC_URL,
    "old_form_url": b"live/_definst_\n" + TC_URL + b"...vhost...b.test",
    "only_url": b"\n" + TC_URL,
    "stream": b"/dir/s?vhost=B.test:1935&key=a%2fb",
    "vhost": b"B.test.:1935",
    "vhost_ipv6": b"[fe80::1%eth0]:1935",
    "vhost_ipv4": b"192.0.2.1:1935",
    "vhost_default": b"__defaultVhost__",
    "vhost_longest": b"a" * 255,
    "vhost_overlong": b"a" * 256,
}

SPS = {
    "baseline": "6742c016d900a02ff97011000003000100000300140f162e48",
    "high": "67640028acd940780227e5c044000003000400000300503c60c658",
    "interlaced": "67640028acd94078044fde022000000300200000030283e2c5b2c0",
    "high444": "67f4000c919b282a10f1f1f80880000003008000000a078a14cb",
}


def avc_record(sps):
    return b"\x01\x64\x00\x1f\xff\xe1" + struct.pack(">H", len(sps)) + sps + b"\x01\0\0"


METADATA = amf_string(b"onMetaData") + amf_object(
    array=True, width=amf_number(1280), height=amf_number(720), framerate=amf_number(30),
    encoder=amf_string(b"Lavf59"))
MEDIA = {
    **{f"avc_{name}": b"\x17\0\0\0\0" + avc_record(bytes.fromhex(sps))
       for name, sps in SPS.items()},
    "avc_enhanced": b"\x90avc1" + avc_record(bytes.fromhex(SPS["high"])),
    "avc_key": b"\x17\x01\0\0\0frame",
    "avc_inter": b"\x27\x01\0\0\0frame",
    "avc_end": b"\x17\x02\0\0\0",
    "hevc_legacy": b"\x1c\x00\0\0\0",
    "hevc": b"\x91hvc1\0\0\0frame",
    "av1": b"\x93av01frame",
    "vp9_end": b"\x92vp09",
    "hdr": b"\x94hvc1" + amf_string(b"colorInfo"),
    "ts": b"\x95av01",
    "command": b"\xd0\x00",
    "one_track": b"\x96\x00avc1\x05" + avc_record(bytes.fromhex(SPS["baseline"])),
    "tracks": b"\x96\x11hvc1\x02\0\0\1x\x03\0\0\1y",
    "codecs": b"\xa6\x21avc1\x07\0\0\1xhvc1\x08\0\0\1y",
    "modifiers": b"\x97\x02abc\x07\x00z\x01hvc1",
    "modifier_long": b"\x97\xff\x01\x2b" + b"m" * 300 + b"\x03vp09x",
    "modifier_cut": b"\x97\xff\x01\x2b",
    "aac": b"\xaf\x00\x12\x10",
    "opus": b"\x90OpusOpusHead",
    "opus_channels": b"\x94Opus",
    "audio_tracks": b"\x95\x21mp4a\x01\0\0\1xOpus\x02\0\0\1y",
    "metadata": METADATA,
    "set_data_frame": amf_string(b"@setDataFrame") + METADATA,
}

# The first byte: 1 PROXY, 2 real-ip, 4 keys by stream, 8 the handshake comes before.
CONNECT = rtmp_message(20, rtmp_connect(b"live", TC_URL))
CHUNK_SIZE = rtmp_message(1, struct.pack(">I", 4096), 2)
HELLO = b"\x03" + b"\0" * 8 + b"h" * 1528
C2 = b"2" * 1536
REJECTED = rtmp_message(20, rtmp_connect(b"live", b"rtmp://x.test/live"))
RTMP = {
    "session": b"\x00" + HELLO + C2 + CONNECT,
    "session_proxy_v1": b"\x01PROXY TCP4 192.0.2.1 192.0.2.9 1234 1935\r\n" + HELLO + C2 + CONNECT,
    "session_proxy_v2": b"\x01\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(range(12)) + HELLO,
    "session_real_ip": b"\x02\xf3\0\x04\xc0\0\x02\x01" + HELLO + C2 + CONNECT,
    "both_prefixes": b"\x03PROXY UNKNOWN\r\n\xf3\0\x04\xc0\0\x02\x01\x03",
    "version": b"\x00\x06",
    "connect": b"\x08" + CONNECT,
    "connect_by_stream": b"\x0c" + CONNECT,
    "connect_amf3": b"\x08" + rtmp_message(17, b"\0" + rtmp_connect(b"live", TC_URL)),
    "connect_cut": b"\x08" + CONNECT[:-1],
    "rejected": b"\x08" + REJECTED,
    "chunk_size": b"\x08" + CHUNK_SIZE + rtmp_message(
        20, rtmp_connect(b"live", TC_URL), chunk_size=4096),
    "create_first": b"\x08" + rtmp_message(20, rtmp_command(b"createStream", 2, b"\x05")) + CONNECT,
    "video_first": b"\x08" + rtmp_message(9, b"\x17\x01") + CONNECT,
    "many_controls": b"\x08" + CHUNK_SIZE * 17,
    "overlong": b"\x08\x03\0\0\0\x01\0\x01\x14\0\0\0\0",
    "format3_first": b"\x08\xc5x",
}

VALUE = amf_object(a=b"\x05", b=b"\x06", c=b"\x01\x01", d=b"\x0b" + bytes(10))
AMF0 = {
    "connect": rtmp_connect(b"live", TC_URL),
    "metadata": METADATA,
    "object": VALUE,
    "typed": b"\x10\0\x05Class" + VALUE[1:],
    "strict_array": b"\x0a\0\0\0\x03\x05" + VALUE + amf_number(1),
    "strict_array_cut": b"\x0a\0\0\x10\0\x05",
    "long_string": b"\x0c\0\0\0\x03abc\x0f\0\0\0\x04<x/>",
    "empty_name": b"\x03\0\0\x05\0\0\x09",
    "deep": b"\x0a\0\0\0\x01" * 16 + b"\x05",
    "too_deep": b"\x0a\0\0\0\x01" * 17 + b"\x05",
    "reference": b"\x07\0\0",
    "unsupported": b"\x0d",
    "amf3_object": b"\x11\x0a\x0b\x01\x0bwidth\x04\x85\0\x01",
    "amf3_traits": b"\x11\x09\x05\x01\x0a\x13\x03C\x03m\x04\x01\x0a\x01\x04\x02",
    "amf3_strings": b"\x11\x09\x07\x01\x06\x05ab\x06\0\x06\0",
    "amf3_vectors": b"\x11\x0d\x03\0\0\0\0\x01\x11\x10\x03\0\x01\x06\x03x",
}


def chunk(format_and_id, *fields, payload=b""):
    return bytes([format_and_id]) + b"".join(fields) + payload


def u24(number):
    return struct.pack(">I", number)[1:]


# First byte 0: a stream in pieces, whose sizes the second byte seeds; 1: a saved state, whose size
# is the second byte.
LONG = rtmp_message(9, b"v" * 300, 4)
ABORT = rtmp_message(2, struct.pack(">I", 4), 2)
EXTENDED = struct.pack(">I", 0x1000000)
STREAM = {
    "message": CONNECT,
    "long": LONG,
    "interleaved": LONG[:140] + rtmp_message(8, b"a" * 200, 5) + LONG[140:],
    "formats": chunk(0x04, u24(10), u24(1), b"\x08\x01\0\0\0", payload=b"a")
    + chunk(0x44, u24(5), u24(2), b"\x09", payload=b"bb")
    + chunk(0x84, u24(3), payload=b"cc") + chunk(0xC4, payload=b"dd"),
    "ids": chunk(0x00, b"\x05", u24(0), u24(1), b"\x08\0\0\0\0", payload=b"a")
    + chunk(0x01, b"\x05\x06", u24(0), u24(1), b"\x08\0\0\0\0", payload=b"b"),
    "extended": chunk(0x04, u24(0xFFFFFF), u24(200), b"\x09\0\0\0\0", EXTENDED, payload=b"v" * 128)
    + chunk(0xC4, EXTENDED, payload=b"v" * 72),
    "extended_once": chunk(
        0x04, u24(0xFFFFFF), u24(200), b"\x09\0\0\0\0", EXTENDED, payload=b"v" * 128)
    + chunk(0xC4, payload=b"v" * 72),
    "chunk_size": CHUNK_SIZE + rtmp_message(9, b"v" * 1000, 4, 4096),
    "chunk_size_zero": rtmp_message(1, bytes(4), 2),
    "chunk_size_top_bit": rtmp_message(1, b"\x80\0\0\x01", 2),
    "abort": LONG[:140] + ABORT + rtmp_message(9, b"again", 4),
    "empty": rtmp_message(9, b"", 4) + b"\xc4",
    "format1_first": chunk(0x42, u24(0), u24(6), b"\x04", payload=b"\0\x07\0\0\0\x01"),
    "not_whole": LONG[:140] + LONG,
    "overlong": rtmp_message(9, b"v" * 1025, 4),
    "many_partial": b"".join(LONG[:140].replace(b"\x04", bytes([i]), 1) for i in range(3, 64)),
}
STATE = {
    "fresh": struct.pack("<4I", 128, 0, 0, 0),
    "known": struct.pack("<9IBBI", 128, 0, 0, 1, 4, 10, 10, 5, 1, 9, 0, 0),
    "in_chunk": struct.pack("<9IBBI", 128, 26, 0, 1, 4, 0, 0, 300, 1, 9, 6, 102) + b"v" * 102,
    "in_only_chunk": struct.pack("<9IBBI", 128, 3, 0, 1, 4, 0, 0, 5, 1, 9, 2, 2) + b"vv",
    "between_chunks": struct.pack("<9IBBI", 128, 0, 0, 1, 4, 0, 0, 300, 1, 9, 7, 128) + b"v" * 128,
}
CHUNK = {
    **{name: b"\x00" + bytes([len(wire) % 256]) + wire for name, wire in STREAM.items()},
    **{f"state_{name}": b"\x01" + bytes([len(state)]) + state + b"v" * 300
       for name, state in STATE.items()},
}

# The first byte chooses scheme and randomness of what the rest is laid over.
HANDSHAKE = {
    "simple": b"\x00",
    "digest0": b"\x01",
    "digest1": b"\x02",
    "digest0_time": b"\x01\0\0\0\x01",
    "digest1_version_zero": b"\x02" + bytes(8),
    "digest0_offset": b"\x01" + bytes(4) + b"\x80\0\x07\x02" + b"\xff" * 4,
    "block": b"\x00" + b"\x01" * 1536,
}

V4 = b"\xc0\0\x02\x01\xc0\0\x02\x02\x04\xd2\x07\x8f"
V6 = b"\x20\x01\x0d\xb8" + bytes(11) + b"\x01" + bytes(15) + b"\x01\x04\xd2\x07\x8f"
V2 = b"\r\n\r\n\0\r\nQUIT\n"
PREFIX = {
    "v1_tcp4": b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 1935\r\n\x03",
    "v1_tcp6": b"PROXY TCP6 2001:db8::1 ::1 1234 1935\r\n\x03",
    "v1_mapped": b"PROXY TCP6 ::ffff:192.0.2.1 ::1 1234 1935\r\n",
    "v1_unknown": b"PROXY UNKNOWN anything\r\n",
    "v1_cut": b"PROXY TCP4 192.0.2.1",
    "v1_overlong": b"PROXY UNKNOWN " + b"x" * 94,
    "v2_tcp4": V2 + b"\x21\x11\0\x0c" + V4,
    "v2_tcp6": V2 + b"\x21\x21\0\x24" + V6,
    "v2_fields": V2 + b"\x21\x11\0\x0f" + V4 + b"\x04\0\0",
    "v2_local": V2 + b"\x20\0\0\0\x03",
    "v2_unix": V2 + b"\x21\x31\0\xd8" + bytes(216),
    "v2_short": V2 + b"\x21\x11\0\x0b" + V4[:11],
    "v2_overlong": V2 + b"\x21\x11\xff\xff",
    "srs": b"\xf3\0\x04\xc0\0\x02\x01\x03",
    "srs_more": b"\xf3\0\x06\xc0\0\x02\x01xx\x03",
    "srs_none": b"\xf3\0\0\x03",
    "srs_overlong": b"\xf3\x04\x01",
    "none": b"\x03" + bytes(8),
    "endpoint": b"192.0.2.1:1935",
    "endpoint_v6": b"[2001:db8::1:0:0:1]:1935",
    "address_v6": b"::ffff:192.0.2.1",
}

REQUESTS = {
    "status": b'{"command":"status"}\n',
    "events": b'{"command":"events"}\n{"command":"status"}\n',
    "kick": b'{"command":"kick","stream":"a.test/live/s"}\n',
    "drain": b'{"command":"drain","slot":1}\n',
    "route": b'{"command":"route","key":"k","slots":[0,1],"listener":"main"}\n',
    "route_removed": b'{"command":"route","key":"k","remove":true}\n',
    "workers": b'{"command":"workers","count":3}\n',
    "vhost": b'{"command":"vhost","name":"a.test","set":["gop-cache = no"],"unset":["queue"]}\n',
    "vhost_removed": b'{"command":"vhost","name":"a.test","remove":true}\n',
    "list": b'{"command":"streams"}\n{"command":"hooks"}\n{"command":"upstreams"}',
    "deep": b'{"command":' + b"[" * 9 + b"]" * 9 + b"}\n",
    "not_json": b"status\n",
}


def answer(head, body):
    return b"HTTP/1.1 " + head + b"\r\n\r\n" + body


ANSWERS = {
    "consent": answer(b"200 OK\r\nContent-Length: 1", b"0"),
    "consent_object": answer(b"200 OK\r\nContent-Length: 10", b'{"code":0}'),
    "refusal": answer(b"200 OK\r\nContent-Length: 4", b"1000"),
    "forbidden": answer(b"403 Forbidden\r\nContent-Length: 0", b""),
    "chunked": answer(b"200 OK\r\nTransfer-Encoding: chunked", b"1;x=y\r\n0\r\n0\r\nA: b\r\n\r\n"),
    "until_close": answer(b"200 OK", b"0"),
    "continue": answer(b"100 Continue", answer(b"200 OK\r\nContent-Length: 1", b"0")),
    "redirect": answer(b"302 Found\r\nLocation: http://127.0.0.1/", b""),
    "overlong": answer(b"200 OK\r\nContent-Length: 99999999", b"0"),
    "cut": b"HTTP/1.1 200",
}

# The first byte: which handler; the next two: the length of the state; then what the client sends.
PING, CONTROL_ECHO, FORWARD, RELAY = (bytes([i]) for i in (1, 0, 2, 3))


def with_length(text):
    return struct.pack("<I", len(text)) + text


def handler_state(handler, state, sent=b""):
    return handler + struct.pack("<H", len(state)) + state + sent


CREATE = rtmp_message(20, rtmp_command(b"createStream", 2, b"\x05"))
CLIENT_STATE = (
    b"S" + with_length(b"192.0.2.1") + with_length(b"a.test") + with_length(b"live")
    + with_length(TC_URL) + b"\0" + with_length(b"") + b"\0" + with_length(b"a.test")
    + struct.pack("<IQQIBBIB", 2500000, 3000, 0, 1, 0, 1, 1, 0)
    + bytes([20]) + struct.pack("<I", 1)
    + with_length(rtmp_command(b"publish", 3, b"\x05", amf_string(b"s"), amf_string(b"live")))
    + STATE["fresh"])
HANDLERS = {
    "control": handler_state(CONTROL_ECHO, b"", claim(7) + b"WMhello\0"),
    "ping": handler_state(PING, b"", b"PP"),
    "relay": handler_state(RELAY, b"", C2 + CONNECT + CREATE),
    "relay_address": handler_state(RELAY, b"A192.0.2.1", C2 + CONNECT + CREATE),
    "relay_moved": handler_state(RELAY, CLIENT_STATE, CREATE + LONG),
    "forward": handler_state(FORWARD, b"A192.0.2.1", C2 + CONNECT),
}

write("control_fuzz", CONTROL)
write("control_request_fuzz", REQUESTS)
BROKER_STATE = struct.pack("<IQQQIIQBIH", 1, 7, 1, 2, 9, 1024, 11, 0, 3, 2)
BROKER_SLOT = struct.pack("<HIIBBIQ", 5, 1, 4711, 2, 1, 0, 99) + text(b"\0\0room")
write("state_fuzz", {
    "empty": BROKER_STATE + bytes(24),
    "slot": BROKER_STATE + struct.pack("<I", 1) + BROKER_SLOT + bytes(20),
})
write("hook_answer_fuzz", ANSWERS)
write("handler_state_fuzz", HANDLERS)
write("classifier_fuzz", CONTROL)
write("message_fuzz", MESSAGE)
write("options_fuzz", OPTIONS)
write("rtmp_location_fuzz", LOCATION)
write("rtmp_media_fuzz", MEDIA)
write("rtmp_classifier_fuzz", RTMP)
write("amf0_fuzz", AMF0)
write("rtmp_chunk_fuzz", CHUNK)
write("rtmp_handshake_fuzz", HANDSHAKE)
write("rtmp_prefix_fuzz", PREFIX)
