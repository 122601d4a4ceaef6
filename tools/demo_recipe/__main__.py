"""Score recipes on classes held out of `demo-aux`: `python tools/demo_recipe --method afclip --lr 1e-4,1e-3`.

`demo` is never read. The set is parted in two halves, a texture and an object each; a method learns from one and is
scored on the other, both ways, after every epoch. `--write` keeps the figures of a method in `held_out.json`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main() -> None:
    """Train, score, print, and write where it is asked for."""
    import torch

    from demo_recipe.held_out import HELD_OUT, score_recipes, write_rows
    from zsadbench.cli.shared.output import table

    parser = argparse.ArgumentParser(prog="demo_recipe", description=__doc__)
    parser.add_argument("--method", required=True)
    parser.add_argument("--lr", default="", help="learning rates, a comma list (default: the recipe's on demo-aux)")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3, help="scored after each of them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help=f"keep the figures in {HELD_OUT.name}")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rates = [float(part) for part in given.lr.split(",") if part]
    rows = score_recipes(given.method, rates, given.batch, given.epochs, given.seed)
    names = list(rows[0])
    table(f"{given.method}: classes held out", names, [[_shown(row[name]) for name in names] for row in rows])
    if given.write:
        write_rows(rows)


def _shown(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
