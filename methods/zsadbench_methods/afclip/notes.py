"""How AF-CLIP's stages are drawn: aggregation, adapter, projection, and both parts of the few-shot result.

In the formulas x is a patch after a tapped block, G the Gaussian window, T the text features, P CLIP's final norm and
projection, M the bank of normal patches.
"""

from zsadbench.types import StageNote

_WINDOWS = (1, 3, 5)  # those of the options' default; others are listed, not drawn


def _of_window(side: int) -> tuple[StageNote, ...]:
    name = f"window {side}"
    return (
        StageNote(f"aggregated_l*_r{side}", f"{name}: aggregated", "a = G ∗ x", "spatial aggregation", "tokens"),
        StageNote(f"adaptor_l*_r{side}", f"{name}: after the adapter", "h = SelfAttention(LN(a))", "adapter", "tokens"),
        StageNote(
            f"projected_l*_r{side}",
            f"{name}: nearer to abnormal",
            "cos(h·P, T_abnormal) − cos(h·P, T_normal)",
            "alignment with the text",
            "text",
            -0.5,
            0.5,
            "signed",
        ),
    )


NOTES = (
    *(note for side in _WINDOWS for note in _of_window(side)),
    StageNote("memory_map_grid", "distance to the memory", "mean of (1 − max_M cos(a, M))/2", "AF-CLIP+", scale="heat"),
    StageNote("zero_shot_map_grid", "zero-shot map", "σ(Σ (cos(h·P, T_a) − cos(h·P, T_n))/0.07)", "", scale="heat"),
    StageNote("map_grid", "map", "the zero-shot map; with a memory, its distance + 0.1 of that", "", scale="heat"),
)
