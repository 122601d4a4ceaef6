"""The leaderboard as `index.html`: one file that needs no server, no network and no other file.

`payload` is what its scripts read, `figures` what needs no script, `page` puts both into the templates of
`templates/html/`, which `--templates DIR` replaces by `DIR/html/NAME`.
"""

from zsadbench_reports.html.page import REPORT, write_html

__all__ = ["REPORT", "write_html"]
