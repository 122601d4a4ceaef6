"""Normal images of the user, which a few-shot method compares with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from zsadbench.clip.union import join
from zsadbench.data import prepare, read_image
from zsadbench.data.images.turn import turned
from zsadbench.engine.encode.supports import angles_of
from zsadbench.engine.machine.method_calls import call_method
from zsadbench.engine.machine.threads import limited_threads
from zsadbench.errors import CellError, UsageError
from zsadbench.types import FewShot

if TYPE_CHECKING:
    from zsadbench.predict.detector import LoadedMethod


def check_reference(detector: LoadedMethod, *, given: bool) -> None:
    """Check that normal images are given to a method that needs them, and to none that takes none.

    Raises:
        UsageError: they are missing, or the method has no use for them.
    """
    method = detector.setup.method
    step = method.step()
    takes = method.card.few_shot and not (step is not None and step.whole_class)
    if given and not takes:
        raise UsageError(f"'{method.card.name}' compares with no normal images; leave --reference out")
    if not given and method.card.needs_shots(method.options):
        raise UsageError(f"'{method.card.name}' compares with normal images; pass --reference FOLDER with some")


def remember(detector: LoadedMethod, images: Sequence[Path]) -> None:
    """Fit the memory of a method on normal images, each turned by the angles that the method asks for.

    Raises:
        DataError: an image cannot be read.
        CellError: the method fails.
    """
    setup, method, tokens = detector.setup, detector.method, []
    protocol, pixels = setup.protocol, setup.spec.config.pixels
    with torch.inference_mode(), limited_threads():
        for angle in angles_of(setup):
            for path in images:
                image = turned(read_image(path), angle)
                ready = prepare(image, setup.image_size, protocol.preprocessing_of_supports, pixels)
                batch = torch.from_numpy(ready).unsqueeze(0).to(detector.backbone.device)
                tokens.append(detector.encode(batch, ["object"]))
        if not isinstance(method, FewShot):
            raise CellError(f"'{setup.name}' says that it is few-shot, but its detector has no 'remember'")
        call_method(setup.name, "remember", method.remember, join(tokens), of=f" for {len(images)} normal images")
