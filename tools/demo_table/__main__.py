"""Run the demo with its controls and print the table: `python tools/demo_table --out demo-output/results`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main() -> None:
    """Run every row, print the tables, and with `--write` write them as a page."""
    from demo_table.page import make_page, say
    from demo_table.runs import TRAINED, entries_for, run_all

    parser = argparse.ArgumentParser(prog="demo_table", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the records")
    parser.add_argument("--seed", default="0", help="seeds, a comma list")
    parser.add_argument(
        "--method", default=",".join(TRAINED), help="methods to train in addition to fbclip, a comma list"
    )
    parser.add_argument(
        "--target",
        default="demo",
        choices=["demo", "demo-aux"],
        help="the set to evaluate on; demo-aux for choosing settings",
    )
    parser.add_argument("--write", type=Path, help="also write the tables as a page, such as docs/demo.md")
    arguments = parser.parse_args()
    seeds = [int(part) for part in arguments.seed.split(",")]
    done = run_all(entries_for(arguments.method.split(",")), seeds, arguments.target, arguments.out)
    page = make_page(done, arguments.target, seeds)
    say(done, page)
    if arguments.write:
        arguments.write.write_text(page.document(), encoding="utf-8")


if __name__ == "__main__":
    main()
