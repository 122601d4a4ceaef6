"""A profile as files: `profile.json` with where it was measured, and `profile.svg` for a report."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zsadbench.engine.machine.device import choose_device
from zsadbench.engine.record.provenance import provenance
from zsadbench.files import write_atomically

STAGES = {"tower": "#4878a8", "head": "#d1843b", "map": "#7a9a5b"}


def write_profile(folder: Path, found: Sequence[dict[str, Any]], device: str) -> list[Path]:
    """Write both files and return where they are; each is there as a whole or not at all."""
    about = {"schema": 1, "profiles": list(found), "provenance": provenance(choose_device(device))}
    table, picture = folder / "profile.json", folder / "profile.svg"
    write_atomically(table, (json.dumps(about, indent=1, allow_nan=False) + "\n").encode())
    write_atomically(picture, drawn(found))
    return [table, picture]


def drawn(found: Sequence[dict[str, Any]]) -> bytes:
    """Milliseconds an image by stage, one bar a profile, as an SVG; the tower alone as a line on each bar."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "zsadbench", "font.size": 9}):
        figure = Figure(figsize=(7.0, 1.2 + 0.34 * len(found)), layout="constrained")
        axes = figure.subplots()
        for row, one in enumerate(found):
            left, images = 0.0, one["batch_size"]
            for stage, colour in STAGES.items():
                width = one["stages"][stage] / images
                axes.barh(row, width, left=left, color=colour, label=stage if row == 0 else None)
                left += width
            floor = one["tower_ms"] / images
            axes.plot([floor, floor], [row - 0.45, row + 0.45], color="black", label=None if row else "tower alone")
        axes.set_yticks(range(len(found)), [_label(one) for one in found])
        axes.invert_yaxis()
        axes.set_xlabel(f"milliseconds an image, {found[0]['device_name']}")
        axes.legend(frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
        axes.spines[["top", "right"]].set_visible(False)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _label(one: dict[str, Any]) -> str:
    return f"{one['method']}, {one['precision']}, batch {one['batch_size']}"
