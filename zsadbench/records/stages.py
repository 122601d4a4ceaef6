"""The stages of a run, as the costs of a record name them."""

from __future__ import annotations

STAGES = ("load", "tower", "head", "map", "metrics")
"""Loading images, image encoder, method, anomaly maps, metrics: the keys of `seconds` in a record's `cost`."""

FORWARD_STAGES = ("tower", "head", "map")
"""The stages from loaded images to anomaly maps; they run on the device."""
