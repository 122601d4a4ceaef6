"""Write the README's table and its pictures: `python tools/readme --results demo-output/results`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
TOP = Path(__file__).resolve().parents[2]


def main() -> None:
    """Read the records, replace the table between its marks, take a picture of the report page, draw heat maps."""
    from demo_table.runs import TRAINED
    from demo_table.strips import stacked, strips

    from readme.picture import photograph
    from readme.table import placed, shown, table_of
    from zsadbench.pictures import write_png

    parser = argparse.ArgumentParser(prog="readme", description=__doc__)
    parser.add_argument(
        "--results", type=Path, required=True, help="records of the demo, as tools/demo_table --all makes them"
    )
    parser.add_argument("--readme", type=Path, default=TOP / "README.md", help="the file with the marks")
    parser.add_argument("--pictures", type=Path, default=TOP / "docs", help="folder of the pictures to write")
    arguments = parser.parse_args()
    found = shown(arguments.results)
    text = placed(arguments.readme.read_text(encoding="utf-8"), table_of(found))
    photograph([path for of_method in found.values() for path, _ in of_method], arguments.pictures / "leaderboard.png")
    first = {method: found[method][0][0] for method in TRAINED}
    write_png(arguments.pictures / "heat-maps.png", stacked(list(strips(first).values())))
    arguments.readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
