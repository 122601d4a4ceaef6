"""Pinned outputs: small results stored beside the version of the code that made them."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parent


@pytest.fixture
def check_pinned():
    """`check_pinned(name, version, values)` compares small outputs with those stored for this version.

    `ZSADBENCH_PIN=1` stores them instead: after a version was changed because its results change.
    """

    def check(name, version, values):
        file = FOLDER / f"{name}.json"
        rounded = {key: [round(float(value), 6) for value in np.ravel(found)] for key, found in values.items()}
        if os.environ.get("ZSADBENCH_PIN"):
            file.write_text(json.dumps({"version": version, "values": rounded}, indent=1) + "\n")
        pinned = json.loads(file.read_text())
        assert pinned["version"] == version, f"{file.name} was made by another version: store it with ZSADBENCH_PIN=1"
        assert pinned["values"].keys() == rounded.keys()
        for key, expected in pinned["values"].items():
            assert np.allclose(rounded[key], expected, rtol=0, atol=1e-4), f"{name}: {key} changed, its version did not"

    return check
