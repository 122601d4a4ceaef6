"""Pictures of stages: principal components, differences of cosines, and stages without a picture."""

import numpy as np
import pytest
import torch

from zsadbench.predict.stages import components, stages_of, towards_abnormal
from zsadbench.registry import method_card
from zsadbench.types import StageNote


def test_components_are_the_same_for_turned_and_flipped_vectors():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(25, 8)) * [9, 5, 3, 1, 1, 1, 1, 1]
    vectors[3] += 40 * np.eye(8)[0]
    turned = vectors @ np.linalg.qr(rng.normal(size=(8, 8)))[0]
    plain = components(vectors.astype(np.float32)).astype(int)
    assert np.abs(plain - components(turned.astype(np.float32))).max() <= 1
    assert np.abs(plain - components(-vectors.astype(np.float32))).max() <= 1
    assert plain[0, 3, 0] == 255, "the rare side is bright"


def test_constant_vectors_are_mid_grey_and_narrow_ones_have_fewer_components():
    assert (components(np.ones((9, 4), np.float32)) == 128).all()
    assert (components(np.arange(9, dtype=np.float32)[:, None])[..., 1:] == 128).all()


def test_the_difference_of_cosines_has_its_sign():
    text = np.eye(3, dtype=np.float32)[:2]  # normal, abnormal
    vectors = np.array([[5, 0, 0], [0, 2, 0], [0, 0, 1], [1, 1, 0]], np.float32)
    assert towards_abnormal(vectors, text) == pytest.approx(np.array([[-1, 1], [0, 0]]))


def test_a_stage_without_a_note_is_listed_and_drawn_only_where_its_method_has_none():
    found = {"extra": torch.arange(9.0)[None], "odd": torch.zeros(1, 7), "score": torch.zeros(1)}
    found |= {"map": torch.zeros(1, 12, 12), "bad": torch.full((1, 9), torch.nan)}
    drawn = {one.name: one for one in stages_of(found, method_card("clip"), 3, (0.0, 1.0))}
    assert drawn["extra"].panels
    assert "own range" in drawn["extra"].note.title
    assert [drawn[name].undrawn for name in ("odd", "bad")] == [
        "its method has no note on it",
        "it has values that are not finite",
    ]
    listed = {one.name: one for one in stages_of(found, method_card("fbclip"), 3, (0.0, 1.0))}
    assert (listed["extra"].panels, listed["extra"].undrawn) == ((), "its method has no note on it")


def test_a_note_that_does_not_fit_is_said():
    card = method_card("fbclip")
    found = {"fb_gate_l01_id": torch.zeros(1, 7)}
    (stage,) = stages_of(found, card, 3, (0.0, 1.0))
    assert "no grid of 3 × 3" in stage.undrawn
    assert isinstance(stage.note, StageNote)


def test_the_map_comes_first_on_the_scale_of_the_call():
    card = method_card("fbclip")
    found = {"foreground_score": torch.zeros(2, 9), "map_grid": torch.full((1, 3, 3), 0.5)}
    found |= {"map": torch.full((1, 12, 12), 0.5)}
    stages = stages_of(found, card, 3, (0.4, 0.5))
    assert [one.name for one in stages][:2] == ["map", "map_grid"]
    for stage in stages[:2]:
        assert (stage.note.low, stage.note.high) == (0.4, 0.5)
        assert (stage.panels[0].colours == (196, 22, 28)).all(), "the high end is red"
