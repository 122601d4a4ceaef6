"""Links between pages of the repository, as links between pages of the site."""

import os
import re
from pathlib import Path, PurePosixPath

ROOT_PAGES = {"README.md": "index.md"} | {
    f"{name}.md": f"project/{name.lower()}.md" for name in ("CONTRIBUTING", "SECURITY", "CHANGELOG")
}
LINK = re.compile(r"(\]\()([^)\s#:]+)((?:#[^)\s]*)?\))")
FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


class Links:
    """Links of the pages of a repository at `top`.

    A page in `docs` keeps its place on the site; pages at the root are in `root_pages`, every other file lies below
    `files/`.
    """

    root_pages = ROOT_PAGES

    def __init__(self, top: Path) -> None:
        self.top = top

    def place(self, source: str) -> str:
        """The path on the site of a file of the repository."""
        if source in ROOT_PAGES:
            return ROOT_PAGES[source]
        return source.removeprefix("docs/") if source.startswith("docs/") else f"files/{source}"

    def rewritten(self, text: str, source: str) -> str:
        """The text of the page `source` with its links to files as they are on the site; code stays."""
        parts = FENCE.split(text)
        parts[::2] = [LINK.sub(lambda found: self._moved(found, source), part) for part in parts[::2]]
        return "".join(parts)

    def _moved(self, found: re.Match[str], source: str) -> str:
        target = os.path.normpath(PurePosixPath(source).parent / found[2])
        if not (self.top / target).is_file():  # mkdocs says so, or it is a generated page
            return found[0]
        here = PurePosixPath(self.place(source)).parent
        return f"{found[1]}{os.path.relpath(self.place(target), here)}{found[3]}"

    def linked_files(self) -> set[tuple[str, str]]:
        """The files outside of `docs` that pages link to and that are no pages: path in the repository, on the site."""
        found = set()
        for page in (*(self.top / name for name in ROOT_PAGES), *(self.top / "docs").rglob("*.md")):
            text = "".join(FENCE.split(page.read_text(encoding="utf-8"))[::2])
            for link in LINK.findall(text):
                target = os.path.normpath(page.relative_to(self.top).parent / link[1])
                if (self.top / target).is_file() and self.place(target).startswith("files/"):
                    found.add((target, self.place(target)))
        return found
