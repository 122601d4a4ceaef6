"""The tool that trains the demo backbone: its images, captions, batches and loss."""

import json
import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

SIDE, PATCH, GRID = 120, 10, 12


@pytest.fixture(scope="module")
def pool(tools_on_the_path):
    from demo_backbone.pictures import generate_image

    return [generate_image(number) for number in range(40)]


def test_an_image_is_determined_by_its_number(pool):
    from demo_backbone.pictures import generate_image

    again = generate_image(7)
    assert np.array_equal(again.image, pool[7].image)
    assert again.facts == pool[7].facts
    assert len({picture.image.tobytes() for picture in pool}) == len(pool)


def test_only_families_and_kinds_of_pretraining_are_used(pool):
    from zsadbench_datasets.demo.families import families_of
    from zsadbench_datasets.demo.kinds import KIND

    allowed = {family.name for family in families_of("pretraining")}
    assert {picture.facts.family for picture in pool} == allowed
    kinds = {picture.facts.kind for picture in pool} - {None}
    assert kinds
    assert all("pretraining" in KIND[kind].by_set for kind in kinds)


def test_facts_about_patches_turn_with_the_image(pool):
    from demo_backbone.pictures import turned

    picture = next(one for one in pool if one.facts.kind)
    forms = [turned(picture, way) for way in range(8)]
    assert len({form.image.tobytes() for form in forms}) == 8
    marked = np.zeros((SIDE, SIDE), np.uint8)
    marked[3, 5 * PATCH] = 1
    patch = np.zeros((GRID, GRID), np.int64)
    patch[0, 5] = 1
    for way in range(8):
        form = turned(picture._replace(image=np.stack([marked] * 3, axis=-1), defect=patch), way)
        (row, column) = np.argwhere(form.image[..., 0])[0] // PATCH
        assert form.defect[row, column] == 1


def test_boxes_show_a_defect_or_a_mark_or_neither(pool):
    from demo_backbone.regions import MIN_PIXELS, SHARE, choose, weights

    rng = np.random.default_rng(0)
    states, marked = set(), set()
    for picture in pool:
        for region in choose(picture, 6, rng):
            box = (slice(region.top, region.top + region.side), slice(region.left, region.left + region.side))
            defect = picture.defect[box].sum()
            least = max(MIN_PIXELS, SHARE * (PATCH * region.side) ** 2)
            states.add(region.shows.flawed)
            marked.add(region.shows.marked)
            assert defect >= least if region.shows.flawed else defect == 0
            assert region.shows.marked == (picture.mark[box].sum() >= least)
            assert weights(region, GRID).sum() == pytest.approx(1)
            assert weights(region, GRID).reshape(GRID, GRID)[box].all()
    assert states == marked == {True, False}


def shows(picture):
    from demo_backbone.regions import Shows

    return Shows(picture.facts.kind is not None, picture.facts.mark is not None, thing=True)


def test_captions_are_true_of_what_they_describe(pool):
    from demo_backbone.batches import truth
    from demo_backbone.captions import attributes, caption

    rng = np.random.default_rng(1)
    facts = [attributes(one.facts, shows(one)) for one in pool]
    captions = [caption(one.facts, shows(one), rng) for one in pool]
    table = truth(facts, captions)
    assert table.diagonal().all()
    for row, known in enumerate(facts):
        for column, said in enumerate(captions):
            assert bool(table[row, column]) == (said.asserts <= known)
    assert not table.all()


def test_captions_name_things_and_never_say_that_something_is_good_or_bad(pool):
    from demo_backbone.captions import caption

    judging = "normal|good|flawless|perfect|intact|undamaged|damage|broken|defect|flaw|fault|anomal|without"
    rng, texts = np.random.default_rng(3), []
    for _ in range(40):
        texts += [caption(one.facts, shows(one), rng).text for one in pool]
    assert not [text for text in texts if re.search(judging, text)]
    for named in ("scratch", "sticker", "brick wall", "red and beige", "on a green ground"):
        assert any(named in text for text in texts), named


def test_a_batch_pools_the_class_token_for_the_whole_and_a_box_for_a_region(pool):
    from demo_backbone.batches import make

    batch = make(pool[:4], 3, np.random.default_rng(2))
    whole = batch.pooling[:, 0] == 1
    assert whole.sum() == 4
    assert torch.allclose(batch.pooling.sum(dim=1), torch.ones(len(batch.pooling)))
    assert batch.true[torch.arange(len(batch.own)), batch.own].all()
    assert batch.images.shape == (4, 3, SIDE, SIDE)


def test_the_loss_is_that_of_clip_if_each_caption_is_true_of_one_region(pool):
    from demo_backbone.batches import Batch
    from demo_backbone.learning import contrastive

    images, texts = (torch.nn.functional.normalize(torch.randn(5, 8), dim=-1) for _ in range(2))
    batch = Batch(images, torch.arange(5), images, list("abcde"), torch.arange(5), torch.eye(5, dtype=torch.bool))
    logits = 10 * images @ texts.T
    target = torch.arange(5)
    entropy = torch.nn.functional.cross_entropy
    expected = (entropy(logits, target) + entropy(logits.T, target)) / 2
    assert contrastive(images, texts, torch.tensor(10.0), batch) == pytest.approx(float(expected), rel=1e-5)
    truer = batch._replace(true=batch.true | (torch.arange(5) == 3))
    assert contrastive(images, texts, torch.tensor(10.0), truer) < expected


def test_the_explicit_attention_equals_that_of_open_clip(pool):
    from demo_backbone.learning import _block
    from demo_backbone.training import new_clip

    block = new_clip(0).visual.transformer.resblocks[0]
    tokens = torch.randn(2, 9, 128)
    assert torch.allclose(block(tokens), _block(block, tokens), atol=1e-5)


@pytest.fixture
def trained(tmp_path):
    """`trained(**settings)` runs two steps of training and returns the folder of the files."""
    from demo_backbone.settings import Settings
    from demo_backbone.training import run

    before = torch.get_num_threads()

    def make(**settings):
        run(Settings(steps=2, batch=4, pool=8, boxes=2, warmup=1, threads=1, **settings), tmp_path)
        return tmp_path

    yield make
    torch.set_num_threads(before)


def test_training_leaves_a_backbone_that_can_be_built(trained, capsys):
    from zsadbench.clip import build, resolve

    folder = trained()
    made = json.loads((folder / "made.json").read_text())
    assert made["settings"]["steps"] == 2
    assert all(tensor.dtype == torch.float16 for tensor in load_file(folder / "weights.safetensors").values())
    backbone = build(resolve(str(folder / "backbone.json"), str(folder / "weights.safetensors")))
    assert backbone.grid == GRID
    assert "step 2 of 2" in capsys.readouterr().out


def test_an_image_tower_that_is_given_is_kept_to_the_bit_and_the_text_tower_is_trained(trained):
    from zsadbench.clip.config import DEMO_FOLDER

    given = DEMO_FOLDER / "weights.safetensors"
    before, after = load_file(given), load_file(trained(image_tower=str(given)) / "weights.safetensors")
    kept = {name for name in after if torch.equal(before[name], after[name])}
    assert {name for name in after if name.startswith("visual.")} | {"logit_scale"} <= kept
    assert "text_projection" not in kept
