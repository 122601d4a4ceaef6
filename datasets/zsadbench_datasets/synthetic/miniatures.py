"""Write synthetic miniatures: the official layout of a benchmark, including its quirks, with small generated images.

The code for each layout follows the benchmark's own description and not its card, so that miniatures can reveal
errors in the rules of the card.
"""

import json
from importlib.metadata import version
from pathlib import Path

from zsadbench.errors import UsageError
from zsadbench_datasets.synthetic import folders, medical, surfaces, tables

RECORD = "zsadbench-synth.json"
MINIATURES = folders.MINIATURES | tables.MINIATURES | medical.MINIATURES | surfaces.MINIATURES


def synthesise(name: str, out: str | Path, per_class: int = 4) -> Path:
    """Write the miniature of the data set `name` below `out`, with its numbers of images in `zsadbench-synth.json`.

    Every class gets `per_class` normal and `per_class` anomalous test images, if the data set has both labels, and as
    many training images, if it has any. The same call always writes the same files.

    Raises:
        UsageError: there is no such miniature, `per_class` is not positive, or the folder contains other files.
    """
    if name not in MINIATURES:
        raise UsageError(f"no miniature of '{name}' can be generated; known: {', '.join(sorted(MINIATURES))}")
    if per_class < 1:
        raise UsageError(f"a miniature needs at least one image per class, not {per_class}")
    miniature = MINIATURES[name]
    root = Path(out) / miniature.folder
    record = json.dumps(
        {"name": name, "version": version("zsadbench"), "counts": miniature.counts(per_class)}, indent=1
    )
    same = (root / RECORD).is_file() and (root / RECORD).read_text(encoding="utf-8") == record + "\n"
    if root.exists() and not same and (not root.is_dir() or any(root.iterdir())):
        raise UsageError(f"'{root}' holds something else already; remove it, or choose another folder")
    miniature.write(root, per_class)
    (root / RECORD).write_text(record + "\n", encoding="utf-8")
    return root
