"""Requests of the verbs that have no target: `train`, `predict` and `explain`."""

from __future__ import annotations

from zsadbench.cli.shared.options import Fields
from zsadbench.engine.plan.request import NO_AUX, RunRequest


def learned_from(fields: Fields) -> str:
    """Return the auxiliary set to learn from: `--aux`, else the demo's for the demo backbone, else the papers'."""
    from zsadbench.clip.config import DEMO
    from zsadbench.engine.plan.checks import aux_for

    demo = DEMO in {fields.get("backbone"), fields.get("weights")}
    return fields.get("aux") or aux_for("demo" if demo else "folder:.", None)


def detector_request(fields: Fields) -> RunRequest:
    """Return the request for one trained method; in place of a target it names the auxiliary set.

    With a checkpoint nothing is learned, and `--aux` has no effect.

    Raises:
        UsageError: a value cannot be right.
    """
    aux = learned_from(fields)
    target = learned_from({**fields, "aux": None}) if aux == NO_AUX else aux
    return RunRequest(**{**fields, "targets": (target,), "aux": None if "checkpoint" in fields else aux})
