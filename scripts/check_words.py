"""List the words that comments, docstrings, messages and identifiers should not contain.

Usage: check_words.py [FILE OR FOLDER ...]; without arguments it checks ``CHECKED``.
"""

import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

PACKAGES = (
    "regions uncertainty calibration metrics acquisition paint_ops images importers models "
    "learning project jobs export figures notebook _napari _util errors.py api.py __init__.py"
)
CHECKED = ("README.md", *(f"napari_active_seg/{name}" for name in PACKAGES.split(" ")))
WORDS = re.compile(
    r"""\b(
    tells?|told|telling|foretells?|foretold|foretelling|says?|said|saying|asks?|asked|asking
    |looks?\ at|looked\ at|looking\ at|anew|besides?|parted|houses?|rooms?|so\ many|so\ manieth
    |in\ hand|(?<!there\ )(is|are)\ no(?!\ (longer|more|object))|goes\ on|go\ on|went\ on|going\ on
    |hangs?\ on|puts?\ down|tak(e|es|en|ing)\ up|la(y|ys|id)\ (over|in)|side\ by\ side
    |what\ is\ seen|as\ it\ comes|by\ itself|one\ of\ each
    )\b""",
    re.VERBOSE | re.IGNORECASE,
)
#: A stored state of a region, questions to a person, and attributes that the session has.
ALLOWED = re.compile(
    r"\b(can('|no)?t tell|ask(s|ed|ing)? (the|an?) (user|person|annotator)|asks about unpainted)\b",
    re.IGNORECASE,
)


def read_prose(path: Path) -> Iterator[tuple[int, str]]:
    """Yield lines of prose: all of Markdown; the comments, strings and names of Python."""
    source = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield from enumerate(source.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        text = token.string
        if token.type == tokenize.NAME:
            text = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", text)
        elif token.type in (tokenize.OP, tokenize.NUMBER):
            continue
        yield from enumerate(text.splitlines(), token.start[0])


def main(arguments: list[str]) -> int:
    """Print every such word with its place; return 1 if there is any."""
    paths = [Path(name) for name in arguments or CHECKED]
    files = [file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path])]
    found = [
        f"{file}:{line}: {word[0]}"
        for file in sorted(files)
        for line, text in read_prose(file)
        for word in WORDS.finditer(ALLOWED.sub("", text))
    ]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
