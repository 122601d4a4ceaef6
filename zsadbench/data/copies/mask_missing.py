"""Say which mask is missing, what lies in its place, and what to do."""

import posixpath
from collections.abc import Sequence
from pathlib import Path

from zsadbench.data.cards.card import Card
from zsadbench.data.layouts.file_tree import CaseBlind
from zsadbench.data.layouts.sample import Sample
from zsadbench.data.user_images.target import is_user_target

SHOWN = 3  # names of files


def mask_missing(card: Card, root: Path, maskless: Sequence[Sample]) -> str:
    """One line about samples without a mask: the first of them, what is there instead, and the remedy."""
    first = maskless[0]
    table = f", {first.named_in}" if first.named_in else ""
    source = f"named in {first.named_in}" if first.named_in and first.wanted else f"the mask of {first.image}{table}"
    more = f", and {len(maskless) - 1} more" if len(maskless) > 1 else ""
    instead = _instead(root, first) if first.wanted and not first.named_in else ""
    if not is_user_target(card.name):
        remedy = "Restore it from the archive, or pass --allow-partial to leave such samples out and have them counted"
    elif instead:
        remedy = "Name each mask as its image, or list images and masks in a table: csv:PATH"
    else:
        remedy = "Restore it"
    return f"{card.name}: {first.wanted or 'a mask'} is missing ({source}){more}{instead}. {remedy}."


def _instead(root: Path, sample: Sample) -> str:
    """What the folder holds in which a mask was looked for; empty if it holds nothing, or is not there."""
    folder = posixpath.dirname(sample.wanted)
    path = CaseBlind(root).find(folder)
    entries = sorted(entry for entry in path.iterdir() if not entry.name.startswith(".")) if path else []
    own = next((entry for entry in entries if entry.is_dir() and entry.name == Path(sample.image).stem), None)
    if own is not None:
        number = sum(1 for file in own.iterdir() if file.is_file())
        return f"; '{folder}/{own.name}' is a folder of {number} files: unite the masks of an image in one file"
    if not entries:
        return ""
    names = ", ".join(f"'{entry.name}'" for entry in entries[:SHOWN]) + (", …" if len(entries) > SHOWN else "")
    return f"; '{folder}' holds {names}"
