"""`zsadbench doctor`: is all there that zsadbench needs, and what to do where it is not."""

from __future__ import annotations

from itertools import groupby

import typer

from zsadbench.cli.shared.logs import start_logging
from zsadbench.cli.shared.options import Json, examples
from zsadbench.cli.shared.output import say, say_json

EXAMPLES = examples("zsadbench doctor", "zsadbench doctor --json")
MARKS = {"ok": "ok     ", "missing": "missing", "fault": "FAULT  "}


def doctor(json: Json = False) -> None:
    """Print versions, devices, weights, data sets, caches and permissions, and how to get what is missing.

    Exit code 1 where something is broken; what is merely missing, such as weights or a GPU, does not change it.
    """
    start_logging()
    from zsadbench.upkeep.doctor import as_json, examine

    faults = missing = 0
    for section, findings in groupby(examine(), key=lambda finding: finding.section):
        if not json:
            say(section)
        for finding in findings:
            faults += finding.state == "fault"
            missing += finding.state == "missing"
            if json:
                say_json(as_json(finding))
                continue
            say(f"  {MARKS[finding.state]}  {finding.name}: {finding.value}")
            if finding.remedy:
                say(f"           → {finding.remedy}")
    if not json:
        say(f"{faults} faults, {missing} things missing" if faults or missing else "all is there")
    if faults:
        raise typer.Exit(1)
