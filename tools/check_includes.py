"""Checks that includes point one way, from room to room; a room is a folder.

Prints each include that does not and exits 1 when there is one. usage: check_includes.py"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

COMMON = ["common/answers", "common/base", "common/io", "common/log", "common/asio", "common/process",
          "common/config", "common/listen", "common/tables"]
# What the files of a room may include, besides their own: rooms, or single files of them. Rooms
# that are missing may be included by nobody, and include nothing.
NOTICE, CLASSIFIER = "mpbroker/notice.hpp", "mpbroker/classifier.hpp"
BUS = "mpbroker/bus.hpp"
SHARED = "mpbroker/shared.hpp"
ALLOWED = {
    "mpbroker": [],
    "proto/base": [],
    "proto/channel": ["proto/base", NOTICE, BUS],
    "proto/control": ["proto/base", CLASSIFIER],
    "proto": [CLASSIFIER],
    "proto/rtmp": ["proto", "proto/base", CLASSIFIER, NOTICE],
    "common/base": ["proto/base"],
    "common/answers": ["common/base", "proto/base", "proto/channel"],
    "common/io": ["common/base", "proto/channel"],
    "common/log": ["common/base", "common/io"],
    "common/asio": ["common/base", "common/io", "common/log"],
    "common/process": ["common/base", "common/io", "common/log"],
    "common/config": ["common/base", "common/io", "common/log", "common/process", "proto",
                      "proto/channel"],
    "common/tables": ["common/base", "common/config", "common/io", "proto/channel", SHARED],
    "common/listen": [*COMMON, "proto/channel"],
    "guard": [],
    "broker/dispatch": ["common/base", "common/config", "common/io", "proto/base", "proto/channel"],
    "broker/operator": [*COMMON, "broker/dispatch", "proto/channel", NOTICE, BUS],
    "broker/workers": [*COMMON, "broker/dispatch", "broker/operator", "proto/base",
                       "proto/channel", NOTICE],
    "broker/talk": [*COMMON, "broker/dispatch", "broker/operator", "broker/workers", "proto/channel", BUS],
    "broker/tables": [*COMMON, "broker/dispatch", "broker/operator", "broker/workers",
                      "proto/base", "proto/channel", SHARED],
    "broker/succession": [*COMMON, "broker/dispatch", "broker/workers", "proto/base",
                          "proto/channel"],
    "broker": [*COMMON, "broker/dispatch", "broker/operator", "broker/succession", "broker/tables",
               "broker/talk", "broker/workers", "proto/base", "proto/channel", BUS, SHARED],
    "worker/sandbox": [*COMMON, "mpbroker", "worker"],
    "worker/names": [*COMMON, "worker"],
    # A worker and its clients, and it and its link to the broker, know each other; the link knows
    # clients, and they do not know it.
    "worker/clients": [*COMMON, "mpbroker", "proto/channel", "worker"],
    "worker/link": [*COMMON, "mpbroker", "proto/channel", "worker", "worker/clients", "worker/talk"],
    "worker/tables": [*COMMON, "mpbroker", "proto/channel"],
    "worker/talk": [*COMMON, "mpbroker", "proto/channel"],
    "worker": [*COMMON, "mpbroker", "proto/channel", "proto/control", "worker/clients",
               "worker/link", "worker/sandbox", "worker/tables", "worker/talk"],
    "worker/rtmp/access": [*COMMON, "mpbroker", "proto/channel", "proto/rtmp", "worker",
                           "worker/names"],
    "worker/rtmp/forward": [*COMMON, "mpbroker", "proto/channel", "proto/rtmp", "worker", "worker/clients",
                            "worker/names", "worker/rtmp/access"],
    "worker/rtmp/relay": [*COMMON, "mpbroker", "proto/base", "proto/channel", "proto/rtmp", "worker",
                          "worker/clients", "worker/rtmp/access"],
    "worker/rtmp": ["mpbroker", "proto/rtmp", "worker", "worker/rtmp/forward",
                    "worker/rtmp/relay"],
    "mpctl": COMMON,
    "bench": [*COMMON, "proto/base", "proto/channel", "proto/control", "proto/rtmp"],
    # A worker program as users write it.
    "bench/worker": ["bench", "mpbroker", "proto/control", "worker"],
}
TOPS = ("include", "proto", "common", "broker", "worker", "mpctl", "bench")
# The broker parses nothing that a client sent.
CLIENT_PARSERS = re.compile(r"proto/(control|rtmp)/|mpbroker/classifier\.hpp")
WITHOUT_CLIENT_PARSERS = {"common", "broker", "mpctl"}
# Pure formats know no system. (arpa/inet.h has the text forms of addresses, and calls nothing.)
SYSTEM = re.compile(r"(sys/|netinet/|linux/|unistd\.h|fcntl\.h|chrono$|thread$|fstream$)")

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def room_of(path):
    """The folder of a file; of the load clients and floors all are one room."""
    folder = str(pathlib.PurePosixPath(path.removeprefix("include/")).parent)
    return "bench" if folder.startswith("bench") and folder not in ALLOWED else folder


def objection(path, quoted, target):
    """Why `path` must not include `target`; empty when it may."""
    room, top = room_of(path), path.split("/")[0]
    if target.startswith("mpbroker/") and not quoted:
        return "in quotes, as all that is ours"
    if not quoted:
        return "proto is pure: no system, no clock" if top == "proto" and SYSTEM.match(
            target) else ""
    if "/" not in target:
        return "write it from the top of the source tree"
    if room not in ALLOWED:
        return f"{room} is no room that check_includes.py knows"
    if not {target, room_of(target)} & {room, *ALLOWED[room]}:
        return f"{room} may include " + ", ".join([room, *ALLOWED[room]]) + " only"
    if CLIENT_PARSERS.match(target) and top in WITHOUT_CLIENT_PARSERS:
        return f"{top} must know no parser of client bytes"
    return ""


def main():
    count, found = 0, 0
    for folder in TOPS:
        for path in sorted((ROOT / folder).rglob("*.[ch]pp")):
            count += 1
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                include = INCLUDE.match(line)
                why = (objection(str(path.relative_to(ROOT)), include[1] == '"', include[2])
                       if include else "")
                if why:
                    found += 1
                    print(f"{path.relative_to(ROOT)}:{number}: includes {include[2]}: {why}")
    print(f"include direction: {count} files, {found} objections")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
