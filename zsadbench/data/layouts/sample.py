"""One labelled image as a layout finds it, before it becomes a row of the manifest."""

from typing import NamedTuple


class Sample(NamedTuple):
    """Paths are posix and relative to the root.

    `mask` is empty where there is none; then `wanted` names the mask that should have been there, if the
    layout speaks of one. `named_in` is the table that speaks of the sample, in one's own table with the line;
    empty for a tree. `view` is the side from which the object `sample` was taken, both empty where a set has
    one image of each object.
    """

    image: str
    mask: str
    label: int
    class_name: str
    defect: str
    split: str
    wanted: str = ""
    named_in: str = ""
    view: str = ""
    sample: str = ""


class Reading(NamedTuple):
    """What a layout found: samples; samples whose image is absent; oddities, a line each."""

    samples: list[Sample]
    absent: list[Sample]
    notes: tuple[str, ...] = ()


def kind(label: int, defect: str) -> str:
    """The kind of defect as the manifest names it: `good` for a normal image, `anomaly` where no kind is known."""
    return "good" if label == 0 else defect or "anomaly"
