"""Compiled blocks: the same tokens up to rounding; where compiling fails, blocks run as they are, and it is said."""

import logging

import pytest
import torch

from zsadbench.clip import compiled
from zsadbench.clip.compiled import Blocks
from zsadbench.types import Taps

TAPS = Taps((1, 12, 24), value_blocks=(12, 24))


@pytest.fixture
def compiling(monkeypatch):
    """`compiling(call)`: what stands in for the compiler makes `call` of a function; modes asked for are remembered."""

    def make(call):
        modes = []

        def compile_(function, *, mode, dynamic):
            assert not dynamic
            modes.append(mode)
            return call

        monkeypatch.setattr(torch, "compile", compile_)
        return modes

    return make


def test_compiled_blocks_give_the_same_tokens(tiny_backbone, tiny_images, monkeypatch):
    tower = tiny_backbone.vision
    with torch.inference_mode():
        plain = tower(tiny_images, TAPS)
        monkeypatch.setattr(tower, "blocks", Blocks("blocks"))
        fast = tower(tiny_images, TAPS)
    assert tower.blocks.compiled
    for one, other in zip(plain.layers + plain.value_layers, fast.layers + fast.value_layers, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_blocks_are_not_compiled_unless_asked_for(compiling):
    modes = compiling(print)
    assert not Blocks().compiled
    assert not modes
    assert Blocks("blocks").compiled
    assert Blocks("graphs").compiled
    assert modes == ["default", "reduce-overhead"]


def test_what_cannot_be_compiled_runs_as_it_is(tiny_backbone, tiny_images, compiling, monkeypatch, caplog):
    calls = []

    def fail(*arguments):
        calls.append(arguments)
        raise RuntimeError("no compiler found\nlong trace")

    tower = tiny_backbone.vision
    plain = tower(tiny_images, TAPS)
    compiling(fail)
    monkeypatch.setattr(tower, "blocks", Blocks("blocks"))
    with caplog.at_level(logging.WARNING):
        found = tower(tiny_images, TAPS)
    assert all(torch.equal(one, other) for one, other in zip(plain.layers, found.layers, strict=True))
    assert len(calls) == 1, "it is tried once"
    assert not tower.blocks.compiled
    assert [record.getMessage() for record in caplog.records] == [
        "the image tower is not compiled and runs as it is: no compiler found"
    ]


@pytest.mark.parametrize("failure", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
def test_a_shortage_of_memory_is_no_failure_to_compile(compiling, failure):
    def fail(*_):
        raise failure

    compiling(fail)
    blocks = Blocks("blocks")
    with pytest.raises(type(failure)):
        blocks(None, torch.zeros(1))
    assert blocks.compiled


def test_recordings_are_marked_and_what_they_give_is_copied(compiling, monkeypatch):
    begun = []
    monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: begun.append(1))
    compiling(print)
    tokens = torch.ones(2)
    for how, copied in (("off", False), ("blocks", False), ("graphs", True)):
        blocks = Blocks(how)
        blocks.begin_batch()
        kept = blocks.keep(tokens)
        assert torch.equal(kept, tokens)
        assert (kept.data_ptr() != tokens.data_ptr()) == copied
        assert len(begun) == copied
    assert compiled.MODES.keys() == {"blocks", "graphs"}
