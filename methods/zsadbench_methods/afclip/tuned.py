"""AF-CLIP with a tuned encoder in place of the adapter: it encodes images itself."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from zsadbench.clip import map_taps
from zsadbench.types import Tokens
from zsadbench_methods.afclip.stages import TracedAFCLIP


class TunedAFCLIP(TracedAFCLIP):
    """AF-CLIP whose `tuning` is one of `tuning.py`."""

    def encode(self, images: Tensor, class_names: Sequence[str]) -> Tokens:
        """Encode images with the tuned encoder; the class names are not used.

        With prefixes, a layer has an axis for windows after that of the batch.
        """
        walk, tuning = self.backbone.vision.walk, self.network.tuning
        kept = map_taps(self.options.blocks, walk.depth)
        return Tokens(tuple(tuning.encode(walk, walk.first_norm(walk.embed(images)), kept)), walk.grid)
