"""PatchCore's results by name: of images for pictures, and on the tokens of a parity fixture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from zsadbench.types import Scores, Tokens
from zsadbench_methods.patchcore.embedding import embed
from zsadbench_methods.patchcore.model import PatchCore
from zsadbench_methods.patchcore.options import Options

SEVERAL = 3  # neighbours of the results whose names contain k3


class TracedPatchCore(PatchCore):
    """PatchCore with its results by name, for pictures."""

    def stages(self, tokens: Tokens, class_names: Sequence[str]) -> Mapping[str, Tensor]:
        """Return image scores (batch,) and maps on the patch grid (batch, rows, columns)."""
        scores = self.score(tokens, class_names)
        return {"score": scores.image, "map_grid": scores.pixel}


def on_tokens(
    inputs: Mapping[str, Tensor], about: Mapping[str, Any], options: Options
) -> Mapping[str, Tensor | Scores]:
    """Recompute what a fixture with given tokens expects, by name; `Scores` stand for a map, a score and a grid."""
    tests, normal = list(inputs["features"].float()), list(inputs["reference_features"].float())
    rows = embed(normal, options).flatten(0, 1)
    projected = inputs["projection"].float()
    draws = (projected if projected.shape[1] == rows.shape[1] else None, inputs["start_points"])
    named: dict[str, Tensor | Scores] = {
        "embedding": embed([layer[:1] for layer in tests], options)[0],
        "reference_embedding": embed([layer[:1] for layer in normal], options)[0],
        "greedy_indices": PatchCore(replace(options, coreset="exact")).choose(rows),
        "approx_indices": PatchCore(options).choose(rows, *draws),
    }
    kinds = {"full": replace(options, coreset="all"), "greedy": replace(options, coreset="exact"), "approx": options}
    for kind, changed in kinds.items():
        for suffix, neighbours in (("", options.neighbours), ("k3_", SEVERAL)):
            detector = PatchCore(replace(changed, neighbours=neighbours))
            detector.fit(rows, *draws)
            named[f"{kind}_{suffix}"] = detector.score_maps(tests)
    return named
