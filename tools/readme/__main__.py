"""Write the README's table and its picture: `python tools/readme --results demo-output/results`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
TOP = Path(__file__).resolve().parents[2]


def main() -> None:
    """Read the records, replace the table between its marks, and take a picture of the report page."""
    from readme.picture import photograph
    from readme.table import placed, table_of

    parser = argparse.ArgumentParser(prog="readme", description=__doc__)
    parser.add_argument(
        "--results", type=Path, required=True, help="records of the demo, as tools/demo_table makes them"
    )
    parser.add_argument("--readme", type=Path, default=TOP / "README.md", help="the file with the marks")
    parser.add_argument("--picture", type=Path, default=TOP / "docs" / "leaderboard.png", help="the picture to write")
    arguments = parser.parse_args()
    text = placed(arguments.readme.read_text(encoding="utf-8"), table_of(arguments.results))
    photograph(arguments.results, arguments.picture)
    arguments.readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
