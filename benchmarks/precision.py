"""What half precision changes: scores and metrics of the same trained parameters, beside those in single precision.

Every method is trained once, in single precision, on the auxiliary set of the target; then it scores the target at
every precision. Differences of metrics are in points of the percentages, means over classes, half less single.

    python benchmarks/precision.py                    the drawn target `demo` and the small backbone: some minutes
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


def learn(method: str, asked: argparse.Namespace, folder: Path) -> Path:
    """A checkpoint of the method, trained in single precision."""
    request = RunRequest(
        (method,),
        (asked.aux,),
        backbone=asked.backbone,
        weights=asked.weights,
        device=asked.device,
        data_roots=tuple(asked.data_root),
        aux=asked.aux,
        allow_leak=True,
    )
    (event,) = train_all(request, folder)
    return Path(event["path"])


def scored(method: str, checkpoint: Path, precision: str, asked: argparse.Namespace, folder: Path) -> Any:
    """The record and its image scores at one precision."""
    results = run(
        [method],
        [asked.target],
        out=folder / precision,
        checkpoint=checkpoint,
        precision=precision,
        backbone=asked.backbone,
        weights=asked.weights,
        device=asked.device,
        limit=asked.limit or None,
        data_root=asked.data_root,
    )
    if results.failures:
        raise SystemExit("\n".join(results.failures))
    ((path, record),) = results.records
    return record, read_images(path).set_index("path")["score"]


def beside(method: str, asked: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a half precision."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = learn(method, asked, folder)
        exact, scores = scored(method, checkpoint, SINGLE, asked, folder)
        rows = []
        for precision in asked.precision.split(","):
            record, rough = scored(method, checkpoint, precision, asked, folder)
            rows.append(
                {
                    "method": method,
                    "precision": precision,
                    "score_difference": float((rough - scores).abs().max()),
                    "score_spread": float(scores.max() - scores.min()),
                    "metrics": {metric: points(exact.mean()[0], record.mean()[0], metric) for metric in SHOWN},
                    "single_class": largest(exact, record),
                    "images": len(scores),
                    "device": device_name(choose_device(asked.device)),
                }
            )
    return rows


def points(before: Any, after: Any, metric: str) -> float | None:
    """By how many points a metric changes; None where it is undefined."""
    if not before or not after or before.get(metric) is None or after.get(metric) is None:
        return None
    return 100 * float(after[metric] - before[metric])


def largest(exact: Record, rough: Record) -> dict[str, Any]:
    """The largest change of any metric of any class, and where it is."""
    found = [
        (change, metric, name)
        for name, before in exact.classes.items()
        for metric in SHOWN
        if (change := points(before, rough.classes[name], metric)) is not None
    ]
    change, metric, name = max(found, key=lambda one: abs(one[0]))
    return {"points": change, "metric": metric, "class": name}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="fbclip,afclip,anomalyclip", help="a comma list")
    parser.add_argument("--precision", default="bf16,fp16", help="a comma list")
    parser.add_argument("--target", default="demo")
    parser.add_argument("--aux", default=None, help="default: demo-aux for demo, else mvtec")
    parser.add_argument("--backbone", default="demo")
    parser.add_argument("--weights", default=None)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--limit", type=int, default=0, help="images a label and class; 0 for all")
    parser.add_argument("--data-root", type=Path, action="append", default=[])
    parser.add_argument("--json", action="store_true", help="one JSON object a method and precision")
    asked = parser.parse_args()
    asked.aux = asked.aux or ("demo-aux" if asked.target == "demo" else "mvtec")
    for method in asked.method.split(","):
        for row in beside(method, asked):
            print(json.dumps(row) if asked.json else line(row), flush=True)


def line(row: dict[str, Any]) -> str:
    changes = "   ".join(
        f"{metric} {'-' if change is None else f'{change:+.2f}'}" for metric, change in row["metrics"].items()
    )
    one = row["single_class"]
    return (
        f"{row['method']:12} {row['precision']}   "
        f"image score {row['score_difference']:.4f} of {row['score_spread']:.3f}"
        f"   {changes}   a single class {one['points']:+.2f} ({one['metric']}, {one['class']})"
    )


if __name__ == "__main__":
    main()
