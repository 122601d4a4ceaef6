"""Training on cached tokens: the loss curve is bit-equal, whether entries are cached, damaged or foreign."""

import logging
import os
import shutil
from dataclasses import replace

import pytest
import torch

from zsadbench import registry
from zsadbench.checkpoints import read_archive
from zsadbench.clip.towers import VisionTower
from zsadbench.data import load_dataset
from zsadbench.engine.encode.token_cache import HEADER, TokenCache
from zsadbench.engine.encode.towers import build_towers
from zsadbench.engine.learn.detector import train_or_load
from zsadbench.engine.plan.cell import signature
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.plan.request import TOKEN_CACHE
from zsadbench.engine.run import run_plan
from zsadbench.engine.train import train_all
from zsadbench.errors import CellError, UsageError

ENTRY = HEADER.size + 4 * 5 * 64  # 2 × 2 patches and the class token of a tower 64 wide


@pytest.fixture
def encoded(monkeypatch):
    """The number of images of every call of the image encoder."""
    sizes = []
    forward = VisionTower.forward

    def counting(self, images, *rest):
        sizes.append(len(images))
        return forward(self, images, *rest)

    monkeypatch.setattr(VisionTower, "forward", counting)
    return sizes


@pytest.fixture
def learn(request_for):
    """`learn(**changes)` trains on colondb and returns the losses and the detector."""

    def make(budget=TOKEN_CACHE, epochs=3, **changes):
        (job,) = make_plan(request_for(**{"methods": ("afclip",), "epochs": epochs, **changes})).jobs
        curve = []
        towers = build_towers(job.setup, torch.device("cpu"))
        detector = train_or_load(
            job.setup,
            towers,
            job.aux,
            job.seed,
            workers=0,
            token_cache=budget,
            fresh=True,
            on_step=lambda done, total, loss, epochs: curve.append(loss),
        )
        return curve, detector

    return make


@pytest.fixture
def count(mini):
    """The number of images of colondb."""
    return len(load_dataset("colondb", [mini]).manifest)


def entries(tmp_path):
    return sorted((tmp_path / "cache" / "tokens").glob("*/*"))


@pytest.mark.parametrize("method", ["fbclip", "anomalyclip", "afclip"])
def test_the_curve_is_bit_equal_with_and_without(learn, method, encoded, count):
    without, plain = learn(0, methods=(method,))
    state = read_archive(plain.checkpoint)
    assert (plain.encoded, plain.cached) == (3 * count, 0)
    encoded.clear()
    curve, detector = learn(methods=(method,))
    assert curve == without
    assert len(curve) == 3 * -(-count // registry.method_card(method).recipe.batch)
    assert (detector.encoded, detector.cached) == (count, 2 * count)
    assert encoded == [1] * count, "every image once, and alone"
    again = read_archive(detector.checkpoint)
    assert all((state[name] == again[name]).all() for name in state)
    curve, detector = learn(methods=(method,))
    assert curve == without
    assert (detector.encoded, detector.cached) == (0, 3 * count), "a later run reads them from the cache"


@pytest.mark.parametrize("method", ["fbclip", "anomalyclip", "afclip"])
def test_half_precision_tokens_take_half_the_space_and_the_cell_says_so(learn, request_for, method, tmp_path, count):
    full, whole = learn(methods=(method,))
    bytes_of = {path.stat().st_size for path in entries(tmp_path)}
    shutil.rmtree(tmp_path / "cache" / "tokens")
    half, first = learn(methods=(method,), token_precision="fp16")
    assert {path.stat().st_size - HEADER.size for path in entries(tmp_path)} == {
        (size - HEADER.size) // 2 for size in bytes_of
    }
    assert half != full
    assert half == pytest.approx(full, rel=1e-2)
    again, second = learn(methods=(method,), token_precision="fp16")
    assert (second.encoded, again) == (0, half)
    assert learn(0, methods=(method,), token_precision="fp16")[0] == half, "rounded whether remembered or not"
    assert first.checkpoint == second.checkpoint != whole.checkpoint
    (job,) = make_plan(request_for(methods=(method,), token_precision="fp16")).jobs
    assert job.cell["recipe"]["tokens"] == "fp16"
    assert "|tokens:fp16|" in signature(job.cell, "random")


def test_the_precision_of_tokens_is_not_in_the_cell_of_an_untrained_method(request_for):
    def path(**changes):
        return make_plan(request_for(**changes)).jobs[0].path

    for changes in ({"methods": ("clip",)}, {"aux": "none", "epochs": None}):
        assert path(**changes, token_precision="fp16") == path(**changes)
    assert path(token_precision="fp16") != path()
    with pytest.raises(UsageError, match="--token-precision is 'bf16'; it takes one of: fp32, fp16"):
        request_for(token_precision="bf16")


def test_tokens_too_large_for_half_precision_are_refused(learn, monkeypatch):
    forward = VisionTower.forward

    def large(self, *rest):
        return forward(self, *rest)._replace(layers=(torch.full((1, 5, 64), 1e6),) * 4)

    monkeypatch.setattr(VisionTower, "forward", large)
    with pytest.raises(CellError, match=r"the tokens of images/\S+ do not fit into fp16; .* --token-precision fp32"):
        learn(token_precision="fp16")


def test_part_of_a_set_is_cached_if_not_all_of_it_fits(learn, count, tmp_path, caplog):
    whole, _ = learn(0)
    caplog.set_level(logging.INFO)
    curve, detector = learn(4 * ENTRY + ENTRY // 2)
    assert curve == whole
    assert detector.encoded == count + 2 * (count - 1)
    assert detector.cached == 2
    assert len(entries(tmp_path)) == 4
    assert f"tokens of 1 of {count} images fit into the token cache" in caplog.text
    assert "the token cache is full" in caplog.text


def test_without_a_budget_nothing_is_cached_and_the_log_says_so(learn, tmp_path, caplog, count):
    caplog.set_level(logging.INFO)
    learn(0)
    assert not entries(tmp_path)
    assert f"no tokens are remembered; {count} images are encoded in every epoch" in caplog.text


def flip_bit(content):
    return content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]


DAMAGE = {
    "flipped bit": flip_bit,
    "truncated": lambda content: content[:-4],
    "empty": lambda content: b"",
    "longer": lambda content: content + b"\0",
    "of another kind": lambda content: b"zsadpix1" + content[8:],
    "of another shape": lambda content: content[:8] + content[12:16] + content[8:12] + content[16:],
    "not finite, unchecked": lambda content: content[: HEADER.size] + b"\xff" * (len(content) - HEADER.size),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_entry_is_written_again(learn, tmp_path, damage, count):
    curve, _ = learn(epochs=1)
    entry = entries(tmp_path)[0]
    intact = entry.read_bytes()
    entry.write_bytes(damage(intact))
    again, detector = learn(epochs=1)
    assert again == curve
    assert (detector.encoded, detector.cached) == (1, count - 1)
    assert entry.read_bytes() == intact


def test_an_entry_of_an_older_file_is_not_used(learn, tmp_path, mini):
    copy = tmp_path / "data"
    shutil.copytree(mini, copy)
    learn(epochs=1, data_roots=(copy,))
    os.utime(load_dataset("colondb", [copy]).manifest["path"].iloc[0], ns=(1, 1))
    _, detector = learn(epochs=1, data_roots=(copy,))
    assert detector.encoded == 1


def test_methods_of_one_run_learn_from_tokens_encoded_once(request_for, encoded, count):
    results = run_plan(make_plan(request_for(methods=("fbclip", "anomalyclip"), seeds=(0, 1), epochs=2)))
    assert not results.failures
    costs = [record.cost for _, record in results.records]
    assert [cost["tokens_encoded"] for cost in costs] == [count, 0, 0, 0]
    assert [cost["tokens_remembered"] for cost in costs] == [count, 2 * count, 2 * count, 2 * count]
    assert encoded == [1] * count + [4, 2], "the auxiliary set once, then six images of the target"


def test_methods_that_prepare_images_in_another_order_do_not_share_them(request_for, count):
    results = run_plan(make_plan(request_for(methods=("fbclip", "afclip"))))
    assert [record.cost["tokens_encoded"] for _, record in results.records] == [count, count]


def test_train_uses_the_cache_too(request_for, encoded, count):
    request = request_for(methods=("fbclip",), targets=("colondb",), allow_leak=True, seeds=(0, 1))
    events = list(train_all(request, None))
    assert len(events) == 2
    assert encoded == [1] * count


@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "bf16"},
        {"token_precision": "fp16"},
        {"image_size": 42},
        {"options": ("activation=gelu",)},
        {"options": ("position=bicubic",)},
        {"aux": "mvtec"},
        {"methods": ("fbclip",)},
    ],
    ids=str,
)
def test_what_determines_tokens_determines_the_folder(request_for, changes):
    def folder(**changes):
        (job,) = make_plan(request_for(**{"methods": ("afclip",), **changes})).jobs
        return TokenCache.for_training(job.setup, job.aux, torch.device("cpu"), TOKEN_CACHE).folder

    assert folder() == folder(seeds=(7,), options=("layers=24",))
    assert folder() != folder(**changes)


def test_the_tokens_of_a_method_that_augments_are_not_cached(request_for):
    (job,) = make_plan(request_for(methods=("afclip",))).jobs
    card = replace(job.setup.method.card, augments=True)
    setup = replace(job.setup, method=replace(job.setup.method, card=card))
    assert TokenCache.for_training(setup, job.aux, torch.device("cpu"), TOKEN_CACHE) is None


def test_one_shipped_method_augments():
    names = [name for name in registry.names("methods") if registry.method_card(name).augments]
    assert names == ["aaclip"], "it encodes images itself, so that no tokens of it are cached in any case"
