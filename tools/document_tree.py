"""Writes the list of source files into docs/ARCHITECTURE.md: each room, and what the first comment
of each file says it is. Run by tools/documents; usage: document_tree.py [--check]"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "ARCHITECTURE.md"
TOPS = ("include", "proto", "common", "guard", "broker", "worker", "mpctl")
BEGIN, END = "<!-- files begin, by tools/documents -->\n", "<!-- files end -->\n"


def said_first(path):
    """The first sentence of the comment at the top of a file."""
    words = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("// "):
            break
        words.append(line[2:].strip())
    text = " ".join(words)
    sentence = re.match(r"(.*?[.:])(?= +[A-Z#]|$)", text)
    return (sentence[1] if sentence else text).strip().rstrip(".:").replace("*", "\\*")


def entries(room):
    """Headers, and sources without one that say what they are: the second half of a class."""
    files = [path for path in room.iterdir() if path.suffix in (".hpp", ".cpp")]
    headers = {path.stem for path in files if path.suffix == ".hpp"}
    shown = [path for path in files if path.suffix == ".hpp" or path.stem not in headers]
    said = [(path.stem, said_first(path)) for path in sorted(shown)]
    return [f"- `{name}`: {text}" for name, text in said if text]


def listing():
    lines = []
    for top in TOPS:
        for room in [ROOT / top, *sorted(path for path in (ROOT / top).rglob("*") if path.is_dir())]:
            found = entries(room)
            if found:
                lines += ["", f"**{room.relative_to(ROOT)}/**", "", *found]
    return "\n".join(lines) + "\n\n"


def main():
    text = DOCUMENT.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    written = head + BEGIN + listing() + END + rest.split(END)[1]
    if "--check" not in sys.argv[1:]:
        DOCUMENT.write_text(written, encoding="utf-8")
    elif written != text:
        print(f"{DOCUMENT.relative_to(ROOT)} is not current: run tools/documents")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
