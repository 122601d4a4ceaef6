"""The leaderboard page `index.html`: one file that needs no server, no network and no other file.

`payload` makes the data of its scripts, `figures` the drawings that need no script; `page` puts both into the templates
of `templates/html/`. `--templates DIR` replaces a template by `DIR/html/NAME`.
"""

from zsadbench_reports.html.page import REPORT, write_html

__all__ = ["REPORT", "write_html"]
