"""Runs mprtmp against a server and takes the server's figures at the right moments."""

import contextlib
import json
import os
import re
import select
import socket
import struct
import time

from . import processes
from .processes import Failure, Program

# A stream that costs little and has only key frames, so that nobody waits for one.
SMALL_STREAM = ("--bitrate", "64kbit", "--audio", "0", "--fps", "5", "--gop", "200ms")
STREAM = ("--bitrate", "2.5Mbit", "--gop", "2s")


class Mprtmp:
    """One mprtmp process; its report is JSON."""

    def __init__(self, bin_dir, scratch, port, name, options):
        self.report = os.path.join(scratch, f"mprtmp-{name}.json")
        self.program = Program(f"mprtmp {name}", [
            os.path.join(bin_dir, "mprtmp"), "127.0.0.1", port, "--json", self.report, *options])

    def said(self, text):
        return re.search(text, processes.read_file(self.program.stderr)) is not None

    def wait_for(self, text, seconds):
        """The moment counts: a short poll."""
        deadline = time.monotonic() + seconds
        while not self.said(text):
            if self.program.popen.poll() is not None and not self.said(text):
                raise self.program.explain(f"ended without saying '{text}'")
            if time.monotonic() > deadline:
                raise self.program.explain(f"did not say '{text}' within {seconds:.0f} s")
            time.sleep(0.002)

    def result(self, seconds):
        code = self.program.wait(seconds)
        if code not in (0, 1) or not os.path.exists(self.report):
            raise self.program.explain(f"ended with code {code} and no report")
        with open(self.report, encoding="utf-8") as file:
            result = json.load(file)
        os.unlink(self.report)
        return result

    def end(self):
        self.program.end()


@contextlib.contextmanager
def publisher(bin_dir, scratch, port, options):
    """Publishes while the block runs."""
    mprtmp = Mprtmp(bin_dir, scratch, port, "publisher", ["--publish", "--hold", "10m", *options])
    try:
        mprtmp.wait_for("holding", 30)
        yield mprtmp
        mprtmp.program.check_alive()
    finally:
        mprtmp.end()


def fan_out(bin_dir, scratch, server, players, seconds):
    """One stream and so many players: CPU per Gbit, transit, first key frames, memory."""
    with publisher(bin_dir, scratch, server.port, STREAM):
        rss_before = server.rss_kib()
        load = Mprtmp(bin_dir, scratch, server.port, "players", [
            "--play", "--clients", players, "--rate", 400, "--hold",
            f"{round(seconds * 1000)}ms", "--timeout", "20s"])
        try:
            load.wait_for("holding", 60 + players / 100)
            cpu = server.cpu_ns()
            rss = server.rss_kib()
            load.wait_for("held", seconds + 30)
            cpu = server.cpu_ns() - cpu
            result = load.result(60)
        finally:
            load.end()
        server.check()
    gigabits = result["window"]["bytes_received"] * 8 / 1e9
    if gigabits == 0:
        raise Failure(f"({server.variant.key}) sent nothing to {players} players: "
                      f"{result['samples']}")
    latency = result["latency_us"]
    return {"cpu_s_per_gbit": cpu / 1e9 / gigabits, "gbit": gigabits,
            "transit": {q: latency["transit"][q] for q in ("p50", "p99")},
            "first_key": {q: latency["first_key"][q] for q in ("p50", "p99")},
            "rss_kib_per_player": (rss - rss_before) / players,
            "lost_players": result["players"]["lost"] + result["players"]["wrong"],
            "lost_frames": result["video"]["lost"] + result["audio"]["lost"],
            "samples": result["samples"], "busy_percent": result["own_cpu"]["busy_percent"]}


def churn(bin_dir, scratch, server, seconds, vhosts=1):
    """Players that connect, play, get their first media and leave: CPU of a session."""
    options = ["--vhosts", vhosts]
    with publisher(bin_dir, scratch, server.port, [*SMALL_STREAM, *options]):
        cpu = server.cpu_ns()
        load = Mprtmp(bin_dir, scratch, server.port, "churn", [
            "--churn", "--concurrency", 64, "--duration", f"{round(seconds * 1000)}ms", *options])
        try:
            result = load.result(seconds + 40)
        finally:
            load.end()
        cpu = server.cpu_ns() - cpu
        server.check()
    served = result["players"]["served"]
    if served == 0:
        raise Failure(f"({server.variant.key}) served no session: {result['samples']}")
    return {"cpu_us_per_session": cpu / 1000 / served,
            "sessions_per_second": result["sessions_per_second"],
            "lost_players": result["players"]["lost"] + result["players"]["wrong"],
            "samples": result["samples"]}


def make_clip(path):
    """What ffmpeg publishes, encoded beforehand, so that no encoder's start is measured."""
    program = Program("ffmpeg", [
        "ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=size=640x360:rate=30",
        "-f", "lavfi", "-i", "sine=frequency=440", "-t", "2", "-c:v", "libx264", "-preset",
        "ultrafast", "-pix_fmt", "yuv420p", "-g", "60", "-c:a", "aac", "-f", "flv", path])
    try:
        if program.wait(60) != 0:
            raise program.explain("did not encode the clip")
    finally:
        program.end()


def open_sniffer():
    """Sees loopback's packets, so that nothing stands between ffmpeg and the server."""
    ip = 0x0800
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ip))
    sniffer.bind(("lo", ip))
    sniffer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
    # SO_TIMESTAMPNS_OLD: the kernel's time of each packet, however late this process looks.
    sniffer.setsockopt(socket.SOL_SOCKET, 35, 1)
    return sniffer


def ffmpeg_first_media(server, clip, sniffer):
    """Seconds from ffmpeg's SYN to the packet with its metadata, which its first frame follows."""
    program = Program("ffmpeg publishing", [
        "ffmpeg", "-v", "error", "-re", "-i", clip, "-c", "copy", "-f", "flv", "-rtmp_tcurl",
        "rtmp://v0.test/live", f"rtmp://127.0.0.1:{server.port}/live/ffmpeg"])
    begun = None
    deadline = time.monotonic() + 20
    try:
        while time.monotonic() < deadline:
            if not select.select([sniffer], [], [], 0.1)[0]:
                program.check_alive()
                continue
            packet, ancillary, _, _ = sniffer.recvmsg(65535, 64)
            ip_size = (packet[0] & 15) * 4
            if packet[9] != socket.IPPROTO_TCP or len(packet) < ip_size + 20:
                continue
            if struct.unpack_from("!H", packet, ip_size + 2)[0] != server.port:
                continue
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2][:16])
            now = seconds + nanoseconds / 1e9
            tcp = packet[ip_size:]
            if tcp[13] & 0x12 == 0x02:
                begun = now
            elif begun is not None and b"@setDataFrame" in tcp:
                return now - begun
        raise program.explain("sent no metadata within 20 s")
    finally:
        program.end()
