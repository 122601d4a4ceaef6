"""Print how many commands and snippets of the documentation are executed, substituted and parsed, page by page."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

TOP = Path(__file__).resolve().parents[2]

if __name__ == "__main__":
    from doc_commands.classes import classed
    from doc_commands.table import Table

    counts: dict[str, Counter[str]] = {}
    for page, kind in classed(TOP, Table(TOP / "tests" / "docs" / "substitutions.toml")):
        counts.setdefault(page, Counter())[kind] += 1
    kinds = ("executed", "substituted", "parsed")
    for page, of_page in counts.items():
        print(f"{page:40}", *(f"{of_page[kind]:4} {kind}" for kind in kinds if of_page[kind]))
    total = sum(counts.values(), Counter())
    print(", ".join(f"{kind} {total[kind]}" for kind in kinds))
