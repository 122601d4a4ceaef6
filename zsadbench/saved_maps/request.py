"""The arguments of `zsadbench score` and `audit`; each field declares its flag, most of them as `run` has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path

from zsadbench.engine.plan.request import Overwrite, RunRequest, read_targets
from zsadbench.errors import UsageError
from zsadbench.flags.fields import WHAT, AnyPath, MaybePath, Names, Paths, flag, normalise, same_about, same_flag
from zsadbench.flags.forms import NAMES, PATH, split_numbers, unchanged


def only_target(targets: Sequence[str]) -> str:
    """Return the only target.

    Raises:
        UsageError: there is none, or there are several.
    """
    if len(targets) != 1:
        raise UsageError(
            f"maps belong to one target, but --target names {len(targets)}; pass one, such as --target visa"
        )
    return targets[0]


def only_seed(seeds: Sequence[int]) -> int | None:
    """Return the only seed, None where there is none.

    Raises:
        UsageError: there are several.
    """
    if len(seeds) > 1:
        raise UsageError(f"maps were made with one seed, but --seed names {len(seeds)}")
    return seeds[0] if seeds else None


TARGET = replace(NAMES, read=lambda parsed, flag: only_target(read_targets(parsed)), normalise=unchanged)
SEED = replace(
    NAMES, metavar="N", read=lambda parsed, flag: only_seed(split_numbers(parsed, flag)), normalise=unchanged
)


@dataclass(frozen=True)
class ScoreRequest:
    """Which maps to measure, against which target, and where the record goes.

    Where `protocol`, `image_size`, `limit`, `method_name` or `seed` is None, the value of the run that saved the maps
    holds, if its record lies next to them; else `strict`, 518 pixels (for a generated target the size of the demo
    backbone), no limit, the folder's name and 0. `about` states name and seed itself.
    """

    maps: Path
    target: str = field(
        metadata=same_about(RunRequest, "targets", form=TARGET, help="Data set, folder:PATH or csv:PATH.")
    )
    _: KW_ONLY
    classes: Names = same_flag(RunRequest, "classes")
    limit: int | None = same_flag(RunRequest, "limit", help="Only the first N normal and N anomalous images per class.")
    method_name: str | None = flag(
        "Name of what made the maps, not that of a registered method (default: the folder's name).",
        WHAT,
        default=None,
        variable=False,
    )
    about: MaybePath = flag(
        "TOML file in which the authors of the maps declare method, backbone, training and paper.",
        WHAT,
        default=None,
        form=PATH,
        variable=False,
    )
    seed: int | None = same_flag(
        RunRequest, "seeds", default=None, form=SEED, help="Seed that the maps were made with (default: 0)."
    )
    protocol: str | None = same_flag(
        RunRequest, "protocol", default=None, help="Evaluation protocol (default: strict)."
    )
    metrics: Names = same_flag(RunRequest, "metrics")
    data_roots: Paths = same_flag(RunRequest, "data_roots")
    normal: Names = same_flag(RunRequest, "normal")
    max_pixels: int | None = same_flag(RunRequest, "max_pixels")
    allow_partial: bool = same_flag(
        RunRequest, "allow_partial", help="Leave out images without a map; the record says so."
    )
    allow_leak: bool = same_flag(
        RunRequest, "allow_leak", help="Measure maps although --about declares the target as auxiliary set."
    )
    image_size: int | None = same_flag(
        RunRequest, "image_size", help="Side in pixels to which maps and masks are resized (default: 518)."
    )
    workers: int = same_flag(RunRequest, "workers")
    out: AnyPath = same_flag(RunRequest, "out", help="Folder for the record.")
    overwrite: Overwrite = same_flag(RunRequest, "overwrite")

    def __post_init__(self) -> None:
        normalise(self)
