"""The tables, and every figure that has a target beside it."""

from . import servers
from .rounds import median, ratios, selected_pairs, spread, values

RATIO_FIGURES = (("clients/s", "clients_per_second"), ("server CPU/client", "cpu_us_per_client"),
                 ("dispatch p50", "latency_us/dispatch/p50"),
                 ("dispatch p99", "latency_us/dispatch/p99"),
                 ("whole p99", "latency_us/whole/p99"))
COLUMNS = (("clients/s", "clients_per_second", 0), ("p50", "latency_us/dispatch/p50", 0),
           ("p99", "latency_us/dispatch/p99", 0), ("p99.9", "latency_us/dispatch/p99.9", 0),
           ("whole p50", "latency_us/whole/p50", 0), ("whole p99", "latency_us/whole/p99", 0),
           ("whole p99.9", "latency_us/whole/p99.9", 0), ("CPU/client", "cpu_us_per_client", 1),
           ("of it hub", "hub_cpu_us_per_client", 1), ("load busy %", "client_busy_percent", 0))
TITLES = {"closed": "Closed loop, saturated", "open": "Open loop"}
# Resident memory moves in pages and arenas; a broker that kept anything for each client would grow
# by far more with 15,000 of them.
BROKER_GROWTH_KIB = 512


def table(records, keys, loop, note):
    columns = [column for column in COLUMNS
               if any(median(records, loop, key, column[1]) is not None for key in keys)]
    lines = [f"{TITLES[loop]}{note} (medians of the rounds; dispatch latency, CPU in us)",
             " " * 47 + "".join(f"{title:>12}" for title, _, _ in columns)]
    for key in keys:
        cells = ""
        for _, figure, digits in columns:
            number = median(records, loop, key, figure)
            cells += f"{'-' if number is None else format(number, f'.{digits}f'):>12}"
        lines.append(f"({key}) {servers.VARIANTS[key].title:43}{cells}")
    return lines


def ratio_lines(records, keys, loop):
    lines = ["Ratios of the same round: min / median / max"]
    for key, floor in selected_pairs(keys):
        for title, figure in RATIO_FIGURES:
            found = ratios(records, loop, key, floor, figure)
            if found is not None:
                lines.append(f"  ({key})/({floor}) {title:18}"
                             + " / ".join(f"{found[part]:.2f}" for part in found))
    return lines


def all_ratios(records, keys):
    return {loop: {f"{key}/{floor}": {figure: ratios(records, loop, key, floor, figure)
                                      for _, figure in RATIO_FIGURES}
                   for key, floor in selected_pairs(keys)} for loop in TITLES}


def target(name, number, limit, at_least, digits=2, unit="", note=""):
    met = number >= limit if at_least else number <= limit
    return {"name": name, "value": number, "target": limit, "unit": unit, "digits": digits,
            "direction": "at least" if at_least else "at most", "ok": met, "note": note}


def _ratio_target(records, loop, pair, figure, name, limit, at_least):
    found = ratios(records, loop, *pair, figure)
    if found is None:
        return []
    return [target(f"({pair[0]})/({pair[1]}) {name}", found["median"], limit, at_least,
                    note=f"rounds: {found['min']:.2f} to {found['max']:.2f}")]


def load_targets(records):
    found = _ratio_target(records, "closed", "db", "clients_per_second", "clients/s", 0.95, True)
    found += _ratio_target(records, "closed", "db", "cpu_us_per_client", "server CPU/client", 1.15,
                           False)
    found += _ratio_target(records, "open", "db", "latency_us/dispatch/p99",
                           "dispatch p99, open loop", 1.2, False)
    found += _ratio_target(records, "closed", "db", "latency_us/dispatch/p99",
                           "dispatch p99, saturated", 1.2, False)
    found += _ratio_target(records, "closed", "ca", "clients_per_second", "clients/s", 0.95, True)
    # Every client of (d) is handed over, so the broker's CPU per client is its CPU per handoff.
    handoff = values(records, "closed", "d", "hub_cpu_us_per_client")
    if handoff:
        rounds = spread(handoff)
        found.append(target("broker CPU per handoff, saturated", rounds["median"], 6, False, 1,
                             "us", f"rounds: {rounds['min']:.1f} to {rounds['max']:.1f}"))
    return found


def memory_lines(results):
    lines = ["Idle clients (resident memory of all workers together)", " " * 47 + "KiB/client"]
    for result in results:
        title = servers.VARIANTS[result["variant"]].title
        lines.append(f"({result['variant']}) {title:43}{result['worker_kib_per_client']:>10.2f}")
    return lines


def memory_targets(result):
    few, many = result["clients"]
    rss, fds = result["broker_rss_kib"], result["broker_fds"]
    return [
        target("worker RSS per idle client", result["worker_kib_per_client"], 2, False, 2, "KiB",
                f"{result['worker_rss_kib'][0]} KiB at {few}, {result['worker_rss_kib'][1]} KiB at "
                f"{many}"),
        target(f"broker RSS growth, {few} to {many} clients", rss[1] - rss[0], BROKER_GROWTH_KIB,
                False, 0, "KiB", f"{rss[0]} KiB, then {rss[1]} KiB"),
        target(f"broker descriptor growth, {few} to {many} clients", fds[1] - fds[0], 0, False, 0,
                "", f"{fds[0]}, then {fds[1]}"),
        target(f"clients of {many} lost while held", result["lost"], 0, False, 0)]


def idle_targets(result):
    return [
        target("idle sticky clients held", result["held"], result["clients"], True, 0, "",
                f"{result['workers']} workers: {result['held_by_worker']}; all connected after "
                f"{result['connect_seconds']:.1f} s"),
        target("idle clients lost", result["lost"], 0, False, 0),
        target("worker RSS per idle client", result["worker_kib_per_client"], 2, False, 2, "KiB",
                f"machine, both ends: {result['machine_kib_per_client']:.1f} KiB; broker RSS "
                f"{result['broker_rss_kib'][0]}, then {result['broker_rss_kib'][1]} KiB, "
                f"descriptors {result['broker_fds'][0]}, then {result['broker_fds'][1]}")]


def target_lines(targets):
    lines = ["Figures with a target (medians)"]
    for target in targets:
        measured = f"{target['value']:.{target['digits']}f} {target['unit']}".strip()
        lines.append(f"  {'OK   ' if target['ok'] else 'short'} {target['name']:46}{measured:>12}  "
                     f"{target['direction']} {target['target']:g} {target['unit']}".rstrip()
                     + (f"  ({target['note']})" if target["note"] else ""))
    return lines
