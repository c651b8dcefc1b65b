"""The tables of bench/rtmp, and every figure that has a target beside it."""

import statistics

from .report import target
from .rounds import spread, value
from .rtmp_servers import VARIANTS

MEMORY = "rss_kib_per_player"
FIGURES = (("CPU-s/Gbit", "cpu_s_per_gbit", 3), ("transit p50 us", "transit/p50", 0),
           ("transit p99 us", "transit/p99", 0), ("key p50 us", "first_key/p50", 0),
           ("key p99 us", "first_key/p99", 0), ("KiB/player", MEMORY, 1),
           ("lost frames", "lost_frames", 0), ("load busy %", "busy_percent", 0),
           ("CPU us/session", "cpu_us_per_session", 0), ("sessions/s", "sessions_per_second", 0),
           ("first media ms", "first_media_ms", 1))
PAIRS = (("r", "n"), ("d", "n"), ("m", "n"), ("r", "f"), ("d", "f"), ("n", "f"), ("m", "r"),
         ("r", "R"), ("d", "D"), ("m", "M"))
RATIO_FIGURES = ("cpu_s_per_gbit", "transit/p50", "transit/p99", "cpu_us_per_session",
                 "first_media_ms")


def _by_round(records, key, figure):
    return {record["round"]: value(record, figure) for record in records
            if record["variant"] == key and value(record, figure) is not None}


def typical(records, key, figure):
    """The rounds' median; of memory the most, since a server keeps what its first round took."""
    found = list(_by_round(records, key, figure).values())
    if not found:
        return None
    return max(found) if figure == MEMORY else statistics.median(found)


def ratio(records, key, other, figure):
    """min, median and max of the rounds' ratios; None when one of the two was not measured."""
    above, below = _by_round(records, key, figure), _by_round(records, other, figure)
    found = [above[number] / below[number] for number in above if below.get(number)]
    return spread(found) if found else None


def table(title, records):
    keys = [key for key in VARIANTS if any(record["variant"] == key for record in records)]
    columns = [column for column in FIGURES
               if any(typical(records, key, column[1]) is not None for key in keys)]
    lines = [f"{title} (medians of the rounds; of memory the most)",
             " " * 45 + "".join(f"{name:>15}" for name, _, _ in columns)]
    for key in keys:
        cells = ""
        for _, figure, digits in columns:
            number = typical(records, key, figure)
            cells += f"{'-' if number is None else format(number, f'.{digits}f'):>15}"
        lines.append(f"({key}) {VARIANTS[key].title:41}{cells}")
    for key, other in PAIRS:
        for figure in RATIO_FIGURES:
            found = ratio(records, key, other, figure)
            if found is not None:
                name = next(name for name, path, _ in FIGURES if path == figure)
                lines.append(f"  ({key})/({other}) {name:16}"
                             + " / ".join(f"{found[part]:.2f}" for part in found))
    return lines


def ratios(records):
    return {f"{key}/{other}": {figure: ratio(records, key, other, figure)
                               for figure in RATIO_FIGURES} for key, other in PAIRS}


def _ratio_target(records, key, other, figure, name, limit):
    found = ratio(records, key, other, figure)
    if found is None:
        return []
    return [target(f"({key})/({other}) {name}", found["median"], limit, False,
                   note=f"rounds: {found['min']:.2f} to {found['max']:.2f}")]


def _limit_target(records, key, figure, name, limit, unit, factor=1.0, digits=1):
    numbers = [number * factor for number in _by_round(records, key, figure).values()]
    if not numbers:
        return []
    found = spread(numbers)
    return [target(f"({key}) {name}", typical(records, key, figure) * factor, limit, False, digits,
                   unit, f"rounds: {found['min']:.{digits}f} to {found['max']:.{digits}f}")]


def fan_out_targets(records, players):
    at = f", {players} players"
    found = []
    for key in ("r", "d"):
        found += _ratio_target(records, key, "n", "cpu_s_per_gbit", f"CPU per Gbit{at}", 0.7)
        found += _ratio_target(records, key, "f", "cpu_s_per_gbit", f"CPU per Gbit{at}", 1.3)
        for quantile in ("p50", "p99"):
            found += _ratio_target(records, key, "n", f"transit/{quantile}",
                                   f"transit {quantile}{at}", 1)
        if players == 100:
            found += _limit_target(records, key, "first_key/p50", f"key frame p50{at}", 5, "ms",
                                   1e-3)
            found += _limit_target(records, key, "first_key/p99", f"key frame p99{at}", 50, "ms",
                                   1e-3)
        # 8 kB are 7.8 KiB.
        found += _limit_target(records, key, MEMORY, f"RSS per player{at}", 8, "kB",
                               1.024)
    if players == 1000:
        found += _ratio_target(records, "m", "n", "cpu_s_per_gbit", f"CPU per Gbit{at}", 0.4)
    return found


def churn_targets(records):
    return [found for key in ("r", "d") for found in _ratio_target(
        records, key, "n", "cpu_us_per_session", "CPU per session", 1.5)]


def ffmpeg_targets(records):
    return [found for key in ("r", "d") for found in _limit_target(
        records, key, "first_media_ms", "ffmpeg, connect to first media", 40, "ms")]


def vhost_targets(result, few, many):
    found = [target(f"start with {many} vhosts", result["start_ms"][many] / 1000, 1, False, 2, "s",
                    f"with {few}: {result['start_ms'][few] / 1000:.2f} s")]
    ratios_found = ratio(result["records"], many, few, "cpu_us_per_session")
    if ratios_found is not None:
        found.append(target(f"CPU per session, {many} to {few} vhosts", ratios_found["median"], 1.1,
                            False, note=f"rounds: {ratios_found['min']:.2f} to "
                                        f"{ratios_found['max']:.2f}"))
    return found


def lost(records):
    return sum(record.get("lost_players", 0) for record in records)
