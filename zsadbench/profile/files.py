"""The files of a profile: `profile.json` with the machine it was measured on, and `profile.svg` for a report."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zsadbench.engine.machine.device import choose_device
from zsadbench.engine.record.provenance import machine_of, provenance
from zsadbench.files import write_atomically

STAGE_COLOURS = {"tower": "#4878a8", "head": "#d1843b", "map": "#7a9a5b"}


def write_profile(folder: Path, profiles: Sequence[dict[str, Any]], device: str) -> list[Path]:
    """Write both files, each as a whole or not at all, and return their paths.

    Args:
        folder: for the files.
        profiles: from `zsadbench.profile.measure.profile`.
        device: as in the request, for the provenance.
    """
    content = {"schema": 1, "profiles": list(profiles), "provenance": provenance(machine_of(choose_device(device)))}
    table, chart = folder / "profile.json", folder / "profile.svg"
    write_atomically(table, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
    write_atomically(chart, stage_chart(profiles))
    return [table, chart]


def stage_chart(profiles: Sequence[dict[str, Any]]) -> bytes:
    """Draw ms per image by stage as an SVG: one bar per profile, and on it a line at the time of the tower alone."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "zsadbench", "font.size": 9}):
        figure = Figure(figsize=(7.0, 1.2 + 0.34 * len(profiles)), layout="constrained")
        axes = figure.subplots()
        for row, profile in enumerate(profiles):
            left, images = 0.0, profile["batch_size"]
            for stage, colour in STAGE_COLOURS.items():
                width = profile["stages"][stage] / images
                axes.barh(row, width, left=left, color=colour, label=stage if row == 0 else None)
                left += width
            tower = profile["tower_ms"] / images
            axes.plot([tower, tower], [row - 0.45, row + 0.45], color="black", label=None if row else "tower alone")
        labels = [f"{profile['method']}, {profile['precision']}, batch {profile['batch_size']}" for profile in profiles]
        axes.set_yticks(range(len(profiles)), labels)
        axes.invert_yaxis()
        axes.set_xlabel(f"milliseconds per image, {profiles[0]['device_name']}")
        axes.legend(frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
        axes.spines[["top", "right"]].set_visible(False)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
