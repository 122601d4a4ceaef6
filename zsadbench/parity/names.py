"""Names in a fixture: of what a variant or a stage of training gives in `expected`, and of classes in prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

OVER_STEPS = ("loss_curve", "loss_after_3_steps")


def of_variant(name: str, variant: str) -> str:
    """Return the name in `expected` of a result of a variant; one whose name ends in `_` stands before it.

    >>> [of_variant(name, "wide") for name in ("score", "gradnorm/gate", "loss_total", "loss_curve")]
    ['score_wide', 'gradnorm_wide/gate', 'loss_wide_total', 'loss_curve_wide']
    >>> of_variant("score", "few_shot_")
    'few_shot_score'
    """
    if not variant or variant.endswith("_"):
        return f"{variant}{name}"
    if name.startswith("loss_") and name not in OVER_STEPS:
        return f"loss_{variant}_{name.removeprefix('loss_')}"
    group, slash, rest = name.partition("/")
    return f"{group}_{variant}{slash}{rest}"


def of_stage(name: str, stage: str) -> str:
    """Return the name in `expected` of what a training stage gives.

    >>> [of_stage(name, "text") for name in ("loss_total", "loss_curve", "gradnorm/gate", "tokens")]
    ['loss_text_total', 'loss_text_curve', 'gradnorm/gate', 'tokens']
    """
    return f"loss_{stage}_{name.removeprefix('loss_')}" if stage and name.startswith("loss_") else name


def words_of(about: Mapping[str, Any], class_names: Sequence[str]) -> tuple[str, ...]:
    """Return the words of classes in prompts: those that the fixture states, else the names themselves."""
    words = about["options"].get("descriptive_names", {})
    return tuple(words.get(name, name) for name in class_names)
