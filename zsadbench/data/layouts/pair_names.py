"""Check that a table pairs images with the masks of their names.

A table whose masks are shifted by a row gives every image the mask of its neighbour. It shows in the names: a mask that
has the name of another image in the same folder is most likely that image's.
"""

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable

from zsadbench.data.layouts.sample import Sample
from zsadbench.errors import DataError

MOST = 0.5  # of the rows with a mask
# parts of a name that say what a file is and not which object it shows
WORDS = frozenset(
    {
        *("image", "images", "img", "im", "rgb", "photo", "mask", "masks", "gt", "ground", "truth", "groundtruth"),
        *("label", "labels", "lbl", "seg", "segmentation", "anno", "annotation", "defect", "bin", "binary"),
    }
)
PART = re.compile(r"[^\W\d_]+|\d+")

Key = tuple[str, ...]


def check_pairs(samples: Iterable[Sample], where: str) -> list[str]:
    """Compare the names of images and masks in the rows of a table.

    Args:
        samples: of the table, also those whose files do not exist.
        where: the table, for messages.

    Returns:
        A note if a few masks have the name of another image.

    Raises:
        DataError: most masks do; the first is named.
    """
    pairs = [(sample, sample.mask or sample.wanted) for sample in samples if sample.mask or sample.wanted]
    images: dict[str, dict[Key, str]] = defaultdict(dict)
    for sample, _ in pairs:
        images[posixpath.dirname(sample.image)].setdefault(name_key(sample.image), sample.image)
    odd = []
    for sample, mask in pairs:
        key = name_key(mask)
        other = images[posixpath.dirname(sample.image)].get(key) if key else None
        if other and key != name_key(sample.image):
            odd.append((sample, mask, other))
    if not odd:
        return []
    sample, mask, other = odd[0]
    line = (
        f"{len(odd)} of {len(pairs)} rows name a mask that has the name of another image, first '{mask}' for "
        f"'{sample.image}', although '{other}' is there"
    )
    if len(odd) > MOST * len(pairs):
        raise DataError(f"{where}: {line}; pair masks and images by their names, and write the table again")
    return [line]


def name_key(path: str) -> Key:
    """The parts of a file name that tell one object from another: words and numbers, without leading zeros.

    >>> name_key("gt/ISIC_0000003_Segmentation.png"), name_key("mask-12.png")
    (('isic', '3'), ('12',))
    """
    stem = posixpath.splitext(posixpath.basename(path))[0].casefold()
    parts = (part.lstrip("0") or "0" if part.isdecimal() else part for part in PART.findall(stem))
    return tuple(part for part in parts if part not in WORDS)
