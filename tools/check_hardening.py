#!/usr/bin/env python3
"""Looks in built programs for what cmake/MpbHardening.cmake asks for. Exit status 1 when something
is missing.
usage: tools/check_hardening PROGRAM..."""
import platform
import re
import subprocess
import sys


def readelf(option, program):
    return subprocess.run(["readelf", option, "-W", program], check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def missing(program):
    header, segments = readelf("-h", program), readelf("-l", program)
    dynamic, symbols = readelf("-d", program), readelf("--dyn-syms", program)
    stack = re.search(r"GNU_STACK\s+(?:\S+\s+){5}(\S+)", segments)
    found = {
        "a position-independent executable (PIE)": re.search(r"Type:\s+DYN", header),
        "read-only relocations (RELRO)": "GNU_RELRO" in segments,
        "all symbols bound at the start (BIND_NOW)": re.search(r"FLAGS.*\bNOW\b", dynamic),
        "a stack that is not executable": stack and "E" not in stack[1],
        "the stack protector": "__stack_chk_fail" in symbols,
        "_FORTIFY_SOURCE": re.search(r"__\w+_chk@", symbols.replace("__stack_chk_fail", "")),
        "_GLIBCXX_ASSERTIONS": "__glibcxx_assert_fail" in symbols,
    }
    if platform.machine() == "x86_64":
        found["control-flow enforcement (CET)"] = "IBT, SHSTK" in readelf("-n", program)
    return [what for what, there in found.items() if not there]


def main(programs):
    if not programs or programs[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    bad = False
    for program in programs:
        for what in missing(program):
            print(f"{program}: without {what}")
            bad = True
    if not bad:
        print("everything that was asked for is in", " ".join(programs))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
