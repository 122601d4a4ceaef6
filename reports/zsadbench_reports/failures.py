"""The failure browser: `failures.html`, and beside it `failures/` with its pictures, which load as they come into view.

Pictures are WebP of quality `QUALITY`, their longer side 240 pixels, named by the path of their image, so that the same
records give the same files. The page has its data, style and script inside and asks for nothing outside its folder.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from zsadbench.compare import Board, Report
from zsadbench.compare.failures.patterns import RULES
from zsadbench.compare.failures.pictures import COLOURS, encoded, heat, outlined, photograph
from zsadbench.compare.failures.sections import EXAMINED, Example, Section, sections_of
from zsadbench.compare.failures.selection import LEAST, SHOWN, Finding
from zsadbench.errors import UsageError
from zsadbench.files import write_atomically
from zsadbench.records import safe_name
from zsadbench_reports.files import write
from zsadbench_reports.html.payload import as_script
from zsadbench_reports.html.templates import environment_of, plain

if TYPE_CHECKING:
    from PIL.Image import Image

log = logging.getLogger(__name__)

FOLDER, QUALITY = "failures", 80
STYLES = ("html/page.css", "failures/failures.css")
SCRIPTS = ("html/elements.js", "html/theme.js", "failures/failures.js")


def write_failures(board: Board, out: Path, templates: Path | None) -> Sequence[Path]:
    """Write `failures.html` and its pictures below `out`; nothing where no record has maps.

    Raises:
        UsageError: a template of `templates` is wrong.
    """
    slugs: set[str] = set()
    sections = [_written(section, _slug(section, slugs), out) for section in sections_of(board)]
    if not sections:
        log.info("no failure browser: no run kept its maps; run with --save-maps")
        return []
    environment = environment_of(templates)
    limits = {"shown": SHOWN, "least": LEAST, "examined": EXAMINED, "quality": QUALITY}
    try:
        text = environment.get_template("failures/failures.html.jinja").render(
            payload=as_script({"sections": sections, "patterns": list(RULES)}),
            styles=plain(environment, STYLES),
            scripts=plain(environment, SCRIPTS),
            rules=RULES,
            colours=COLOURS,
            limits=limits,
        )
    except TemplateError as failure:
        raise UsageError(f"a template of '{templates}' cannot be used: {failure}") from failure
    return [write(out, "failures.html", text)]


def _slug(section: Section, taken: set[str]) -> str:
    """A folder of its own for every section."""
    group = section.group
    wanted = safe_name(group.target)
    slug = wanted if wanted not in taken else safe_name(f"{wanted}-{group.protocol}-{group.digest}-{group.backbone}")
    taken.add(slug)
    return slug


def _written(section: Section, slug: str, out: Path) -> dict[str, Any]:
    """Write the pictures of a section and say what the page knows of it."""
    return {
        "slug": slug,
        "title": section.title,
        "protocol": section.group.protocol,
        "backbone": section.group.backbone,
        "total": section.total,
        "examined": section.examined,
        "notes": list(section.notes),
        "runs": [_run(section, place) for place in range(len(section.runs))],
        "images": [_image(section, example, slug, out) for example in section.examples],
    }


def _run(section: Section, place: int) -> dict[str, Any]:
    run = section.runs[place]
    levels, record = section.levels[run.entry], run.record
    return {
        "name": run.entry,
        "signature": record.signature,
        "apart": "" if record.comparable else "; ".join(record.not_comparable_because),
        "levels": [_short(value) for value in (levels.usual, levels.rare, levels.red)],
        "source": levels.source,
    }


def _image(section: Section, example: Example, slug: str, out: Path) -> dict[str, Any]:
    key = f"{FOLDER}/{slug}/{hashlib.sha256(example.path.encode()).hexdigest()[:16]}"
    picture, mask = photograph(example, section.positive)
    shown = None if picture is None else outlined(picture, mask)
    return {
        "path": example.path,
        "class": example.class_name,
        "defect": example.defect,
        "label": example.label,
        "picture": _saved(shown, f"{key}.webp", out),
        "found": list(_found(section, example, (picture, mask), key, out)),
    }


def _found(
    section: Section, example: Example, shown: tuple[Image | None, Image | None], key: str, out: Path
) -> Iterator[dict[str, Any] | None]:
    """What every run says of an image, in the order of the runs; None where a run has not seen it."""
    picture, mask = shown
    for place, run in enumerate(section.runs):
        found = example.found.get(run.entry)
        if found is None:
            yield None
            continue
        drawn = heat(run, example, section.levels[run.entry], picture)
        drawn = None if drawn is None else outlined(drawn, mask)
        yield {**_numbers(found), "map": _saved(drawn, f"{key}-{place}.webp", out)}


def _numbers(found: Finding) -> dict[str, Any]:
    measures = found.measures
    return {
        "score": _short(found.score),
        "error": None if found.error is None else round(found.error, 4),
        "missed": None if measures.missed is None else round(measures.missed, 4),
        "tags": list(measures.tags),
    }


def _saved(picture: Image | None, name: str, out: Path) -> list[Any] | None:
    """Write a picture; its path relative to the page, width and height."""
    if picture is None:
        return None
    path = out / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, encoded(picture, "WEBP", quality=QUALITY))
    return [name, picture.width, picture.height]


def _short(value: float) -> float:
    """Four digits are all that a caption shows."""
    return float(f"{value:.4g}")


REPORT = Report(write_failures)
