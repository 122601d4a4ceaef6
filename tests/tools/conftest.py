import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture(autouse=True, scope="module")
def tools_on_the_path():
    """Make the folders in `tools` importable."""
    sys.path.insert(0, str(TOOLS))
    yield
    sys.path.remove(str(TOOLS))
