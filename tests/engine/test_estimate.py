"""The estimate before a run counts shared work once and cached work not at all."""

import pytest

from zsadbench.clip.macs import image_macs
from zsadbench.data import load_dataset
from zsadbench.engine import estimate
from zsadbench.engine.estimate import HEAD_SHARE, STEP_SHARE, estimate_seconds, seconds_for
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.run import run_plan

THREE = ("fbclip", "anomalyclip", "afclip")


@pytest.fixture
def images(request_for, monkeypatch):
    """`images(**changes)`: the estimate for the request of `request_for`, as a number of encoded images."""
    monkeypatch.setattr(estimate, "_seconds", lambda macs: macs)

    def count(**changes):
        plan = make_plan(request_for(**{"image_size": 28, **changes}))
        setup = plan.jobs[0].setup
        return estimate_seconds(plan) / image_macs(setup.spec.config.vision, 28)

    return count


@pytest.fixture
def aux(mini):
    """The number of images of the auxiliary set."""
    return len(load_dataset("colondb", [mini]).manifest)


def test_one_encoding_for_several_methods_counts_once(images):
    together = images(methods=THREE, targets=("brainmri",), aux="none", epochs=None)
    assert together == pytest.approx(6 * (1 + 3 * HEAD_SHARE)), "six images, once through the tower, three heads"
    assert images(methods=THREE[:1], aux="none", epochs=None) == pytest.approx(6 * (1 + HEAD_SHARE))


def test_training_encodes_once_what_fits_into_the_cache(images, aux):
    scored = images(aux="none", epochs=None)
    assert images(epochs=3) - scored == pytest.approx(aux * (1 + 3 * STEP_SHARE))
    assert images(epochs=3, token_cache=0) - scored == pytest.approx(3 * aux * (1 + STEP_SHARE))
    both = images(epochs=3, methods=("fbclip", "anomalyclip")) - images(
        methods=("fbclip", "anomalyclip"), aux="none", epochs=None
    )
    assert both == pytest.approx(aux * (1 + 6 * STEP_SHARE)), "two methods learn from the same tokens"


def test_a_cached_checkpoint_and_finished_classes_cost_nothing(images, request_for, tmp_path):
    scored = images(aux="none", epochs=None)
    assert not run_plan(make_plan(request_for(image_size=28))).failures
    assert images() == 0
    assert images(out=tmp_path / "elsewhere") == pytest.approx(scored)


def test_runs_that_share_nothing_add_up(monkeypatch):
    monkeypatch.setattr(estimate, "_seconds", lambda macs: macs)
    assert seconds_for(10, 100) == pytest.approx(10 * (1 + HEAD_SHARE) + 100 * (1 + STEP_SHARE))
