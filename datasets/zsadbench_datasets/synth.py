"""Miniatures: a benchmark's official layout, quirks included, filled with small drawn images.

Each layout is written out by hand from the description of the benchmark. It knows nothing of the rules by
which cards are read, so that a miniature can show a rule wrong.
"""

import json
from importlib.metadata import version
from pathlib import Path

from zsadbench.errors import UsageError
from zsadbench_datasets import synth_medical, synth_trees, synth_views

RECORD = "zsadbench-synth.json"
MINIATURES = synth_trees.MINIATURES | synth_views.MINIATURES | synth_medical.MINIATURES


def synthesise(name: str, out: str | Path, per_class: int = 4) -> Path:
    """Write the miniature of the set `name` below `out`, and what it holds in `zsadbench-synth.json`.

    Every class gets `per_class` normal and as many anomalous test images, as far as the set has both, and
    as many training images where it has those. The same call writes the same files.

    Raises:
        UsageError: there is no such miniature, `per_class` is not positive, or the folder holds other files.
    """
    if name not in MINIATURES:
        raise UsageError(f"no miniature of '{name}' can be drawn; known: {', '.join(sorted(MINIATURES))}")
    if per_class < 1:
        raise UsageError(f"a miniature needs at least one image per class, not {per_class}")
    mini = MINIATURES[name]
    root = Path(out) / mini.folder
    record = json.dumps({"name": name, "version": version("zsadbench"), "counts": mini.counts(per_class)}, indent=1)
    _refuse_other_files(root, record)
    mini.draw(root, per_class)
    (root / RECORD).write_text(record + "\n", encoding="utf-8")
    return root


def _refuse_other_files(root: Path, record: str) -> None:
    ours = (root / RECORD).is_file() and (root / RECORD).read_text(encoding="utf-8") == record + "\n"
    if root.exists() and not ours and (not root.is_dir() or any(root.iterdir())):
        raise UsageError(f"'{root}' holds something else already; remove it, or choose another folder")
