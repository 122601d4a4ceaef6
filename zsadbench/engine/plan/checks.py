"""Check the arguments of a request before data or weights are looked for: mistakes that end with exit code 2."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from zsadbench.clip import place_taps
from zsadbench.clip.config import DEMO, find_config
from zsadbench.data import find_card
from zsadbench.engine.plan.kinds import check_kind
from zsadbench.engine.plan.options import ConfiguredMethod, taps_for
from zsadbench.engine.plan.request import NO_AUX, RunRequest
from zsadbench.engine.plan.settings import of_each
from zsadbench.errors import UsageError, unknown

if TYPE_CHECKING:
    from zsadbench.data import Dataset
    from zsadbench.engine.plan.sweep_file import Tuned
    from zsadbench.protocol import EvaluationProtocol

OTHER_AUX = {"mvtec": "visa", "demo": "demo-aux"}


def checked_targets(request: RunRequest) -> list[str]:
    """Return the names of the targets' cards, without targets that have none of the request's classes.

    Raises:
        UsageError: a target or a class is unknown.
    """
    cards = {name: find_card(name, request.normal) for name in dict.fromkeys(request.targets)}
    known = {class_name for card in cards.values() for class_name in card.classes}
    for class_name in request.classes:
        if class_name not in known:
            raise unknown(f"class of {', '.join(card.name for card in cards.values())}", class_name, known)
    kept = [name for name, card in cards.items() if not request.classes or set(request.classes) & card.classes.keys()]
    return list(dict.fromkeys(name if ":" in name else cards[name].name for name in kept))


def aux_for(target: str, requested: str | None) -> str:
    """Return the name of the auxiliary set for a target.

    The requested one, else the papers' choice: MVTec AD, and VisA where MVTec AD is the target. The data set `demo` has
    its own auxiliary set.

    Raises:
        UsageError: the requested set is unknown.
    """
    if requested is None:
        return OTHER_AUX.get(target, "mvtec")
    return requested if requested == NO_AUX or ":" in requested else find_card(requested).name


def check_aux(request: RunRequest, methods: Sequence[ConfiguredMethod], targets: Sequence[str]) -> None:
    """Check that methods can learn from the auxiliary set of each target, and do not learn from the target itself.

    With a checkpoint, only a set that the user names is checked; what the file says it learned from is graded when the
    record is made.

    Raises:
        UsageError: the set has no masks, or is the target and leaks are not allowed.
    """
    if request.checkpoint is not None:
        if methods[0].recipe is None:
            raise UsageError(f"'{methods[0].card.name}' does not train, so it takes no --checkpoint")
        if request.aux is not None:
            _check_leak(request, targets, "the checkpoint would have learned from")
    elif any(method.recipe and not method.recipe.on_supports for method in methods):
        for target in targets:
            aux = aux_for(target, request.aux)
            if aux != NO_AUX and not find_card(aux, request.normal).pixel_level:
                raise UsageError(f"'{aux}' has no masks, so nothing can be learned from it; choose another --aux")
        _check_leak(request, targets, "that would train on")


def check_whole_class(methods: Sequence[ConfiguredMethod], protocol: EvaluationProtocol) -> None:
    """Check that the protocol allows methods to score a class as a whole (`Transductive.whole_class`).

    Raises:
        UsageError: a method does nothing else, and the protocol does not allow it.
    """
    for method in methods:
        step = method.step()
        if step is None or not step.whole_class or protocol.across_images == "transductive":
            continue
        allowed = [own.name for own in method.card.protocols if own.across_images == "transductive"]
        raise UsageError(
            f"'{method.card.name}' scores an image by all test images of its class, which the protocol "
            f"'{protocol.name}' does not allow; pass --protocol {' or '.join(allowed) or 'of a paper that does'}"
        )


def check_checkpoint_class(
    request: RunRequest, methods: Sequence[ConfiguredMethod], selected: Mapping[str, Sequence[str]]
) -> None:
    """Check that a checkpoint that learned one class (`Recipe.on_supports`) is used for one class.

    Raises:
        UsageError: it is used for several.
    """
    recipe = methods[0].recipe
    if request.checkpoint is None or recipe is None or not recipe.on_supports:
        return
    if any(len(classes) > 1 for classes in selected.values()):
        raise UsageError(f"a checkpoint of '{methods[0].card.name}' is of one class; choose it with --class")


def _check_leak(request: RunRequest, targets: Sequence[str], how: str) -> None:
    """Raise `UsageError` if a target is its own auxiliary set, unless leaks are allowed."""
    if request.held_out:  # other classes of the set are learned from
        return
    leak = next((target for target in targets if aux_for(target, request.aux) == target), None)
    if leak is not None and not request.allow_leak:
        raise UsageError(
            f"'{leak}' is both --aux and --target: {how} the test images; "
            "choose another --aux, or pass --allow-leak to do it all the same"
        )


def check_tuned(request: RunRequest, targets: Sequence[Dataset]) -> None:
    """Check that options of the sweep file were not chosen on a target, unless leaks are allowed.

    Raises:
        UsageError: they were.
    """
    for tuned in request.sweep.tuned if request.sweep else ():
        for target in targets:
            if chosen_on(tuned, target) and not request.allow_leak:
                raise UsageError(
                    f"the options of '{tuned.method}' were chosen on '{tuned.aux}', which is the target "
                    f"'{target.card.name}'; choose another --target, or pass --allow-leak to do it all the same"
                )


def chosen_on(tuned: Tuned, target: Dataset) -> bool:
    """Return whether options were chosen on a target: it has the name, unless it is a user's folder, or the content."""
    named = tuned.aux == target.card.name and ":" not in tuned.aux
    return named or tuned.fingerprint == target.fingerprint


def with_backbone(request: RunRequest, targets: Sequence[str]) -> RunRequest:
    """Return the request with the backbone for its targets: the demo's for generated sets, unless one was named.

    Raises:
        UsageError: the targets need different backbones, and none was named.
    """
    named = request.backbone or request.weights
    if named or os.environ.get("ZSADBENCH_BACKBONE") or os.environ.get("ZSADBENCH_WEIGHTS"):
        return request
    generated = {find_card(target, request.normal).generated for target in targets}
    if len(generated) > 1:
        raise UsageError("generated targets use the backbone 'demo', others CLIP; run them apart or pass --backbone")
    return replace(request, backbone=DEMO) if generated == {True} else request


def check_size(request: RunRequest, methods: Sequence[ConfiguredMethod]) -> None:
    """Check the kind, the image size and the tapped blocks of methods against a named backbone.

    Raises:
        UsageError: a method cannot use the backbone, the size is no multiple of the patch, or the encoder has too few
            blocks.
    """
    named = request.backbone or os.environ.get("ZSADBENCH_BACKBONE")
    if not named:
        return
    config = find_config(named)
    for method in methods:
        check_kind(method.card, config)
    patch, size = config.vision.patch_size, request.image_size
    if size is not None and size % patch:
        near = max(1, round(size / patch)) * patch
        raise UsageError(f"image size {size} is no multiple of the patch of {config.name}, {patch}; try {near}")
    of_each(methods, lambda method: place_taps(taps_for(method.card, method.options), config.vision.layers))
