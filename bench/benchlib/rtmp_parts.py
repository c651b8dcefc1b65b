"""The parts of bench/rtmp: alternated rounds of one measurement each."""

import os
import shutil

from . import rtmp_load, rtmp_servers
from .processes import Failure
from .rtmp_servers import VARIANTS

MANY_VHOSTS = 10_000
FEW_VHOSTS = 10


def _alternate(keys, rounds, measure, say, describe):
    """`measure(key)` for each variant in turn, every second round backwards, so that drift of the
    machine favours nobody. A variant that fails is left out from then on."""
    records, failures = [], {}
    for number in range(1, rounds + 1):
        for key in keys if number % 2 else list(reversed(keys)):
            if key in failures:
                continue
            try:
                records.append({"round": number, "variant": key, **measure(key)})
            except Failure as failure:
                failures[key] = str(failure)
                say(f"({key}) left out: {failure}")
                continue
            say(f"round {number}/{rounds} ({key}) {describe(records[-1])}")
    return records, list(failures.values())


def fan_out(options, scratch, running, players, say):
    def describe(record):
        text = (f"{players} players: {record['cpu_s_per_gbit']:.3f} CPU-s/Gbit, transit p50 "
                f"{record['transit']['p50'] / 1000:.1f} p99 {record['transit']['p99'] / 1000:.1f} "
                f"ms, key frame p50 {record['first_key']['p50'] / 1000:.1f} ms")
        if record["lost_players"] or record["lost_frames"]:
            text += f"; LOST: {record['lost_players']} players, {record['lost_frames']} frames"
        return text

    return _alternate(list(running), options.rounds, lambda key: rtmp_load.fan_out(
        options.bin, scratch, running[key], players, options.seconds), say, describe)


def churn(options, scratch, running, say):
    return _alternate(list(running), options.rounds, lambda key: rtmp_load.churn(
        options.bin, scratch, running[key], options.seconds), say,
        lambda record: f"churn: {record['cpu_us_per_session']:.0f} us of CPU a session, "
                       f"{record['sessions_per_second']:.0f} sessions/s")


def ffmpeg(options, scratch, running, say):
    if not shutil.which("ffmpeg"):
        return [], ["ffmpeg is not installed: apt install ffmpeg"]
    try:
        sniffer = rtmp_load.open_sniffer()
    except PermissionError:
        return [], ["the ffmpeg part looks at loopback's packets, for which it must be root"]
    clip = os.path.join(scratch, "clip.flv")
    rtmp_load.make_clip(clip)
    with sniffer:
        return _alternate(list(running), max(options.rounds, 5), lambda key: {
            "first_media_ms": 1000 * rtmp_load.ffmpeg_first_media(running[key], clip, sniffer)},
            say, lambda record: f"ffmpeg: first media after {record['first_media_ms']:.1f} ms")


def vhosts(options, scratch, say):
    """One broker with few, one with many vhosts."""
    servers = {}
    try:
        for count in (FEW_VHOSTS, MANY_VHOSTS):
            servers[count] = rtmp_servers.start_broker(options.bin, scratch, VARIANTS["r"], count)
        start_ms = {count: server.ready_ms for count, server in servers.items()}
        records, failures = _alternate(
            list(servers), options.rounds, lambda count: rtmp_load.churn(
                options.bin, scratch, servers[count], options.seconds, FEW_VHOSTS), say,
            lambda record: f"vhosts: {record['cpu_us_per_session']:.0f} us of CPU a session")
    finally:
        for server in servers.values():
            server.end()
    return {"start_ms": start_ms, "records": records}, failures
