"""Checks that all hash tables have the hash of common/base/keyed_map.hpp, whose key nobody knows.

Clients, workers, upstreams and hook servers choose what tables are searched for; under a hash that
they know, one can choose names that all have the same. Prints each use of another hash table or of
std::hash and exits 1 when there is one. usage: check_hashes.py"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ("proto", "common", "broker", "worker", "mpctl")
HOME = {"common/base/keyed_map.hpp", "common/base/keyed_flat_map.hpp"}

OTHER = re.compile(r"\bstd::(unordered_\w+|hash\b)|\bboost::(unordered\w*|hash\w*|concurrent_\w+)"
                   r"|\babsl::|<(unordered_(map|set)|boost/(unordered|container_hash|functional/hash)\b"
                   r"[^>]*)>|\bhash_value\b")
COMMENT = re.compile(r"//.*")


def main():
    count, found = 0, 0
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.[ch]pp")):
            name = path.relative_to(ROOT).as_posix()
            if name in HOME:
                continue
            count += 1
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                use = OTHER.search(COMMENT.sub("", line))
                if use:
                    found += 1
                    print(f"{name}:{number}: {use[0]}: use KeyedMap, KeyedSet, KeyedFlatMap or "
                          "KeyedHash")
    print(f"keyed hashes: {count} files, {found} objections")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
