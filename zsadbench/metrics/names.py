"""The names of metrics: the one place where a record key is parsed and spelled.

A name is a level, a metric and, for AUPRO, a limit that is spelled only where it is not 0.3:

    image_auroc  image_ap  image_f1max
    pixel_auroc  pixel_ap  pixel_f1max  pixel_aupro  pixel_aupro_200  pixel_aupro_200_max
    pixel_aupro@0.05  pixel_aupro_200@0.05  pixel_aupro_200_max@0.05
    image_auroc@sample  image_auroc@sample_mean     (and so for all three kinds: see `zsadbench.metrics.samples`)
    image_auroc@pooled  pixel_auroc@pooled          (and so for all three kinds: over all classes, on one scale)
    image_f1@aux  pixel_f1@aux                      (F1 at the threshold that is best on the auxiliary set)

`pixel_aupro_200minmax` and `pixel_aupro_200max` are read as well; `pixel_aupro@0.3` is `pixel_aupro`, and
`image_auroc@sample_max` is `image_auroc@sample`.
"""

import re
from dataclasses import dataclass

from zsadbench.errors import UsageError, unknown

DEFAULT_LIMIT = 0.3
RANKED_KINDS = ("auroc", "ap", "f1max")
LIMITED_KINDS = ("aupro", "aupro_200", "aupro_200_max")
KINDS = {"image": RANKED_KINDS, "pixel": (*RANKED_KINDS, *LIMITED_KINDS)}
_ALIASES = {"pixel_aupro_200minmax": "pixel_aupro_200", "pixel_aupro_200max": "pixel_aupro_200_max"}
MEAN_OF_VIEWS = "sample_mean"
POOLED, AUX, F1 = "pooled", "aux", "f1"
OVERS = {one: one for one in ("sample", MEAN_OF_VIEWS, POOLED, AUX)} | {"sample_max": "sample"}
OVER_SAMPLES = ("sample", MEAN_OF_VIEWS)
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)(e-?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class MetricName:
    """One metric with its settings; as a string, its record key.

    `level` is "image" or "pixel", `kind` one of its `KINDS`; `limit`, in (0, 1], belongs to the
    AUPROs alone and is None for all others. `over` is empty; "sample" or "sample_mean" where the images of an
    object count as one, by their largest score or by the mean; "pooled" where all classes of a target are ranked
    together; "aux" for the kind "f1" alone, whose threshold is the best one of the auxiliary set.

    Raises:
        UsageError: the level has no such kind, or a setting cannot be right.
    """

    level: str
    kind: str
    limit: float | None = None
    over: str = ""

    def __post_init__(self) -> None:
        if self.level in KINDS and self.kind == F1:
            if self.over != AUX or self.limit is not None:
                raise UsageError(f"'{self.level}_{F1}' needs a threshold; write '{self.level}_{F1}@{AUX}'")
            return
        if self.kind not in KINDS.get(self.level, ()):
            raise unknown("metric", f"{self.level}_{self.kind}", _known())
        if self.kind not in LIMITED_KINDS and self.limit is not None:
            raise UsageError(f"metric '{self.level}_{self.kind}' takes no limit, but '{self.limit}' was given")
        if self.kind in LIMITED_KINDS and not (self.limit is not None and 0 < self.limit <= 1):
            raise UsageError(f"the limit of '{self.level}_{self.kind}' must lie in (0, 1], not '{self.limit}'")
        if self.over and not self._may_be_taken_over():
            raise UsageError(f"metric '{self.level}_{self.kind}' cannot be taken over '{self.over}'")

    def _may_be_taken_over(self) -> bool:
        if self.over == POOLED:
            return self.kind in RANKED_KINDS
        return self.over in OVER_SAMPLES and self.level == "image"

    @property
    def short(self) -> str:
        """The key without its level, as the accumulators use it: `auroc`, `aupro@0.05`, `auroc@sample`."""
        if self.over:
            return f"{self.kind}@{self.over}"
        return self.kind if self.limit in (None, DEFAULT_LIMIT) else f"{self.kind}@{spell_limit(self.limit)}"

    def __str__(self) -> str:
        return f"{self.level}_{self.short}"


def parse_metric(text: str) -> MetricName:
    """Read a record key, a table heading or a command-line argument.

    >>> str(parse_metric("pixel_aupro@0.3")), str(parse_metric("pixel_aupro_200minmax@0.050"))
    ('pixel_aupro', 'pixel_aupro_200@0.05')

    Raises:
        UsageError: no metric has this name, or its setting cannot be right.
    """
    base, at, setting = text.partition("@")
    base = _ALIASES.get(base, base)
    if base not in (*_known(), *(f"{level}_{F1}" for level in KINDS)):
        raise unknown("metric", base, _known())
    level, kind = base.split("_", 1)
    if setting in OVERS:
        return MetricName(level, kind, DEFAULT_LIMIT if kind in LIMITED_KINDS else None, OVERS[setting])
    if not at:
        return MetricName(level, kind, DEFAULT_LIMIT if kind in LIMITED_KINDS else None)
    if not _NUMBER.fullmatch(setting):
        raise UsageError(f"metric '{text}' has the setting '{setting}', which is no number")
    return MetricName(level, kind, float(setting))


def spell_limit(limit: float) -> str:
    """The shortest text that reads back as the same limit: `0.05`, `1`."""
    return repr(float(limit)).removesuffix(".0")


def _known() -> list[str]:
    return [f"{level}_{kind}" for level, kinds in KINDS.items() for kind in kinds]


DEFAULT_NAMES = tuple(parse_metric(name) for name in _known())
