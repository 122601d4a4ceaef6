"""The names of metrics: record keys are parsed and formatted only here.

A name is a level, a metric and, for AUPRO, a limit, which is left out if it is 0.3:

    image_auroc  image_ap  image_f1max
    pixel_auroc  pixel_ap  pixel_f1max  pixel_aupro  pixel_aupro_200  pixel_aupro_200_max
    pixel_aupro@0.05  pixel_aupro_200@0.05  pixel_aupro_200_max@0.05
    image_auroc@sample  image_auroc@sample_mean     (likewise image_ap and image_f1max: see `zsadbench.metrics.samples`)
    image_auroc@pooled  pixel_auroc@pooled          (likewise ap and f1max: all classes ranked on one scale)
    image_f1@aux  pixel_f1@aux                      (F1 at the threshold that is best on the auxiliary set)
    pixel_segf1                                     (F1 at a threshold from normal images, see `at_threshold`)

Also read: `pixel_aupro_200minmax` and `pixel_aupro_200max` for the 200-threshold variants, `pixel_aupro@0.3` for
`pixel_aupro`, and `image_auroc@sample_max` for `image_auroc@sample`.
"""

import re
from dataclasses import dataclass

from zsadbench.errors import UsageError, unknown

DEFAULT_LIMIT = 0.3
RANKED_KINDS = ("auroc", "ap", "f1max")
LIMITED_KINDS = ("aupro", "aupro_200", "aupro_200_max")
KINDS = {"image": RANKED_KINDS, "pixel": (*RANKED_KINDS, *LIMITED_KINDS)}
KNOWN = [f"{level}_{kind}" for level, kinds in KINDS.items() for kind in kinds]
MEAN_OF_VIEWS = "sample_mean"
POOLED, AUX, F1 = "pooled", "aux", "f1"
SEGF1 = "segf1"  # of pixels alone
OVER_SAMPLES = ("sample", MEAN_OF_VIEWS)
_OVER = {"sample": "sample", "sample_max": "sample", MEAN_OF_VIEWS: MEAN_OF_VIEWS, POOLED: POOLED, AUX: AUX}
_ALIASES = {"pixel_aupro_200minmax": "pixel_aupro_200", "pixel_aupro_200max": "pixel_aupro_200_max"}
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)(e-?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class MetricName:
    """One metric with its settings; as a string, its record key.

    `level` is "image" or "pixel", `kind` one of its `KINDS` or, of pixels, "segf1"; `limit`, in (0, 1], is given for
    the AUPROs and None for all others. `over` is empty for a metric of a class. It is "sample" or "sample_mean" if the
    images of an object count as one, by their largest score or by the mean; "pooled" if all classes of a target are
    ranked together; "aux" for the kind "f1", whose threshold is the best one of the auxiliary set.

    Raises:
        UsageError: the level has no such kind, or a setting is invalid.
    """

    level: str
    kind: str
    limit: float | None = None
    over: str = ""

    def __post_init__(self) -> None:
        name = f"{self.level}_{self.kind}"
        if self.level in KINDS and self.kind == F1:
            if self.over != AUX or self.limit is not None:
                raise UsageError(f"'{name}' needs a threshold; write '{name}@{AUX}'")
            return
        if self.kind not in KINDS.get(self.level, ()) and name != f"pixel_{SEGF1}":
            raise unknown("metric", name, KNOWN)
        if self.kind not in LIMITED_KINDS and self.limit is not None:
            raise UsageError(f"metric '{name}' takes no limit, but '{self.limit}' was given")
        if self.kind in LIMITED_KINDS and not (self.limit is not None and 0 < self.limit <= 1):
            raise UsageError(f"the limit of '{name}' must lie in (0, 1], not '{self.limit}'")
        pooled = self.over == POOLED and self.kind in RANKED_KINDS
        of_objects = self.over in OVER_SAMPLES and self.level == "image"
        if self.over and not (pooled or of_objects):
            raise UsageError(f"metric '{name}' cannot be taken over '{self.over}'")

    @property
    def short(self) -> str:
        """The key without its level, as the accumulators use it: `auroc`, `aupro@0.05`, `auroc@sample`."""
        if self.over:
            return f"{self.kind}@{self.over}"
        return self.kind if self.limit in (None, DEFAULT_LIMIT) else f"{self.kind}@{spell_limit(self.limit)}"

    def __str__(self) -> str:
        return f"{self.level}_{self.short}"


def parse_metric(text: str) -> MetricName:
    """Parse a record key, a table heading or a command-line argument.

    >>> str(parse_metric("pixel_aupro@0.3")), str(parse_metric("pixel_aupro_200minmax@0.050"))
    ('pixel_aupro', 'pixel_aupro_200@0.05')

    Raises:
        UsageError: no metric has this name, or its setting is invalid.
    """
    base, at, setting = text.partition("@")
    base = _ALIASES.get(base, base)
    if base not in (*KNOWN, f"pixel_{SEGF1}", *(f"{level}_{F1}" for level in KINDS)):
        raise unknown("metric", base, [*KNOWN, f"pixel_{SEGF1}"])
    level, kind = base.split("_", 1)
    if not at or setting in _OVER:
        return MetricName(level, kind, DEFAULT_LIMIT if kind in LIMITED_KINDS else None, _OVER.get(setting, ""))
    if not _NUMBER.fullmatch(setting):
        raise UsageError(f"metric '{text}' has the setting '{setting}', which is no number")
    return MetricName(level, kind, float(setting))


def spell_limit(limit: float) -> str:
    """Return the shortest text that is read as the same limit: `0.05`, `1`."""
    return repr(float(limit)).removesuffix(".0")


DEFAULT_NAMES = tuple(parse_metric(name) for name in KNOWN)
