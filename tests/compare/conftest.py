"""Boards for the tests of comparisons."""

import numpy as np
import pandas as pd
import pytest

from zsadbench.compare import Board


@pytest.fixture
def board_with_images(make_board, make_record, tmp_path):
    """A board of methods `a` and `b` on class `x` of VisA, with random scores of the same 40 images in the sidecars."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 20)
    records = [make_record(name, "visa", {"x": 0.75}) for name in "ab"]
    for record in records:
        scores = labels + rng.normal(0, 1, 40)
        frame = pd.DataFrame({"path": [f"{n:02d}" for n in range(40)], "class": "x", "label": labels, "score": scores})
        frame.to_parquet(tmp_path / f"{record.cell['method']}.parquet")
    board = make_board(records)
    paths = [(tmp_path / f"{record.cell['method']}.json", record) for record in records]
    return Board(board.frame, paths, board.datasets)
