"""Checks that includes point one way: proto <- common <- {broker, worker}.

Prints each include that does not and exits 1 when there is one. usage: check_includes.py"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What the files of a folder may include, besides their own folder.
ALLOWED = {
    "proto": set(),
    "common": {"proto"},
    "broker": {"common", "proto"},
    "worker": {"common", "proto"},
    "mpctl": {"common", "proto"},
    "bench": {"common", "proto"},
}
# The broker parses nothing that a client sent.
CLIENT_PARSERS = re.compile(r"proto/(control\.hpp|classifier\.hpp|rtmp/)")
WITHOUT_CLIENT_PARSERS = {"common", "broker", "mpctl"}
# Pure formats know no system.
SYSTEM = re.compile(r"(sys/|arpa/|netinet/|linux/|unistd\.h|fcntl\.h|chrono$|thread$|fstream$)")

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def objection(folder, quoted, target):
    """Why a file of `folder` must not include `target`; empty when it may."""
    if not quoted:
        return "proto is pure: no system, no clock" if folder == "proto" and SYSTEM.match(
            target) else ""
    of = target.split("/")[0]
    if "/" not in target:
        return "write it from the top of the source tree"
    if of != folder and of not in ALLOWED[folder]:
        return f"{folder} may include " + ", ".join(sorted(ALLOWED[folder] | {folder})) + " only"
    if CLIENT_PARSERS.match(target) and folder in WITHOUT_CLIENT_PARSERS:
        return f"{folder} must know no parser of client bytes"
    return ""


def main():
    count, found = 0, 0
    for folder in ALLOWED:
        for path in sorted((ROOT / folder).rglob("*.[ch]pp")):
            count += 1
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                include = INCLUDE.match(line)
                why = objection(folder, include[1] == '"', include[2]) if include else ""
                if why:
                    found += 1
                    print(f"{path.relative_to(ROOT)}:{number}: includes {include[2]}: {why}")
    print(f"include direction: {count} files, {found} objections")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
