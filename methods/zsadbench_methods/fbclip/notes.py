"""How FB-CLIP's stages are drawn: the four cues and the mask, the views, FB-Attention, background suppression.

`equation` is what is computed, in this notation: x a patch, c the class token, m the mean patch, x⁻ the tap before;
n(·) scales to [0, 1] over the patches of the image; p the soft mask; z, y tokens before and after FB-Attention; b the
background prototype; T the text features; P CLIP's projection.
"""

from zsadbench.types import StageNote

MASK, ATTENTION, SUPPRESSION = "§3.4, appendix B (MVFBE)", "§3.5 (FB-Attention)", "§3.6 (BS)"

_CUES = (
    StageNote("cue_local_saliency_l*", "cue: local saliency", "n(‖xᵢ − (xᵢ₋₁ + xᵢ + xᵢ₊₁)/3‖)", MASK),
    StageNote("cue_distance_to_mean_l*", "cue: distance to the mean", "n(‖xᵢ − m‖)", MASK),
    StageNote("cue_unlike_class_token_l*", "cue: unlike the class token", "n(1 − cos(xᵢ, c))", MASK),
    StageNote("cue_change_between_taps_l*", "cue: change between taps", "n(‖xᵢ − xᵢ⁻‖)", MASK),
    StageNote("foreground_score", "foreground score", "mean₅(0.3·n₁ + 0.3·n₂ + 0.3·n₃ + 0.1·n₄)", MASK),
    StageNote("foreground_mask", "foreground mask", "pᵢ = 1 where the score exceeds 0.5, else 0.5", MASK),
)

_VIEWS = {
    "id": ("identity", "z = x"),
    "sem": ("semantic", "z = 0.6·(p·Σⱼ αⱼxⱼ + (1 − p)·Σⱼ βⱼxⱼ) + 0.4·x"),
    "spa": ("spatial", "z = softmax-weighted sums over 5 × 5 patches, foreground and background"),
}

_GATE = "γ = σ(MLP(z))"
_ATTEND = "y = LN(attend_fg(γ·z) + attend_bg((1 − γ)·z))"
_VOTE = "cos(u, T_abnormal) − cos(u, T_normal), u = (0.5·y + 0.5·(1 − cos(y, b))·(y − b))·P"


def _of_view(view: str) -> tuple[StageNote, ...]:
    name = view.upper()
    long, equation = _VIEWS[view]
    return (
        StageNote(f"{view}_l*", f"{name} ({long} view), before attention", equation, MASK, "tokens"),
        StageNote(f"fb_gate_l*_{view}", f"{name}: gate", _GATE, ATTENTION),
        StageNote(f"fb_attention_l*_{view}", f"{name}: after FB-Attention", _ATTEND, ATTENTION, "tokens"),
        StageNote(
            f"background_similarity_l*_{view}",
            f"{name}: like the background",
            "cos(y, b), b = 0.5·mean + 0.5·max of the first half of the tokens",
            SUPPRESSION,
            low=-1.0,
            scale="signed",
        ),
        StageNote(
            f"projected_l*_{view}", f"{name}: nearer to abnormal", _VOTE, SUPPRESSION, "text", -0.5, 0.5, "signed"
        ),
    )


NOTES = (
    *_CUES,
    *(note for view in _VIEWS for note in _of_view(view)),
    StageNote(
        "map_before_suppression",
        "map before suppression",
        "softmax(Σ ω·cos(y·P, T)/0.07)_abnormal",
        SUPPRESSION,
        scale="heat",
    ),
    StageNote("map_grid", "map after suppression", "softmax(Σ ω·cos(u, T)/0.07)_abnormal", SUPPRESSION, scale="heat"),
)
