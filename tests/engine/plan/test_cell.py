"""Everything that can change a score is in the cell, so that a difference gives another record."""

import copy
import json
import shutil

import pytest
from PIL import Image

from zsadbench.clip import build, resolve
from zsadbench.engine.plan.cell import why_not_comparable
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.records import identity

UNTRAINED = {"aux": "none", "epochs": None}


def _leaves(value, path=()):
    """Yield the path of every value in nested dicts."""
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from _leaves(child, (*path, key))
    else:
        yield path


def test_every_field_of_the_cell_decides_the_identity(request_for):
    (job,) = make_plan(request_for()).jobs
    paths = list(_leaves(job.cell))
    assert len(paths) > 25
    for path in paths:
        changed = copy.deepcopy(job.cell)
        parent = changed
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = "something else"
        assert identity(changed) != identity(job.cell), path


def test_the_cell_has_the_fields_of_the_contract(request_for):
    (job,) = make_plan(request_for()).jobs
    assert set(job.cell) == {
        *("method", "options", "recipe", "aux", "target", "seed", "shots", "supports", "backbone", "weights_sha256"),
        *(
            "code",
            "checkpoint_sha256",
            "tap_rule",
            "image_size",
            "protocol",
            "precision",
            "limit",
            "partial",
            "synthetic",
        ),
    }
    assert set(job.cell["aux"]) == {"name", "fingerprint", "counts"}
    assert {"epochs", "lr", "batch", "loss"} <= set(job.cell["recipe"])


TRAINED = {
    "epochs": {"epochs": 2},
    "learning rate": {"options": ("recipe.lr=0.001",)},
    "batch": {"options": ("recipe.batch=1",)},
    "weight decay": {"options": ("recipe.weight_decay=0.1",)},
    "loss variant": {"options": ("dice_weight=0.5",)},
    "auxiliary set": {"aux": "mvtec"},
    "no auxiliary set": UNTRAINED,
    "seed": {"seeds": (1,)},
}

SCORED = {
    "method": {"methods": ("clip",)},
    "options": {"options": ("views=id",)},
    "preset": {"options": ("preset=base",)},
    "activation": {"options": ("activation=gelu",)},
    "position rule": {"options": ("position=bicubic",)},
    "taps": {"options": ("layers=6,12,18",)},
    "image size": {"image_size": 42},
    "protocol": {"protocol": "strict-raw"},
    "precision": {"precision": "bf16"},
    "limit": {"limit": 1},
}


@pytest.mark.parametrize("change", TRAINED.values(), ids=TRAINED)
def test_two_trainings_that_differ_give_two_records(run, change):
    (first,), (second,) = run().records, run(**change).records
    assert first[0] != second[0]
    assert first[0].is_file()
    assert second[0].is_file()


@pytest.mark.parametrize("change", SCORED.values(), ids=SCORED)
def test_two_evaluations_that_differ_give_two_records(run, change):
    (first,), (second,) = run(**UNTRAINED).records, run(**UNTRAINED, **change).records
    assert first[0] != second[0]
    assert first[0].is_file()
    assert second[0].is_file()


def test_another_copy_of_the_target_gives_another_record(run, mini, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(mini / "brainmri", other / "brainmri")
    image = next((other / "brainmri").rglob("*.jpg"))
    Image.new("RGB", (31, 31), "red").save(image)
    (first,), (second,) = run(**UNTRAINED).records, run(**UNTRAINED, data_roots=(other,)).records
    assert first[0] != second[0]


def test_another_copy_of_the_auxiliary_set_gives_another_record(run, mini, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(mini / "CVC-ColonDB", other / "CVC-ColonDB")
    shutil.copytree(mini / "brainmri", other / "brainmri")
    image = next((other / "CVC-ColonDB" / "images").iterdir())
    with Image.open(image) as opened:
        Image.new("RGB", opened.size, "red").save(image)
    (first,), (second,) = run().records, run(data_roots=(other,)).records
    assert first[0] != second[0]
    assert first[1].cell["target"] == second[1].cell["target"]


def test_other_weights_and_another_backbone_give_other_records(run, backbone_file, tiny_state, write_weights, tmp_path):
    deep = backbone_file()
    paths = [run(**UNTRAINED, backbone=str(deep), image_size=28).records[0][0]]
    first = write_weights(tiny_state, tmp_path, "safetensors")
    paths.append(run(**UNTRAINED, backbone=str(deep), weights=str(first), image_size=28).records[0][0])
    moved = {name: tensor + 0.01 for name, tensor in tiny_state.items()}
    (tmp_path / "moved").mkdir()
    second = write_weights(moved, tmp_path / "moved", "safetensors")
    paths.append(run(**UNTRAINED, backbone=str(deep), weights=str(second), image_size=28).records[0][0])
    paths.append(run(**UNTRAINED).records[0][0])
    assert len(set(paths)) == 4


def test_two_checkpoints_give_two_records(run, tmp_path):
    trained = {run(seeds=(seed,)).records[0][0]: seed for seed in (0, 1)}
    cached = sorted((tmp_path / "cache" / "checkpoints" / "fbclip").glob("*.safetensors"))
    assert len(cached) == len(trained) == 2
    loaded = {run(aux=None, epochs=None, checkpoint=path).records[0][0] for path in cached}
    assert len(loaded) == 2
    assert not loaded & trained.keys()


def test_a_partial_copy_gives_another_record(run, mini, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(mini / "brainmri", other / "brainmri")
    next((other / "brainmri").rglob("*.jpg")).unlink()
    (first,) = run(**UNTRAINED).records
    (second,) = run(**UNTRAINED, data_roots=(other,), allow_partial=True).records
    assert not first[1].cell["partial"]
    assert second[1].cell["partial"]
    assert first[0] != second[0]


def test_a_miniature_is_never_taken_for_the_set(run, mini, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(mini / "brainmri", other / "brainmri")
    (other / "brainmri" / "zsadbench-synth.json").unlink()
    (first,) = run(**UNTRAINED).records
    (second,) = run(**UNTRAINED, data_roots=(other,), allow_partial=True).records
    assert first[1].cell["synthetic"]
    assert not second[1].cell["synthetic"]
    assert first[0] != second[0]


def test_what_cannot_change_a_score_is_not_in_the_identity(run):
    first = run(**UNTRAINED).records[0][0]
    again = run(**UNTRAINED, workers=2, batch_size=1, overwrite="always", classes=("brain",)).records[0][0]
    assert first == again


def test_random_weights_of_equal_sizes_are_equal_weights(small):
    left, right = (resolve(str(small), "random") for _ in range(2))
    assert left.weights.sha256 == right.weights.sha256
    assert (build(left).vision.projection == build(right).vision.projection).all()


def test_the_identity_is_the_hash_of_the_cell(record_of):
    record = record_of(**UNTRAINED)
    assert identity(record["cell"]) == record["identity"]
    assert json.loads(json.dumps(record["cell"])) == record["cell"]


@pytest.mark.parametrize("tower", ["vision", "text"])
def test_attention_heads_which_weights_do_not_show_are_in_the_identity(
    run, backbone_file, tiny_state, write_weights, tmp_path, tower
):
    path = write_weights(tiny_state, tmp_path, "safetensors")
    runs = [
        run(**UNTRAINED, backbone=str(backbone_file(**{tower: {"heads": heads}})), weights=str(path), image_size=28)
        for heads in (1, 2)
    ]
    (first,), (second,) = (results.records for results in runs)
    assert first[0] != second[0]
    assert first[1].cell["weights_sha256"] == second[1].cell["weights_sha256"]


WEIGHTS = ("random weights", "backbone 'ViT-64x12-14-28' is no published one")


@pytest.mark.parametrize(
    ("of_maps", "reason"),
    [
        (False, "the target or the auxiliary set is incomplete or too large"),
        (True, "the target or its maps are incomplete or too large"),
    ],
)
def test_why_a_partial_record_is_not_comparable(request_for, of_maps, reason):
    (job,) = make_plan(request_for()).jobs
    cell = {**job.cell, "partial": True, "synthetic": False}
    setup = None if of_maps else job.setup
    reasons = why_not_comparable(cell, job.target.card, setup, leak="seen before", before=("made elsewhere",))
    assert reasons == ["made elsewhere", *(() if of_maps else WEIGHTS), reason, "seen before"]
