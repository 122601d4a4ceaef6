"""What `zsadbench profile` prints: measured figures, and the tables of two papers with this machine's beside them.

Published figures come from other machines, and nobody says how they were timed: they have columns of their own, and
no ratio is ever taken over both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from zsadbench.cli.shared.output import say, table

if TYPE_CHECKING:
    import pandas as pd

Found = Sequence[dict[str, Any]]
NOT_BUILT, NOT_ASKED, NOT_MEASURED = "not built yet", "not asked for", "-"
MARK = "*"
LEFT_OUT = "* multiply-accumulates (not twice as many operations) of linear layers alone: attention is left out"
ADAPTER = "with visual tuning = Adaptor"  # AF-CLIP as it is published elsewhere


def print_profile(found: Found) -> None:
    """Print every table."""
    first = found[0]
    table(
        f"{first['backbone']}, {first['image_size']} px, {first['device_name']}, {first['scenario']}",
        [
            *("method", "precision", "batch", "ms median", "p90", "p99", "images/s", "floor ms", "to move", "tower ms"),
            *("x tower", "host MiB", "device MiB", "parameters", "trained", "GMAC", "as run", "TFLOP"),
        ],
        [_figures(one) for one in found],
    )
    stages = list(dict.fromkeys(stage for one in found for stage in one["stages"]))
    rows = [(*_named(one), *(_number(one["stages"].get(stage), 2) for stage in stages)) for one in found]
    table("milliseconds a batch, by stage", ["method", "precision", "batch", *stages], rows)
    _print_training(found)
    _print_papers(found)
    say(_timing(found))


def _named(one: dict[str, Any]) -> tuple[str, str, str]:
    return one["method"], one["precision"], str(one["batch_size"])


def _figures(one: dict[str, Any]) -> tuple[str, ...]:
    latency = one["latency_ms"]
    return (
        *_named(one),
        *(_number(latency[name], 1) for name in ("median", "p90", "p99")),
        _number(one["images_per_second"], 2),
        _number(one["floor_ms"], 1),
        _number(one["floor_memory_ms"], 1),
        _number(one["tower_ms"], 1),
        _number(one["ratio_to_tower"], 3),
        *(_number(one[name], 0) for name in ("peak_host_mib", "peak_device_mib")),
        *(_number(one[name], 0) for name in ("parameters_total", "parameters_trained")),
        *(_number(one[name], 1) for name in ("gmac", "gmac_executed")),
        _number(one["tflop"], 3),
    )


def _number(value: float | None, digits: int) -> str:
    return NOT_MEASURED if value is None else f"{value:.{digits}f}"


def _print_training(found: Found) -> None:
    learned = [one for one in found if one.get("training")]
    if not learned:
        return
    header = [
        *("method", "precision", "batch", "s a step", "s the tower", "s an epoch", "s remembered"),
        *("host MiB", "device MiB"),
    ]
    names = ("seconds_step", "seconds_tower", "seconds_epoch", "seconds_epoch_remembered")
    rows = [
        (
            *(one["method"], one["precision"], _number(one["training"]["batch"], 0)),
            *(_number(one["training"][name], 3) for name in names),
            *(_number(one["training"][name], 0) for name in ("peak_host_mib", "peak_device_mib")),
        )
        for one in learned
    ]
    table(
        "training, an epoch on the test part of MVTec AD: first with the tower, then on remembered tokens", header, rows
    )


def _print_papers(found: Found) -> None:
    from zsadbench.compare.published import read_published

    costs = read_published()
    costs = costs[(costs["target"] == "") & costs["metric"].isin(["inference_time_ms", *TUNING])]
    _print_inference(found, costs)
    _print_tuning(found, costs)


TUNING = ("learnable_params", "training_memory_MiB", "inference_time_s", "gflops", "inference_memory_GB")


def _values(costs: pd.DataFrame, source: str) -> Iterator[tuple[str, str, dict[str, float]]]:
    """(method, label, published values by name) of one paper's cost table."""
    for (method, label), rows in costs[costs["source"] == source].groupby(["method", "entry"], sort=False):
        yield str(method), str(label), dict(zip(rows["metric"], rows["value"], strict=True))


def _print_inference(found: Found, costs: pd.DataFrame) -> None:
    header = ["method", "here: ms an image", "here: host MiB", "here: device MiB", "published: ms", "published: GB"]
    rows = []
    for method, label, printed in _values(costs, "fbclip"):
        one = _of(found, method)
        here = _inference(one) if one else (_absent(method), NOT_MEASURED, NOT_MEASURED)
        rows.append(
            (label, *here, _number(printed.get("inference_time_ms"), 0), _number(printed.get("inference_memory_GB"), 1))
        )
    table("FB-CLIP (CVPR 2026), Table 13; published on an RTX 3090, batch size not stated", header, rows)


def _inference(one: dict[str, Any]) -> tuple[str, str, str]:
    return (
        _number(one["latency_ms"]["median"] / one["batch_size"], 1),
        _number(one["peak_host_mib"], 0),
        _number(one["peak_device_mib"], 0),
    )


def _print_tuning(found: Found, costs: pd.DataFrame) -> None:
    header = [
        *("visual tuning", "here: trained", "here: training MiB", "here: s an image", "here: GMAC"),
        *("published: trained", "published: training MiB", "published: s", "published: GFLOPs"),
    ]
    rows = []
    for method, label, printed in _values(costs, "afclip"):
        built = label == ADAPTER
        one = _of(found, method) if built else None
        here = _tuning(one) if one else (_absent(method) if built else NOT_BUILT, *([NOT_MEASURED] * 3))
        rows.append(
            (
                label.removeprefix("with visual tuning = "),
                *here,
                *(_number(printed.get(name), 0) for name in ("learnable_params", "training_memory_MiB")),
                _number(printed.get("inference_time_s"), 3),
                _number(printed.get("gflops"), 1) + (MARK if label in LINEAR_ALONE else ""),
            )
        )
    table(
        "AF-CLIP (ACM MM 2025), Table 5; training memory at the recipe's batch here, at batch size 1 as published",
        header,
        rows,
    )
    say(LEFT_OUT)


LINEAR_ALONE = {ADAPTER, "with visual tuning = LoRA"}  # whose sums of linear layers give the printed numbers


def _tuning(one: dict[str, Any]) -> tuple[str, ...]:
    training = one.get("training") or {}
    memory = training.get("peak_device_mib") or training.get("peak_host_mib")
    return (
        _number(one["parameters_trained"], 0),
        _number(memory, 0),
        _number(one["latency_ms"]["median"] / one["batch_size"] / 1000, 3),
        _number(one["gmac"], 1),
    )


def _of(found: Found, method: str) -> dict[str, Any] | None:
    """The first profile of a method."""
    return next((one for one in found if one["method"] == method), None)


def _absent(method: str) -> str:
    from zsadbench import registry

    return NOT_ASKED if method in registry.names("methods") else NOT_BUILT


def _timing(found: Found) -> str:
    """How it was timed, in one line."""
    shaky = [" ".join(_named(one)) for one in found if not one["warm_up"]["stable"]]
    rounds = sorted({one["rounds"] for one in found})
    said = f"{rounds[0]}" if len(rounds) == 1 else f"{rounds[0]} to {rounds[-1]}"
    line = (
        f"{said} timed {'call' if said == '1' else 'calls'} after a warm-up, from normalised images on the host to "
        "maps on the host, the tower alone in every round; drawn images; floor: the multiplications at the rate of one "
        "large product here, "
        f"{found[0]['peak_gmac_per_second']:.0f} GMAC/s; to move: weights, images and tapped tokens at the rate of one "
        f"large copy, {found[0]['peak_gb_per_second']:.0f} GB/s; multiply-accumulates in closed form, 1 GMAC = 2 GFLOP"
    )
    return line + (f"; times were still moving at the start of: {', '.join(shaky)}" if shaky else "")
