"""The names of metrics: the one place where a record key is parsed and spelled.

A name is a level, a metric and, for AUPRO, a limit that is spelled only where it is not 0.3:

    image_auroc  image_ap  image_f1max
    pixel_auroc  pixel_ap  pixel_f1max  pixel_aupro  pixel_aupro_200  pixel_aupro_200_max
    pixel_aupro@0.05  pixel_aupro_200@0.05  pixel_aupro_200_max@0.05

`pixel_aupro_200minmax` and `pixel_aupro_200max` are read as well; `pixel_aupro@0.3` is `pixel_aupro`.
"""

import re
from dataclasses import dataclass

from zsadbench.errors import UsageError, unknown

DEFAULT_LIMIT = 0.3
RANKED_KINDS = ("auroc", "ap", "f1max")
LIMITED_KINDS = ("aupro", "aupro_200", "aupro_200_max")
KINDS = {"image": RANKED_KINDS, "pixel": (*RANKED_KINDS, *LIMITED_KINDS)}
_ALIASES = {"pixel_aupro_200minmax": "pixel_aupro_200", "pixel_aupro_200max": "pixel_aupro_200_max"}
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)(e-?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class MetricName:
    """One metric with its settings; as a string, its record key.

    `level` is "image" or "pixel", `kind` one of its `KINDS`; `limit`, in (0, 1], belongs to the
    AUPROs alone and is None for all others.

    Raises:
        UsageError: the level has no such kind, or the limit cannot be right.
    """

    level: str
    kind: str
    limit: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS.get(self.level, ()):
            raise unknown("metric", f"{self.level}_{self.kind}", _known())
        if self.kind not in LIMITED_KINDS and self.limit is not None:
            raise UsageError(f"metric '{self.level}_{self.kind}' takes no limit, but '{self.limit}' was given")
        if self.kind in LIMITED_KINDS and not (self.limit is not None and 0 < self.limit <= 1):
            raise UsageError(f"the limit of '{self.level}_{self.kind}' must lie in (0, 1], not '{self.limit}'")

    @property
    def short(self) -> str:
        """The key without its level, as the accumulators use it: `auroc`, `aupro@0.05`."""
        return self.kind if self.limit in (None, DEFAULT_LIMIT) else f"{self.kind}@{spell_limit(self.limit)}"

    def __str__(self) -> str:
        return f"{self.level}_{self.short}"


def parse_metric(text: str) -> MetricName:
    """Read a record key, a table heading or a command-line argument.

    >>> str(parse_metric("pixel_aupro@0.3")), str(parse_metric("pixel_aupro_200minmax@0.050"))
    ('pixel_aupro', 'pixel_aupro_200@0.05')

    Raises:
        UsageError: no metric has this name, or its setting cannot be right or is not built.
    """
    base, at, setting = text.partition("@")
    base = _ALIASES.get(base, base)
    if base not in _known():
        raise unknown("metric", base, _known())
    level, kind = base.split("_", 1)
    if setting in ("sample", "pooled"):
        raise UsageError(f"metric '{text}' is not built yet; leave out '@{setting}'")
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
