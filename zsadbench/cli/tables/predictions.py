"""What `predict` prints: an event per image, or the table of all."""

from __future__ import annotations

from collections.abc import Iterable
from os.path import commonpath
from pathlib import Path
from typing import TYPE_CHECKING

from zsadbench.cli.shared.output import say, say_json, table, tell
from zsadbench.printing import score_text

if TYPE_CHECKING:
    from zsadbench.predict.limits import Limits
    from zsadbench.predict.prediction import Prediction


def report_prediction(prediction: Prediction, limits: Limits, *, json: bool) -> None:
    """Say what failed; with `json` print the image's event."""
    if prediction.failure:
        tell(f"error: {prediction.failure}")
    elif json and prediction.score is not None:
        region = prediction.region
        say_json(
            {
                "event": "image",
                "path": str(prediction.image),
                "score": prediction.score,
                "verdict": limits.verdict(prediction.score) or None,
                "threshold": limits.image,
                "highest": prediction.highest,
                "box": list(region[:4]) if region else None,
                "box_area": region.box_area if region else None,
                "peak": [region.peak_x, region.peak_y] if region else None,
                "class": prediction.word,
                "seconds": prediction.seconds,
                "heat_map": str(prediction.heat_map),
                "scale": prediction.scale,
            }
        )


def print_predictions(predictions: Iterable[Prediction], out: Path, limits: Limits) -> None:
    """Print one row per scored image, the most anomalous first, and where the rest is."""
    from zsadbench.predict.prediction import ranked

    scored = ranked(predictions)
    if not scored:
        return
    folder = Path(commonpath([prediction.image.absolute().parent for prediction in scored]))
    rows = [
        (
            score_text(prediction.score or 0.0),
            score_text(prediction.highest or 0.0),
            limits.verdict(prediction.score or 0.0) or "-",
            str(prediction.image.absolute().relative_to(folder)),
        )
        for prediction in scored
    ]
    kept = [0, 1, 2, 3] if limits.image is not None else [0, 1, 3]
    header = ["score", "highest", "verdict", "image"]
    title = f"most anomalous first, below {folder}"
    table(title, [header[place] for place in kept], [[row[place] for place in kept] for row in rows])
    scale = scored[0].scale
    if scale is not None:
        say(f"colours: {scale.text}")
    if limits.image is not None:
        above = sum(row[2] == "anomalous" for row in rows)
        say(f"{above} of {len(rows)} images are above the threshold {limits.image:g}")
    say(f"page: {out / 'index.html'}; heat maps and scores.csv: {out}")
