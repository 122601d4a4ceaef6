"""Find the images of the test parts whose labels a benchmark does not publish, by the templates of its card."""

from pathlib import Path
from typing import NamedTuple

from zsadbench.data.cards.card import Card
from zsadbench.data.cards.template import pattern
from zsadbench.data.layouts.file_tree import FileTree
from zsadbench.data.layouts.files_layout import unknown_class
from zsadbench.data.layouts.mask_pairs import is_image
from zsadbench.errors import DataError


class HiddenImage(NamedTuple):
    """One image without a label: its class, its part, its name without extension, and its path."""

    class_name: str
    part: str
    stem: str
    path: Path


def hidden_images(card: Card, root: Path) -> list[HiddenImage]:
    """Every image of the parts of a copy without labels: by class and part in the order of the card, then by name.

    Raises:
        DataError: the card knows no such part, a folder cannot be listed, a class is unknown, or two images of a part
            have one name.
    """
    if not card.hidden:
        raise DataError(f"{card.name}: no test part without labels is known, so there is nothing to submit")
    tree = FileTree(root)
    found: dict[tuple[str, str, str], HiddenImage] = {}
    for part, template in card.hidden.items():
        expression = pattern(template)
        for path in filter(is_image, tree.files):
            match = expression.fullmatch(path)
            if match is None:
                continue
            text = match.groupdict().get("class", next(iter(card.classes)))
            class_name = card.class_named(text)
            if class_name is None:
                raise unknown_class(card, text, f"{root}/{path}")
            image = HiddenImage(class_name, part, match["stem"], root / path)
            other = found.setdefault((class_name, part, match["stem"]), image)
            if other is not image:
                raise DataError(f"{card.name}: '{image.path}' and '{other.path}' would get maps of one name")
    order, parts = [*card.classes], [*card.hidden]
    return sorted(found.values(), key=lambda i: (order.index(i.class_name), parts.index(i.part), i.stem))


def missing_parts(card: Card, images: list[HiddenImage]) -> list[str]:
    """The classes and parts of which a copy has no image, as `class/part`."""
    there = {(image.class_name, image.part) for image in images}
    return [f"{name}/{part}" for name in card.classes for part in card.hidden if (name, part) not in there]
