"""The hook of `mkdocs.yml`: adds the generated pages and makes links of the repository's pages work on the site."""

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mkdocs.structure.files import File

from doc_site.links import Links
from doc_site.reference import pages

logging.getLogger("zsadbench").addHandler(logging.StreamHandler())  # what code says while it is read is seen
TOP = Path(__file__).resolve().parents[2]
links = Links(TOP)


def on_files(files, config):
    """Add the pages at the root of the repository, the reference, and the files that pages link to."""
    for source, page in links.root_pages.items():
        text = (TOP / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=links.rewritten(text, source)))
    for page, text in pages().items():
        files.append(File.generated(config, page, content=text))
    for source, name in sorted(links.linked_files()):
        files.append(File.generated(config, name, content=(TOP / source).read_bytes()))
    return files


def on_page_markdown(markdown, page, config, files):
    """Rewrite the links of pages in `docs`."""
    source = page.file.abs_src_path
    if source and Path(source).is_relative_to(TOP / "docs"):
        return links.rewritten(markdown, str(Path(source).relative_to(TOP)))
    return markdown
