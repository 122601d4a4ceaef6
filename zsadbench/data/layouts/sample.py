"""One labelled image as a layout lists it, before it becomes a row of the manifest."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from zsadbench.data.layouts.left_out import LeftOut


class Sample(NamedTuple):
    """One image with its label; paths are POSIX and relative to the root.

    Attributes:
        image: path of the image.
        mask: path of the mask; empty if there is none.
        label: 0 normal, 1 anomalous.
        class_name: the class folder's name.
        defect: the kind of defect, as `defect_kind` gives it.
        split: `train`, `test` or another split of the data set, in lower case.
        wanted: path of the mask that should exist, if `mask` is empty although the layout expects one.
        named_in: the table that lists the image, in a user's table with the line; empty if no table lists it.
        view: the side from which the object `sample` was photographed; empty if there is one image per object.
        sample: the photographed object; empty if there is one image per object.
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


class LayoutSamples(NamedTuple):
    """The samples of a copy.

    Attributes:
        samples: of all splits.
        absent: samples whose image file does not exist.
        notes: oddities, one line each.
        left_out: class → files that are or claim to be images and are not read; see `zsadbench.data.layouts.left_out`.
    """

    samples: list[Sample]
    absent: list[Sample]
    notes: tuple[str, ...] = ()
    left_out: Mapping[str, LeftOut] = MappingProxyType({})


def defect_kind(label: int, defect: str) -> str:
    """The kind of defect in the manifest: `good` for a normal image, `anomaly` if an anomalous one has no kind."""
    return "good" if label == 0 else defect or "anomaly"
