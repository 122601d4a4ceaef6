"""What was asked for, checked before anything is looked for: the mistakes that end with exit code 2."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from zsadbench.clip import place_taps
from zsadbench.clip.config import DEMO, find_config
from zsadbench.data import find_card
from zsadbench.engine.plan.options import Configured
from zsadbench.engine.plan.request import NO_AUX, RunRequest
from zsadbench.errors import UsageError, unknown

OTHER_AUX = {"mvtec": "visa", "demo": "demo-aux"}


def checked_targets(request: RunRequest) -> list[str]:
    """The targets by their own names, without those that have none of the classes asked for."""
    cards = {name: find_card(name) for name in dict.fromkeys(request.targets)}
    known = {one for card in cards.values() for one in card.classes}
    for wanted in request.classes:
        if wanted not in known:
            raise unknown(f"class of {', '.join(card.name for card in cards.values())}", wanted, known)
    kept = [name for name, card in cards.items() if not request.classes or set(request.classes) & card.classes.keys()]
    return list(dict.fromkeys(name if ":" in name else cards[name].name for name in kept))


def check_out(out: Path) -> None:
    """Raise `UsageError` where records could not be written."""
    there = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"--out '{out}' cannot be written: '{there}' is no folder that this user may write to")


def aux_for(target: str, asked: str | None) -> str:
    """The auxiliary set: as asked, else the papers' choice: MVTec AD, and VisA where MVTec AD is the target.

    The demo learns from its own auxiliary set.
    """
    if asked is None:
        return OTHER_AUX.get(target, "mvtec")
    return asked if asked == NO_AUX or ":" in asked else find_card(asked).name


def check_aux(request: RunRequest, configured: Sequence[Configured], targets: Sequence[str]) -> None:
    """Raise `UsageError` where nothing can be learned from the auxiliary set, or what is learned leaks.

    Of a checkpoint, a set that the user names must not be the target; the set that its file names is the ledger's.
    """
    if request.checkpoint is not None:
        if configured[0].recipe is None:
            raise UsageError(f"'{configured[0].card.name}' does not train, so it takes no --checkpoint")
        if request.aux is not None:
            _check_leak(request, targets, "the checkpoint would have learned from")
    elif any(method.recipe for method in configured):
        for target in targets:
            _check_masked(aux_for(target, request.aux))
        _check_leak(request, targets, "that would train on")


def _check_leak(request: RunRequest, targets: Sequence[str], how: str) -> None:
    leak = next((target for target in targets if aux_for(target, request.aux) == target), None)
    if leak is not None and not request.allow_leak:
        raise UsageError(
            f"'{leak}' is both --aux and --target: {how} the test images; "
            "choose another --aux, or pass --allow-leak to do it all the same"
        )


def _check_masked(aux: str) -> None:
    if aux != NO_AUX and not find_card(aux).pixel_level:
        raise UsageError(f"'{aux}' has no masks, so nothing can be learned from it; choose another --aux")


def with_backbone(request: RunRequest, targets: Sequence[str]) -> RunRequest:
    """The request with the backbone that its targets go with: the demo's for drawn ones, unless one was named.

    Raises:
        UsageError: targets that want different backbones, and none was named.
    """
    named = request.backbone or request.weights
    if named or os.environ.get("ZSADBENCH_BACKBONE") or os.environ.get("ZSADBENCH_WEIGHTS"):
        return request
    drawn = {find_card(target).generated for target in targets}
    if len(drawn) > 1:
        raise UsageError(
            "drawn targets go with the backbone 'demo', others with CLIP; run them apart or pass --backbone"
        )
    return replace(request, backbone=DEMO) if drawn == {True} else request


def check_size(request: RunRequest, configured: Sequence[Configured]) -> None:
    """Raise `UsageError` where a named backbone cannot take the image size, or is too shallow for the taps."""
    named = request.backbone or os.environ.get("ZSADBENCH_BACKBONE")
    if not named:
        return
    config = find_config(named)
    patch, size = config.vision.patch_size, request.image_size
    if size is not None and size % patch:
        near = max(1, round(size / patch)) * patch
        raise UsageError(f"image size {size} is no multiple of the patch of {config.name}, {patch}; try {near}")
    for method in configured:
        place_taps(method.card.taps(method.options), config.vision.layers)
