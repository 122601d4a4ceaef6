"""Logging of the command line: warnings on stderr, and a log file per run."""

from __future__ import annotations

import logging
import os
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

from zsadbench.files import remove_leftovers
from zsadbench.printing import one_line

PROGRESS = "zsadbench.run"  # the logger of progress


class OneLine(logging.Formatter):
    """A formatter that writes each entry on one line, escaping control characters in names."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        """Format the entry without its traceback, which has several lines."""
        return one_line(super().formatMessage(record))


def start_logging(*, quiet: bool = False, verbose: bool = False) -> None:
    """Log warnings to stderr; with `verbose` everything, with `quiet` errors only."""
    level = logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, stream=sys.stderr, force=True)
    for screen in logging.getLogger().handlers:
        screen.setFormatter(OneLine("%(levelname)s: %(message)s"))
    logging.addLevelName(logging.WARNING, "warning")
    logging.addLevelName(logging.INFO, "info")
    logging.addLevelName(logging.ERROR, "error")


def start_log_file(out: Path) -> Path:
    """Log everything from now on to a new file in `out/logs`, too, and return its path.

    What runs that were killed left unfinished below `out` is removed.
    """
    for parent, _, _ in os.walk(out):
        remove_leftovers(Path(parent))
    folder = out / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"run-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.log"
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    for screen in logging.getLogger().handlers:
        screen.setLevel(logging.getLogger().level)
        screen.addFilter(lambda entry: entry.name != PROGRESS)  # the screen has the bars
    logging.getLogger().setLevel(logging.INFO)
    logging.getLogger("zsadbench.engine").setLevel(logging.DEBUG)  # tracebacks of methods, in the file alone
    logging.getLogger().addHandler(handler)
    logging.getLogger(__name__).info("%s", shlex.join(sys.argv))
    return path
