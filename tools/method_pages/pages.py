"""The pages, with their facts between two marks; all else on a page is written by hand."""

from __future__ import annotations

from pathlib import Path

from method_pages.facts import facts_of, overview
from zsadbench import registry

DOCS = Path(__file__).resolve().parents[2] / "docs"
BEGIN, END = "<!-- made by `make method-pages` -->", "<!-- end -->"


def fresh_pages() -> dict[Path, str]:
    """Make the text of every page; a page without the marks gets them at its end."""
    cards = registry.method_cards()
    pages = sorted((DOCS / "methods").glob("*.md"))
    fresh = {
        page: placed(page.read_text(encoding="utf-8"), facts_of(registry.method_card(page.stem))) for page in pages
    }
    table = DOCS / "methods.md"
    return fresh | {table: placed(table.read_text(encoding="utf-8"), overview(cards, [page.stem for page in pages]))}


def placed(text: str, facts: str) -> str:
    """Replace what stands between the marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before.rstrip()}\n\n{BEGIN}\n\n{facts}\n\n{END}\n{after.lstrip() and f'{chr(10)}{after.lstrip()}'}"
