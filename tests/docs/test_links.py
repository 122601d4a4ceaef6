"""Links of the pages: other pages and files exist, anchors are headings, addresses are well formed."""

import re
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

TOP = Path(__file__).resolve().parents[2]
SKIPPED = {".venv", "site", ".git", "results", "node_modules"}
PAGES = [path for path in sorted(TOP.rglob("*.md")) if not SKIPPED & set(path.relative_to(TOP).parts)]
FENCE = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)|<(https?://[^>\s]+)>")


def prose(page):
    """The text of a page without its blocks and inline code."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text(encoding="utf-8")))


def anchors(text):
    """The anchors of the headings of a page, as code hosts make them.

    >>> sorted(anchors("# One GPU, eight GPUs\\n## `run`\\n## `run`"))
    ['one-gpu-eight-gpus', 'run', 'run-1']
    """
    seen, found = Counter(), set()
    for heading in re.findall(r"^#{1,6} (.+)$", FENCE.sub("", text), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).strip().replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def links(page):
    return [inside or outside for inside, outside in LINK.findall(prose(page))]


def fault(page, link):
    """What is wrong with a link of a page; empty if nothing is."""
    parts = urlsplit(link)
    if parts.scheme:
        good = parts.scheme in {"https", "http", "mailto"} and (parts.scheme == "mailto" or "." in parts.netloc)
        return "" if good else "no well-formed address"
    target = (page.parent / parts.path).resolve() if parts.path else page
    if not target.exists():
        return "no such file"
    if not target.is_relative_to(TOP):
        return "outside of the repository"
    if parts.fragment and parts.fragment not in anchors(target.read_text(encoding="utf-8")):
        return f"no heading '{parts.fragment}'"
    return ""


def test_every_link_leads_somewhere():
    every = [(page, link) for page in PAGES for link in links(page)]
    assert len(every) > 100
    assert [f"{page.relative_to(TOP)}: {link}: {why}" for page, link in every if (why := fault(page, link))] == []


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ("docs/no-such-page.md", "no such file"),
        ("docs/metrics.md#no-such-heading", "no heading 'no-such-heading'"),
        ("https://", "no well-formed address"),
        ("docs/metrics.md#segf1", ""),
        ("https://example.org/page#part", ""),
    ],
)
def test_a_wrong_link_is_a_fault(link, why):
    assert fault(TOP / "README.md", link) == why
