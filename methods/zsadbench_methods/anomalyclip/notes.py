"""How AnomalyCLIP's stages are drawn: the patches of each layer against the two texts, and the map."""

from zsadbench.types import StageNote

_NEARER = "nearer to abnormal"
_COSINES = "cos(u, T_abnormal) − cos(u, T_normal), u = LN(d)·P of a patch d"

NOTES = (
    StageNote("dpam_tokens_l*", f"{_NEARER} (DPAM path)", _COSINES, "DPAM", "text", -0.5, 0.5, "signed"),
    StageNote("plain_tokens_l*", f"{_NEARER} (plain path)", _COSINES, "", "text", -0.5, 0.5, "signed"),
    StageNote("map_grid", "map", "σ((cos(u, T_abnormal) − cos(u, T_normal))/0.07)", "", scale="heat"),
)
