"""Remarks on a record: files that were not read, unusual masks, regions that vanish; what authors of maps declare."""

from __future__ import annotations

from zsadbench.printing import blank_masks_line, left_out_line
from zsadbench.records.hashes import Cell
from zsadbench.records.record import Record


def data_remarks(record: Record) -> list[str]:
    """One line for each remark on the data behind the finished classes of a record."""
    return [*_left_out(record), *record.provenance.get("data_warnings", ()), *_vanished(record)]


def declared_text(cell: Cell) -> str:
    """What the authors of external maps declare, in one line."""
    facts, aux = cell["declared"], cell["aux"]
    paper = facts.get("paper", {})
    published = ", ".join(str(paper[name]) for name in ("title", "venue", "year", "url") if name in paper)
    code = facts.get("code", "")
    told = [
        f"trained on {aux['name']}" if aux else "training-free",
        f"weights {facts['weights']}",
        f"input {facts['image_size']} px",
        published or "no paper declared",
        f"code {code}" + (f" @ {facts['commit'][:12]}" if "commit" in facts else "") if code else "no code declared",
    ]
    return f"declared by its authors: {'; '.join(told)}"


def _left_out(record: Record) -> list[str]:
    of_set = record.provenance.get("data_left_out") or {}
    number = max(of_set.get("number", 0), _sum(record, "left_out"))
    return [left_out_line(number, of_set.get("first", ""))] if number else []


def _vanished(record: Record) -> list[str]:
    """A line on masks that are blank at the evaluated size, and on regions of other masks that vanish at it."""
    emptied, lost = _sum(record, "masks_emptied"), _sum(record, "regions_lost")
    if not emptied and not lost:
        return []
    regions = f"{lost} of {_sum(record, 'regions_native')} regions vanish" if lost else ""
    return [blank_masks_line(emptied, _sum(record, "anomalous"), record.cell["image_size"], regions)]


def _sum(record: Record, count: str) -> int:
    return sum(record.counts.get(name, {}).get(count, 0) for name in record.classes)
