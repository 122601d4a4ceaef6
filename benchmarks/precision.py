"""Compare scores and metrics in half precision with those in single precision, for the same trained parameters.

Every method is trained once, in single precision, on the auxiliary set of the target; then it scores the target in
every precision. Differences of metrics are in percentage points, means over classes, half minus single precision.

    python benchmarks/precision.py                    the generated target `demo` and the small backbone: some minutes
    python benchmarks/precision.py --target visa --backbone ViT-L-14-336 --weights openai --device cuda
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from zsadbench import run
from zsadbench.engine.machine.device import choose_device
from zsadbench.engine.plan.request import RunRequest
from zsadbench.engine.record.provenance import device_name
from zsadbench.engine.train import train_all
from zsadbench.records import Record, read_images

SHOWN = ("image_auroc", "image_ap", "pixel_auroc", "pixel_ap", "pixel_aupro")
SINGLE = "fp32"


def learn(method: str, arguments: argparse.Namespace, folder: Path) -> Path:
    """Train the method in single precision; return the path of its checkpoint."""
    request = RunRequest(
        (method,),
        (arguments.aux,),
        backbone=arguments.backbone,
        weights=arguments.weights,
        device=arguments.device,
        data_roots=tuple(arguments.data_root),
        aux=arguments.aux,
        allow_leak=True,
    )
    (event,) = train_all(request, folder)
    return Path(event["path"])


def scored(method: str, checkpoint: Path, precision: str, arguments: argparse.Namespace, folder: Path) -> Any:
    """Run the method in one precision; return the record and its image scores."""
    results = run(
        [method],
        [arguments.target],
        out=folder / precision,
        checkpoint=checkpoint,
        precision=precision,
        backbone=arguments.backbone,
        weights=arguments.weights,
        device=arguments.device,
        limit=arguments.limit or None,
        data_root=arguments.data_root,
    )
    if results.failures:
        raise SystemExit("\n".join(results.failures))
    ((path, record),) = results.records
    return record, read_images(path).set_index("path")["score"]


def compare(method: str, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Return one row per half precision."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = learn(method, arguments, folder)
        single, scores = scored(method, checkpoint, SINGLE, arguments, folder)
        rows = []
        for precision in arguments.precision.split(","):
            half, half_scores = scored(method, checkpoint, precision, arguments, folder)
            rows.append(
                {
                    "method": method,
                    "precision": precision,
                    "score_difference": float((half_scores - scores).abs().max()),
                    "score_spread": float(scores.max() - scores.min()),
                    "metrics": {metric: points(single.mean()[0], half.mean()[0], metric) for metric in SHOWN},
                    "single_class": largest_change(single, half),
                    "images": len(scores),
                    "device": device_name(choose_device(arguments.device)),
                }
            )
    return rows


def points(before: Any, after: Any, metric: str) -> float | None:
    """Return the change of a metric in percentage points; None if it is undefined."""
    if not before or not after or before.get(metric) is None or after.get(metric) is None:
        return None
    return 100 * float(after[metric] - before[metric])


def largest_change(single: Record, half: Record) -> dict[str, Any]:
    """Return the largest change of any metric of any class, with the metric and the class."""
    changes = [
        (change, metric, name)
        for name, before in single.classes.items()
        for metric in SHOWN
        if (change := points(before, half.classes[name], metric)) is not None
    ]
    change, metric, name = max(changes, key=lambda change: abs(change[0]))
    return {"points": change, "metric": metric, "class": name}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="fbclip,afclip,anomalyclip", help="names, separated by commas")
    parser.add_argument("--precision", default="bf16,fp16", help="names, separated by commas")
    parser.add_argument("--target", default="demo")
    parser.add_argument("--aux", default=None, help="default: demo-aux for demo, else mvtec")
    parser.add_argument("--backbone", default="demo")
    parser.add_argument("--weights", default=None)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--limit", type=int, default=0, help="images per label and class; 0 for all")
    parser.add_argument("--data-root", type=Path, action="append", default=[])
    parser.add_argument("--json", action="store_true", help="one JSON object per method and precision")
    arguments = parser.parse_args()
    arguments.aux = arguments.aux or ("demo-aux" if arguments.target == "demo" else "mvtec")
    for method in arguments.method.split(","):
        for row in compare(method, arguments):
            print(json.dumps(row) if arguments.json else line(row), flush=True)


def line(row: dict[str, Any]) -> str:
    changes = "   ".join(
        f"{metric} {'-' if change is None else f'{change:+.2f}'}" for metric, change in row["metrics"].items()
    )
    change = row["single_class"]
    return (
        f"{row['method']:12} {row['precision']}   "
        f"image score differs by {row['score_difference']:.4f} (range {row['score_spread']:.3f})"
        f"   {changes}   largest in one class {change['points']:+.2f} ({change['metric']}, {change['class']})"
    )


if __name__ == "__main__":
    main()
