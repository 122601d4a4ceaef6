"""Score recipes on families held out of `demo-aux`: `python tools/demo_recipe --method afclip --lr 1e-4,1e-3`.

`demo` is never read. The families of `demo-aux` that the backbone has not seen are split into two folds; a method is
trained on all families but those of one fold and scored on these, untrained and after every epoch, then likewise with
the other fold. `--write` stores the results in `held_out.json`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main() -> None:
    """Train, score and print; with `--write` store the results."""
    import torch

    from demo_recipe.held_out import HELD_OUT, score_recipes, write_rows
    from zsadbench.cli.shared.output import table

    parser = argparse.ArgumentParser(prog="demo_recipe", description=__doc__)
    parser.add_argument("--method", required=True)
    parser.add_argument("--lr", default="", help="learning rates, a comma list (default: the recipe's on demo-aux)")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3, help="scored before them and after each")
    parser.add_argument("--seed", default="0,1,2", help="seeds, a comma list")
    parser.add_argument("--write", action="store_true", help=f"store the results in {HELD_OUT.name}")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rates = [float(part) for part in arguments.lr.split(",") if part]
    for seed in map(int, arguments.seed.split(",")):
        rows = score_recipes(arguments.method, rates, arguments.batch, arguments.epochs, seed)
        names = list(rows[0])
        table(f"{arguments.method}: families held out", names, [[_text(row[name]) for name in names] for row in rows])
        if arguments.write:
            write_rows(rows)


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
