"""Write what follows from the cards into docs/methods.md and docs/methods/*.md: `python tools/method_pages`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if __name__ == "__main__":
    from method_pages.pages import fresh_pages

    for path, text in fresh_pages().items():
        path.write_text(text, encoding="utf-8")
