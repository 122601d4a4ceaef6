"""Print how far published definitions lie apart on the same models and images: `python tools/definitions`.

Runs three methods on `demo` under the strict protocols, with saved maps, and evaluates these maps by other definitions
of metrics, other smoothing and other rules for the score of an image. No download; a few minutes on a CPU.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

BEGIN, END = "<!-- made by tools/definitions -->", "<!-- end -->"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "why-numbers-differ.md"


def main():
    """Measure and print the tables, or write them into the page."""
    from definitions.measure import tables

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="folder for records and maps (default: a temporary one)")
    parser.add_argument("--limit", type=int, default=None, help="normal and anomalous images per class at most")
    parser.add_argument("--aux", default=None, help="auxiliary set of fbclip; none leaves it untrained")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/why-numbers-differ.md")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wanted.out = wanted.out or Path(folder)
        text = "\n\n".join(tables(wanted))
    if wanted.write:
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}", "utf-8")
    else:
        sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
