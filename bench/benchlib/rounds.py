"""The alternated rounds: each variant in turn, closed loop, then open loop."""

import statistics

from . import servers

# Ratios that are printed: which variant, over which floor.
PAIRS = (("c", "a"), ("d", "b"), ("e", "b"), ("b", "a"), ("e", "h"), ("h", "a"),
         ("y", "a"), ("x", "c"), ("x", "y"), ("i", "j"), ("k", "j"), ("g", "f"), ("f", "a"),
         ("c", "C"), ("d", "D"), ("e", "E"), ("x", "X"))


def measure(server, load):
    """One run of the load: `load` is called with the server's port."""
    before = server.cpu()
    try:
        result = load(server.port)
    finally:
        # When both fail, the server is the cause and the one to name.
        server.check()
    after = server.cpu()
    used = {pid: after[pid] - before[pid] for pid in after}
    served = max(1, result["served"])
    result["cpu_us_per_client"] = sum(used.values()) / served / 1000
    result["hub_cpu_us_per_client"] = used[server.hub] / served / 1000
    return result


def run(running, loader, rounds, open_rate, say):
    """`running`: servers by variant. Returns the rate of the open loop and a record for each
    measurement."""
    order = list(running)
    say("warm-up: " + ", ".join(order))
    warm = {key: measure(running[key], lambda port: loader.closed(port, min(1.0, loader.seconds)))
            for key in order}
    rate = open_rate or warm[order[0]]["clients_per_second"] / 4
    records = []
    for number in range(1, rounds + 1):
        for loop, load in (("closed", loader.closed),
                           ("open", lambda port: loader.open(port, rate))):
            # Every second round backwards, so that drift of the machine favours nobody.
            for key in order if number % 2 else reversed(order):
                record = measure(running[key], load)
                records.append({"round": number, "loop": loop, "variant": key, **record})
                say(_progress(records[-1], rounds))
    return rate, records


def _progress(record, rounds):
    dispatch = record["latency_us"]["dispatch"]
    text = (f"round {record['round']}/{rounds} {record['loop']:6} ({record['variant']}) "
            f"{record['clients_per_second']:8.0f} clients/s, dispatch p50 {dispatch['p50']:.0f} "
            f"p99 {dispatch['p99']:.0f} us, server CPU {record['cpu_us_per_client']:.1f} us/client")
    if record["not_served"]:
        text += f"; NOT SERVED: {record['not_served']} {record['errors']}"
    if record["never_started"] > record["served"] / 1000:
        text += f"; the rate was not reached: {record['never_started']} clients never started"
    return text


def value(record, figure):
    """A figure by its path, such as latency_us/dispatch/p99; None when it was not measured."""
    for part in figure.split("/"):
        record = record.get(part) if record is not None else None
    return record


def values(records, loop, key, figure):
    found = [value(record, figure) for record in records
             if record["loop"] == loop and record["variant"] == key]
    return [item for item in found if item is not None]


def median(records, loop, key, figure):
    found = values(records, loop, key, figure)
    return statistics.median(found) if found else None


def spread(numbers):
    return {"min": min(numbers), "median": statistics.median(numbers), "max": max(numbers)}


def ratios(records, loop, key, floor, figure):
    """min, median and max of the rounds' ratios; None when one of the two was not measured."""
    pairs = zip(values(records, loop, key, figure), values(records, loop, floor, figure))
    found = [above / below for above, below in pairs if below]
    return spread(found) if found else None


def selected_pairs(keys):
    return [pair for pair in PAIRS if set(pair) <= set(keys)]


def variants_of(only):
    return [key for key in servers.VARIANTS if key in only]
