"""Measure what each part of a method takes, inside the encoders and after them, beside the plain image tower.

The named parts are timed within whole calls of a method on random images, so that nothing is computed that the method
does not compute; they are contained in `encoding` or `head`. CPU seconds on a CPU, which may be shared; random weights.

    python benchmarks/parts.py                 a quick look: 266 pixels, some minutes on two cores
    python benchmarks/parts.py --size 518
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from statistics import median
from time import process_time
from typing import Any

import torch
from torch.nn import Module

from zsadbench import load_method
from zsadbench.clip import resolve
from zsadbench.engine.encode.encoders import make_encoder
from zsadbench.engine.machine.timing import wait_for
from zsadbench.engine.plan.method_setup import taps_of
from zsadbench.engine.record.provenance import device_name
from zsadbench.profile.lower_bound import peak_gmac_per_second
from zsadbench.types import Taps

PARTS: dict[str, dict[str, str]] = {  # method → name of a part → attribute of the detector that computes it
    "fbclip": {},
    "afclip": {},
    "anomalyclip": {},
    "aprilgan": {},
    "faprompt": {"sentences": "abnormal_features"},
    "winclip": {},
    "adaclip": {"sentences": "encode_texts", "k-means": "cluster"},
    "aaclip": {},
    "promptad": {},
    "mfpclip": {"ResNet-50": "resnet", "sentences": "text_features", "passes": "run_pass", "maps": "maps"},
}
WINCLIP = "ViT-B-16-plus-240"  # the backbone that WinCLIP's paper uses


class Timed:
    """CPU seconds of some parts of a method and of its calls, while they run on a device."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.seconds = device, dict[str, float]()

    def wrap(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return the call with its seconds added up under a name."""

        def timed(*arguments: Any, **named: Any) -> Any:
            wait_for(self.device)
            start = process_time()
            result = call(*arguments, **named)
            wait_for(self.device)
            self.seconds[name] = self.seconds.get(name, 0.0) + process_time() - start
            return result

        return timed


def measure(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return CPU seconds per image of the tower, of the encoding, of the head, and of every named part."""
    backbone, size = (WINCLIP, 240) if name == "winclip" else (arguments.backbone, arguments.size)
    loaded = load_method(name, backbone, "random", device=arguments.device, image_size=size)
    device, detector, timed = loaded.backbone.device, loaded.method, Timed(torch.device(arguments.device))
    for part, attribute in PARTS[name].items():
        owner, call = detector, attribute
        if isinstance(getattr(detector, attribute), Module):
            owner, call = getattr(detector, attribute), "forward"
        setattr(owner, call, timed.wrap(part, getattr(owner, call)))
    images = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0)).to(device)
    encode = timed.wrap("encoding", make_encoder(loaded.setup, loaded.backbone, detector))
    score, taps = timed.wrap("head", detector.score), taps_of(loaded.setup)
    plain = Taps((24,), taps.activation, taps.position)
    tower = timed.wrap("tower alone", lambda: loaded.backbone.vision(images, plain))
    rounds = []
    for _ in range(1 + arguments.rounds):  # the first one builds the encoders and caches texts
        timed.seconds = {}
        tower()
        score(encode(images, ["object"]), ["object"])
        rounds.append(timed.seconds)
    seconds = {part: median(one[part] for one in rounds[1:]) for part in rounds[-1]}
    macs = loaded.setup.method.card.macs(resolve(backbone, "random").config, detector.options, loaded.backbone.grid)
    return {
        "method": name,
        "backbone": backbone,
        "size": size,
        "seconds": seconds,
        "gmac_encoding": None if macs.tower is None else macs.tower / 1e9,
        "gmac_head": sum(macs.executed.values()) / 1e9,
        "peak_gmac_per_second": peak_gmac_per_second(device, torch.float32),
        "threads": torch.get_num_threads(),
        "device": device_name(device),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=sorted(PARTS), action="append", help="repeatable; default: all of them")
    parser.add_argument("--backbone", default="ViT-L-14-336", help="of all methods but WinCLIP")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--size", type=int, default=266)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object per method")
    arguments = parser.parse_args()
    with torch.inference_mode():
        for name in arguments.method or PARTS:
            result = measure(name, arguments)
            if arguments.json:
                print(json.dumps(result), flush=True)
                continue
            tower = result["seconds"]["tower alone"]
            shown = "   ".join(f"{part} {spent:.3f} s" for part, spent in result["seconds"].items())
            whole = (result["seconds"]["encoding"] + result["seconds"]["head"]) / tower
            print(f"{name:12} {whole:4.1f} × tower   {shown}", flush=True)


if __name__ == "__main__":
    main()
