"""What `zsadbench profile` prints: measured figures, and the tables of two papers with the figures of this machine.

Published figures come from other machines, and how they were timed is not known: they have separate columns, and no
ratio is taken of a measured and a published figure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from zsadbench.cli.shared.output import say, table

if TYPE_CHECKING:
    import pandas as pd

Profiles = Sequence[dict[str, Any]]  # one per method, precision and batch size
NOT_BUILT, NOT_ASKED, NOT_MEASURED = "not built yet", "not asked for", "-"
MARK = "*"
LEFT_OUT = "* multiply-accumulates (operations are twice as many) of linear layers alone: attention is left out"
ADAPTER = "with visual tuning = Adaptor"  # the row that is the published AF-CLIP


def print_profile(profiles: Profiles) -> None:
    """Print measured figures, stages, training, the tables of two papers, and how it was timed."""
    first, measured = profiles[0], profiles
    where = f"{first['backbone']}, {first['image_size']} px"
    if len({profile["backbone"] for profile in profiles}) > 1:
        profiles, where = (
            [{**profile, "method": _on_its_backbone(profile)} for profile in profiles],
            "several backbones",
        )
    table(
        f"{where}, {first['device_name']}, {first['scenario']}",
        [
            *("method", "precision", "batch", "ms median", "p90", "p99", "images/s"),
            *(
                "lower bound ms",
                "memory ms",
                "tower ms",
                "x tower",
                "host MiB",
                "device MiB",
                "parameters",
                "trained",
                "GMAC",
                "as run",
                "TFLOP",
            ),
        ],
        [_figures(profile) for profile in profiles],
    )
    stages = list(dict.fromkeys(stage for profile in profiles for stage in profile["stages"]))
    rows = [(*_named(profile), *(_number(profile["stages"].get(stage), 2) for stage in stages)) for profile in profiles]
    table("milliseconds per batch, by stage", ["method", "precision", "batch", *stages], rows)
    _print_training(profiles)
    _print_papers(measured)
    say(_timing(profiles))


def _on_its_backbone(profile: dict[str, Any]) -> str:
    """Name a method with the backbone that it was measured on, where there are several."""
    return f"{profile['method']} on {profile['backbone']} ({profile['kind']}), {profile['image_size']} px"


def _named(profile: dict[str, Any]) -> tuple[str, str, str]:
    return profile["method"], profile["precision"], str(profile["batch_size"])


def _figures(profile: dict[str, Any]) -> tuple[str, ...]:
    latency = profile["latency_ms"]
    return (
        *_named(profile),
        *(_number(latency[name], 1) for name in ("median", "p90", "p99")),
        _number(profile["images_per_second"], 2),
        _number(profile["floor_ms"], 1),
        _number(profile["floor_memory_ms"], 1),
        _number(profile["tower_ms"], 1),
        _number(profile["ratio_to_tower"], 3),
        *(_number(profile[name], 0) for name in ("peak_host_mib", "peak_device_mib")),
        *(_number(profile[name], 0) for name in ("parameters_total", "parameters_trained")),
        *(_number(profile[name], 1) for name in ("gmac", "gmac_executed")),
        _number(profile["tflop"], 3),
    )


def _number(value: float | None, digits: int) -> str:
    return NOT_MEASURED if value is None else f"{value:.{digits}f}"


def _print_training(profiles: Profiles) -> None:
    learned = [profile for profile in profiles if profile.get("training")]
    if not learned:
        return
    header = [
        *("method", "precision", "batch", "s per step", "s of the tower", "s per epoch", "s with cached tokens"),
        *("host MiB", "device MiB"),
    ]
    names = ("seconds_step", "seconds_tower", "seconds_epoch", "seconds_epoch_remembered")
    rows = [
        (
            f"{profile['method']}, {cost['stage']}" if cost["stage"] else profile["method"],
            *(profile["precision"], _number(cost["batch"], 0)),
            *(_number(cost[name], 3) for name in names),
            *(_number(cost[name], 0) for name in ("peak_host_mib", "peak_device_mib")),
        )
        for profile in learned
        for cost in (*profile["training_before"], profile["training"])
    ]
    table("training for one epoch on the test images of MVTec AD: with the tower, and on cached tokens", header, rows)


def _print_papers(profiles: Profiles) -> None:
    from zsadbench.compare.published import read_published

    costs = read_published()
    costs = costs[(costs["target"] == "") & costs["metric"].isin(["inference_time_ms", *TUNING])]
    _print_inference(profiles, costs)
    _print_tuning(profiles, costs)


TUNING = ("learnable_params", "training_memory_MiB", "inference_time_s", "gflops", "inference_memory_GB")


def _values(costs: pd.DataFrame, source: str) -> Iterator[tuple[str, str, dict[str, float]]]:
    """Yield (method, label, published values by name) of the cost table of one paper."""
    for (method, label), rows in costs[costs["source"] == source].groupby(["method", "entry"], sort=False):
        yield str(method), str(label), dict(zip(rows["metric"], rows["value"], strict=True))


def _print_inference(profiles: Profiles, costs: pd.DataFrame) -> None:
    header = ["method", "here: ms per image", "here: host MiB", "here: device MiB", "published: ms", "published: GB"]
    rows = []
    for method, label, printed in _values(costs, "fbclip"):
        profile = _of(profiles, method)
        here = _inference(profile) if profile else (_absent(method), NOT_MEASURED, NOT_MEASURED)
        rows.append(
            (label, *here, _number(printed.get("inference_time_ms"), 0), _number(printed.get("inference_memory_GB"), 1))
        )
    table("FB-CLIP (CVPR 2026), Table 13; published on an RTX 3090, batch size not stated", header, rows)


def _inference(profile: dict[str, Any]) -> tuple[str, str, str]:
    return (
        _number(profile["latency_ms"]["median"] / profile["batch_size"], 1),
        _number(profile["peak_host_mib"], 0),
        _number(profile["peak_device_mib"], 0),
    )


def _print_tuning(profiles: Profiles, costs: pd.DataFrame) -> None:
    header = [
        *("visual tuning", "here: trained", "here: training MiB", "here: s per image", "here: GMAC"),
        *("published: trained", "published: training MiB", "published: s", "published: GFLOPs"),
    ]
    rows = []
    for method, label, printed in _values(costs, "afclip"):
        built = label == ADAPTER
        profile = _of(profiles, method) if built else None
        here = _tuning(profile) if profile else (_absent(method) if built else NOT_BUILT, *([NOT_MEASURED] * 3))
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


LINEAR_ALONE = {ADAPTER, "with visual tuning = LoRA"}  # the printed numbers are sums over linear layers


def _tuning(profile: dict[str, Any]) -> tuple[str, ...]:
    training = profile.get("training") or {}
    memory = training.get("peak_device_mib") or training.get("peak_host_mib")
    return (
        _number(profile["parameters_trained"], 0),
        _number(memory, 0),
        _number(profile["latency_ms"]["median"] / profile["batch_size"] / 1000, 3),
        _number(profile["gmac"], 1),
    )


def _of(profiles: Profiles, method: str) -> dict[str, Any] | None:
    """Return the first profile of a method."""
    return next((profile for profile in profiles if profile["method"] == method), None)


def _absent(method: str) -> str:
    from zsadbench import registry

    return NOT_ASKED if method in registry.names("methods") else NOT_BUILT


def _timing(profiles: Profiles) -> str:
    """Say in one line how it was timed."""
    unstable = [" ".join(_named(profile)) for profile in profiles if not profile["warm_up"]["stable"]]
    rounds = sorted({profile["rounds"] for profile in profiles})
    count = f"{rounds[0]}" if len(rounds) == 1 else f"{rounds[0]} to {rounds[-1]}"
    products, copies = profiles[0]["peak_gmac_per_second"], profiles[0]["peak_gb_per_second"]
    line = (
        f"{count} timed {'call' if count == '1' else 'calls'} after a warm-up, from normalised images on the host to "
        "maps on the host, the tower alone in every round; synthetic images; lower bound: all multiplications at the "
        f"rate of one large product here, {products:.0f} GMAC/s; memory: weights, images and tapped tokens at the rate "
        f"of one large copy, {copies:.0f} GB/s; multiply-accumulates in closed form, 1 GMAC = 2 GFLOP"
    )
    return line + (f"; times were not yet stable at the start of: {', '.join(unstable)}" if unstable else "")
