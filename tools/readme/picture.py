"""Take a picture of the HTML report with a browser."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from zsadbench.compare import board_of
from zsadbench.registry import load

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SIZE = "1280,1110"
METRIC = "pixel_auroc"  # that the page shows


def photograph(records: Sequence[Path], picture: Path) -> None:
    """Write the HTML report of these records to a temporary folder, and a PNG of its top to `picture`.

    Raises:
        SystemExit: there is no browser, or it failed.
    """
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        raise SystemExit(f"no browser to take the picture with; install one of {', '.join(BROWSERS)}")
    with tempfile.TemporaryDirectory() as folder:
        for record in records:
            copy = Path(folder, "results", *record.parts[-3:])
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(record, copy)
        load("reports", "html").write(board_of(Path(folder, "results")), Path(folder), None)
        taken = Path(folder) / "page.png"
        page = f"{(Path(folder) / 'index.html').as_uri()}#metric={METRIC}"
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={SIZE}"]
        command = [browser, *flags, f"--screenshot={taken}", page]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode or not taken.is_file():
            raise SystemExit(f"{browser} took no picture: {done.stderr[-500:]}")
        shutil.copyfile(taken, picture)
