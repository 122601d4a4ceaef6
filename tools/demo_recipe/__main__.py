"""Score recipes on classes held out of `demo-aux`: `python tools/demo_recipe --method afclip --lr 1e-4,1e-3`.

`demo` is never read. The classes of `demo-aux` are split into two halves with one texture and one object each; a method
is trained on one half and scored on the other after every epoch, then the other way round. `--write` stores the results
in `held_out.json`.
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
    parser.add_argument("--epochs", type=int, default=3, help="scored after each of them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help=f"store the results in {HELD_OUT.name}")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rates = [float(part) for part in arguments.lr.split(",") if part]
    rows = score_recipes(arguments.method, rates, arguments.batch, arguments.epochs, arguments.seed)
    names = list(rows[0])
    table(f"{arguments.method}: classes held out", names, [[_text(row[name]) for name in names] for row in rows])
    if arguments.write:
        write_rows(rows)


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
