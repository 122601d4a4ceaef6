"""Every intermediate result of WinCLIP by its name in the parity fixtures; `sK` are the windows of K × K patches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from zsadbench.types import Tokens
from zsadbench_methods.parts.precision import single_precision
from zsadbench_methods.winclip.model import IMAGE, PATCHES, WinCLIP
from zsadbench_methods.winclip.windows import harmonic_mean


class TracedWinCLIP(WinCLIP):
    """WinCLIP with its intermediate results, for parity and pictures."""

    def stages(self, tokens: Tokens, class_names: Sequence[str]) -> Mapping[str, Tensor]:
        """Run the figure and keep all of it."""
        grid, scores = tokens.grid, self.score(tokens, class_names)
        with single_precision(tokens.parts[IMAGE]):
            text = self.text_features(class_names)
            whole = self.abnormality(tokens.parts[IMAGE].unsqueeze(1), text)
            named = {**tokens.parts, "text_features": text, "score": scores.image, "map_grid": scores.pixel}
            for scale, window_scores in self.window_scores(tokens, text).items():
                named[f"window_score_s{scale}"] = window_scores
                named[f"aggregated_s{scale}"] = harmonic_mean(window_scores, self._cover[scale]).view(-1, grid, grid)
            named["textual_grid"] = self.text_map(tokens, text, whole).view(-1, grid, grid)
            if self._banks:
                named["few_shot_grid"] = named["visual_grid"] = self.reference_map(tokens).view(-1, grid, grid)
            if PATCHES in self._banks:
                named["few_shot_patch_distance"] = self.distance(tokens, PATCHES)
        return named

    def use_text(self, features: Tensor, class_names: Sequence[str]) -> None:
        """Use these text features, (2, joint), for these classes instead of encoding sentences."""
        self._cached_text |= dict.fromkeys(class_names, features)
