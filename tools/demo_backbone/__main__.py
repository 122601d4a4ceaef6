"""Train the demo backbone: `python tools/demo_backbone --out zsadbench/clip/demo`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main() -> None:
    """Read the flags and train."""
    from demo_backbone.settings import Settings
    from demo_backbone.training import run

    parser = argparse.ArgumentParser(prog="demo_backbone", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for weights, architecture and made.json")
    for field in fields(Settings):
        kind = type(field.default)
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default)
    arguments = vars(parser.parse_args())
    out = arguments.pop("out")
    run(Settings(**arguments), out)


if __name__ == "__main__":
    main()
