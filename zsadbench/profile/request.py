"""The arguments of `zsadbench profile`: the methods as for a run, and what to measure of each."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Literal, get_args

from zsadbench.engine.plan.request import PRECISIONS, RunRequest
from zsadbench.errors import UsageError
from zsadbench.flags.fields import WHAT, Names, Numbers, check_choices, check_numbers, flag, normalise, same_flag
from zsadbench.flags.forms import NAME_LIST, NUMBER, NUMBER_LIST, SWITCH

Scenario = Literal["single-stream", "offline"]


@dataclass(frozen=True)
class ProfileRequest:
    """What to measure: every method of `run` on every backbone, at every precision and batch size.

    In the scenario `single-stream` a batch arrives when the one before is done; in `offline` all batches are there
    from the start. `rounds` is the number of timed calls; None repeats the calls until the figures settle (see
    `zsadbench.profile.rounds.Rounds`).

    Raises:
        UsageError: a value cannot be right.
    """

    run: RunRequest
    _: KW_ONLY
    scenario: Scenario = flag(
        "single-stream: one batch after the other; offline: all batches at once.",
        WHAT,
        default="single-stream",
        variable=False,
        choices=get_args(Scenario),
    )
    rounds: int | None = flag(
        "Number of timed calls (default: at least 5, for ten seconds).",
        WHAT,
        default=None,
        form=NUMBER,
        variable=False,
        at_least=1,
    )
    training: bool = flag("Also measure steps of training.", WHAT, default=False, form=SWITCH, variable=False)
    backbones: Names = same_flag(
        RunRequest,
        "backbone",
        default=(),
        form=NAME_LIST,
        help="Architecture (default: ViT-L-14-336), the path of a backbone.json, or a comma list.",
    )
    precisions: Names = same_flag(
        RunRequest,
        "precision",
        default=("fp32",),
        form=NAME_LIST,
        choices=(),
        help="Arithmetic of the image tower: fp32, bf16, fp16, or a comma list.",
    )
    batch_sizes: Numbers = same_flag(
        RunRequest,
        "batch_size",
        default=(1,),
        form=NUMBER_LIST,
        variable=False,
        at_least=None,
        help="Images per batch, or a comma list.",
    )

    def __post_init__(self) -> None:
        normalise(self)
        if self.run.save_maps:
            raise UsageError("--save-maps and profile do not go together: writing maps is not part of a method's time")
        check_choices(self)
        unknown = [precision for precision in self.precisions if precision not in PRECISIONS]
        if unknown or not self.precisions:
            raise UsageError(f"--precision is '{', '.join(unknown)}'; it takes some of: {', '.join(PRECISIONS)}")
        if not self.batch_sizes or min(self.batch_sizes) < 1:
            raise UsageError("--batch-size takes numbers from 1 on")
        check_numbers(self)
