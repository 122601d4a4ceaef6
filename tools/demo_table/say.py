"""What `make demo` prints: the table by class, the rows beside it, the files, and the next command."""

from __future__ import annotations

from pathlib import Path

from demo_table.page import NOT_CLIP
from demo_table.runs import RESULT, Done
from demo_table.strips import write_strips
from demo_table.tables import by_class, means
from zsadbench.cli.shared.output import table

NEXT = ".venv/bin/zsadbench run --method anomalyclip --target demo"


def say(done: Done, out: Path) -> None:
    """Print the tables, write three heat maps beside the records, and print where everything lies.

    Args:
        done: the runs.
        out: the folder of the records.
    """
    records = {entry.label: [record for _, record in results.records] for entry, results in done}
    classes, rows = by_class(records[RESULT]), means(records)
    table(f"{RESULT} by class, percent ({NOT_CLIP})", classes.header, classes.rows)
    table(f"beside it, mean over classes, percent ({NOT_CLIP})", rows.header, rows.rows)
    path = next(results.records[0][0] for entry, results in done if entry.label == RESULT)
    print(f"record:        {path}")
    print(f"anomaly maps:  {path.with_suffix('.maps')}")
    print("heat maps:     " + "\n               ".join(map(str, write_strips(path, RESULT, out.parent / "heat-maps"))))
    print(f"try next:      {NEXT}")
