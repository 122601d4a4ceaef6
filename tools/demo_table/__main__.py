"""Run the demo with its controls and print the table: `python tools/demo_table --out demo-output/results`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main() -> None:
    """Run every row, print the tables, and write them as a page where one is asked for."""
    from demo_table.page import make_page, say
    from demo_table.runs import TRAINED, entries_for, run_all

    parser = argparse.ArgumentParser(prog="demo_table", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="where records go")
    parser.add_argument("--seed", default="0", help="seeds, a comma list")
    parser.add_argument("--method", default=",".join(TRAINED), help="what is trained beside fbclip, a comma list")
    parser.add_argument("--target", default="demo", choices=["demo", "demo-aux"], help="demo-aux to choose settings")
    parser.add_argument("--write", type=Path, help="also write the tables as a page, such as docs/demo.md")
    given = parser.parse_args()
    seeds = [int(part) for part in given.seed.split(",")]
    done = run_all(entries_for(given.method.split(",")), seeds, given.target, given.out)
    page = make_page(done, given.target, seeds)
    say(done, page)
    if given.write:
        given.write.write_text(page.document(), encoding="utf-8")


if __name__ == "__main__":
    main()
