"""The failure browser: the page `failures.html` and the folder `failures/` with its pictures, which load on demand.

Pictures are WebP of quality `QUALITY`, their longer side 240 pixels. Their names depend on the path of their image
only, so that equal records give equal files. The page contains its data, style and scripts and loads nothing from
outside its folder.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench.compare import Board, Report
from zsadbench.compare.failures.examples import Example, ImageResult
from zsadbench.compare.failures.patterns import RULES
from zsadbench.compare.failures.pictures import COLOURS, encoded, heat, outlined, photograph
from zsadbench.compare.failures.sections import EXAMINED, Section, sections_of
from zsadbench.compare.failures.selection import LEAST, SHOWN
from zsadbench.files import write_atomically
from zsadbench.records import safe_name
from zsadbench_reports.files import write
from zsadbench_reports.html.payload import as_script
from zsadbench_reports.html.templates import environment_of, plain
from zsadbench_reports.sandbox import faults_named

if TYPE_CHECKING:
    from PIL.Image import Image

    from zsadbench.compare.failures.runs import Run

log = logging.getLogger(__name__)

FOLDER, QUALITY = "failures", 80
STYLES = ("html/page.css", "failures/failures.css")
SCRIPTS = ("html/elements.js", "html/theme.js", "failures/failures.js")


def write_failures(board: Board, out: Path, templates: Path | None) -> Sequence[Path]:
    """Write `failures.html` and its pictures below `out`; write nothing where no record has maps.

    Raises:
        UsageError: a template of `templates` is wrong.
    """
    slugs: set[str] = set()
    sections = [_write_section(section, _slug(section, slugs), out) for section in sections_of(board)]
    if not sections:
        log.info("no failure browser: no run kept its maps; run with --save-maps")
        return []
    environment = environment_of(templates)
    limits = {"shown": SHOWN, "least": LEAST, "examined": EXAMINED, "quality": QUALITY}
    with faults_named(templates):
        text = environment.get_template("failures/failures.html.jinja").render(
            payload=as_script({"sections": sections, "patterns": list(RULES)}),
            styles=plain(environment, STYLES),
            scripts=plain(environment, SCRIPTS),
            rules=RULES,
            colours=COLOURS,
            limits=limits,
        )
    return [write(out, "failures.html", text)]


def _slug(section: Section, taken: set[str]) -> str:
    """The name of the folder of a section, which is not in `taken`; it is added there."""
    key = section.key
    short = safe_name(key.target)
    slug = short if short not in taken else safe_name(f"{short}-{key.protocol}-{key.digest}-{key.backbone}")
    taken.add(slug)
    return slug


def _write_section(section: Section, slug: str, out: Path) -> dict[str, Any]:
    """Write the pictures of a section; returns its data for the page."""
    return {
        "slug": slug,
        "title": section.title,
        "protocol": section.key.protocol,
        "backbone": section.key.backbone,
        "total": section.total,
        "examined": section.examined,
        "notes": list(section.notes),
        "runs": [_run(section, run) for run in section.runs],
        "images": [_write_image(section, example, slug, out) for example in section.examples],
    }


def _run(section: Section, run: Run) -> dict[str, Any]:
    scale, record = section.scales[run.entry], run.record
    return {
        "name": run.entry,
        "signature": record.signature,
        "apart": "" if record.comparable else "; ".join(record.not_comparable_because),
        "levels": [_short(value) for value in (scale.usual, scale.rare, scale.red)],
        "source": scale.source,
    }


def _write_image(section: Section, example: Example, slug: str, out: Path) -> dict[str, Any]:
    """Write the pictures of an example; returns its data for the page."""
    key = f"{FOLDER}/{slug}/{hashlib.sha256(example.path.encode()).hexdigest()[:16]}"
    picture, mask = photograph(example, section.positive)
    shown = None if picture is None else outlined(picture, mask)
    return {
        "path": example.path,
        "class": example.info.class_name,
        "defect": example.info.defect,
        "label": example.info.label,
        "picture": _save(shown, f"{key}.webp", out),
        "found": list(_write_maps(section, example, (picture, mask), key, out)),
    }


def _write_maps(
    section: Section, example: Example, picture_and_mask: tuple[Image | None, Image | None], key: str, out: Path
) -> Iterator[dict[str, Any] | None]:
    """Write the heat map of every run and give its result, in the order of the runs; None for a run without one."""
    picture, mask = picture_and_mask
    for number, run in enumerate(section.runs):
        result = example.results.get(run.entry)
        if result is None:
            yield None
            continue
        heat_map = heat(run, example, section.scales[run.entry], picture)
        heat_map = None if heat_map is None else outlined(heat_map, mask)
        yield {**_numbers(result), "map": _save(heat_map, f"{key}-{number}.webp", out)}


def _numbers(result: ImageResult) -> dict[str, Any]:
    measures = result.measures
    return {
        "score": _short(result.score),
        "error": None if result.error is None else round(result.error, 4),
        "missed": None if measures.missed is None else round(measures.missed, 4),
        "peak": None if result.peak is None else _short(result.peak),
        "tags": list(measures.tags),
    }


def _save(picture: Image | None, name: str, out: Path) -> list[Any] | None:
    """Write a picture; returns its path relative to the page, its width and its height."""
    if picture is None:
        return None
    path = out / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, encoded(picture, "WEBP", quality=QUALITY))
    return [name, picture.width, picture.height]


def _short(value: float) -> float:
    """Rounded to the four digits that a caption shows."""
    return float(f"{value:.4g}")


REPORT = Report(write_failures)
