"""Shell completion of names: methods, targets, metrics, parts of the cache. Nothing heavy is imported.

Of a comma list, the last part is completed. A completion that fails gives no names, as a shell has no place
for messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

Completion = Callable[[str], list[str]]  # what was typed → whole words

GROUPS = ("all", "industrial", "medical", "folder:", "csv:")  # targets that are no data set


def completion_of(names: Callable[[], Iterable[str]]) -> Completion:
    """Return the completion of names that are listed when they are needed."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        given = set(before.split(","))
        with suppress(Exception):
            return [f"{before}{comma}{name}" for name in names() if name.startswith(last) and name not in given]
        return []

    return complete


def _methods() -> list[str]:
    from zsadbench import registry

    return registry.names("methods")


def _datasets() -> list[str]:
    from zsadbench.data import all_cards

    return [card.name for card in all_cards()]


def _metrics() -> list[str]:
    from zsadbench.metrics.names import DEFAULT_NAMES

    return [str(name) for name in DEFAULT_NAMES]


def _parts() -> list[str]:
    from zsadbench.upkeep.cache import PARTS

    return [part.name for part in PARTS]


def _weights() -> list[str]:
    from zsadbench.upkeep.weights import USED

    return [f"{backbone}:{tag}" for backbone, tag in USED]


complete_methods = completion_of(_methods)
complete_datasets = completion_of(_datasets)
complete_targets = completion_of(lambda: [*_datasets(), *GROUPS])
complete_aux = completion_of(lambda: [*_datasets(), "none"])
complete_metrics = completion_of(_metrics)
complete_weights = completion_of(_weights)
complete_parts = completion_of(_parts)

OF_FIELDS = {  # fields of requests
    "methods": complete_methods,
    "method": complete_methods,
    "targets": complete_targets,
    "target": complete_targets,
    "aux": complete_aux,
    "metrics": complete_metrics,
}
