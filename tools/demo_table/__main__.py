"""Run the demo and print its table: `python tools/demo_table --out demo-output/results`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main() -> None:
    """Run the rows, print the table of FB-CLIP and what stands beside it, and with `--write` write the page."""
    from demo_table.page import document
    from demo_table.runs import ENTRIES, SHORT, run_all
    from demo_table.say import say

    parser = argparse.ArgumentParser(prog="demo_table", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the records")
    parser.add_argument("--seed", default="0", help="seeds, a comma list")
    parser.add_argument("--all", action="store_true", help="run every trained method and every control")
    parser.add_argument("--write", type=Path, help="with --all: also write the page, such as docs/demo.md")
    arguments = parser.parse_args()
    if arguments.write and not arguments.all:
        parser.error("--write needs --all: the page has every row")
    seeds = [int(part) for part in arguments.seed.split(",")]
    done = run_all(ENTRIES if arguments.all else SHORT, seeds, arguments.out)
    say(done, arguments.out)
    if arguments.write:
        arguments.write.write_text(document(done, seeds), encoding="utf-8")


if __name__ == "__main__":
    main()
