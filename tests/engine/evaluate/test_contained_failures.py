"""What a method raises or returns costs its class or its job, with one line; the others go on."""

import logging
import re
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from zsadbench import registry
from zsadbench.engine.encode.text import encode_text, encode_text_of_classes
from zsadbench.engine.evaluate.scoring import Scorer
from zsadbench.engine.machine.method_calls import call_method
from zsadbench.errors import LONGEST, CellError, UsageError
from zsadbench.types import Scores, Tokens

PATHS = tuple(f"photos/{number}.png" for number in range(4))
SHORT = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")


class Returning:
    """Returns one thing for every batch."""

    def __init__(self, returned):
        self.returned = returned

    def score(self, tokens, class_names):
        return self.returned


class Raising:
    """Raises where a class has one of `words`."""

    def __init__(self, failure, words=("tile",)):
        self.failure, self.words = failure, words

    def score(self, tokens, class_names):
        if set(self.words) & set(class_names):
            raise self.failure
        count = len(class_names)
        return Scores(torch.arange(count).float(), torch.arange(4.0 * count).reshape(count, 2, 2))


def scored(method, sizes=((8, 8),) * 4):
    tokens = Tokens((torch.zeros(4, 5, 3),), 2)
    return Scorer(method, torch.device("cpu"), 8, 0.0, name="odd").score_batch(tokens, "tile", PATHS, sizes)


# --- what `score` returns ----------------------------------------------------------------------------

IMAGE, PIXEL = torch.zeros(4), torch.zeros(4, 2, 2)
WRONG = {
    "none": (None, "returned NoneType for a batch of 4 images that begins with 'photos/0.png'; wanted are Scores"),
    "one tensor": (PIXEL, "returned Tensor float32 (4, 2, 2) for"),
    "three parts": ((IMAGE, PIXEL, PIXEL), "returned a tuple of 3"),
    "a list": ([IMAGE, PIXEL], "returned a list of 2"),
    "numpy": (Scores(IMAGE.numpy(), PIXEL.numpy()), "returned ndarray float32 (4), ndarray float32 (4, 2, 2) for"),
    "a map that is none": (Scores(IMAGE, None), "returned Tensor float32 (4), NoneType for"),
    "flat maps": (Scores(IMAGE, torch.zeros(4, 4)), r"returned maps of Tensor float32 (4, 4) for"),
    "maps with channels": (Scores(IMAGE, PIXEL.unsqueeze(1)), "(4, 1, 2, 2)"),
    "one map for all": (Scores(IMAGE, PIXEL[:1]), "(1, 2, 2)"),
    "too many maps": (Scores(IMAGE, torch.zeros(5, 2, 2)), "wanted are floats of the shape (4, height, width)"),
    "maps without rows": (Scores(IMAGE, torch.zeros(4, 0, 2)), "(4, 0, 2)"),
    "whole numbers": (Scores(IMAGE, PIXEL.long()), "returned maps of Tensor int64 (4, 2, 2)"),
    "switches": (Scores(IMAGE, PIXEL.bool()), "bool"),
    "complex": (Scores(IMAGE, PIXEL.to(torch.complex64)), "complex64"),
    "sparse": (Scores(IMAGE, PIXEL.to_sparse()), "float32 (4, 2, 2)"),
    "meta": (Scores(IMAGE, PIXEL.to("meta")), "float32 (4, 2, 2)"),
    "too few scores": (Scores(IMAGE[:3], PIXEL), "returned image scores of Tensor float32 (3) for"),
    "a score for all": (Scores(IMAGE.sum(), PIXEL), "image scores of Tensor float32 () for"),
    "scores in columns": (Scores(IMAGE.unsqueeze(1), PIXEL), "wanted are floats of the shape (4)"),
    "whole scores": (Scores(IMAGE.int(), PIXEL), "image scores of Tensor int32 (4)"),
    "complex scores": (Scores(IMAGE.to(torch.complex64), PIXEL), "complex64"),
}


@pytest.mark.parametrize("sizes", [((8, 8),) * 4, None], ids=["with maps", "without"])
@pytest.mark.parametrize(("returned", "said"), WRONG.values(), ids=WRONG)
def test_what_is_no_score_is_said_with_what_is_wanted(returned, said, sizes):
    with pytest.raises(CellError) as failure:
        scored(Returning(returned), sizes)
    assert str(failure.value).startswith("'odd' returned ")
    assert said in str(failure.value)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("part", ["image", "pixel"])
def test_what_is_not_finite_is_said_with_its_image(part, value):
    returned = Scores(IMAGE.clone(), PIXEL.clone())
    getattr(returned, part)[2:3].view(-1)[0] = value
    batch = scored(Returning(returned))
    wait = batch.image_scores if part == "image" else batch.anomaly_maps
    with pytest.raises(CellError, match=r"of photos/2\.png holds NaN or infinity"):
        wait()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_real_floats_of_any_grid_are_taken(dtype):
    parameter = torch.nn.Parameter(torch.ones(4, 3, 1, dtype=dtype))
    batch = scored(Returning((IMAGE.to(dtype), parameter)))
    assert np.allclose(batch.anomaly_maps(), 1)
    assert batch.image_scores().tolist() == [0] * 4


def test_maps_that_change_their_size_within_a_batch_are_refused():
    class Growing:
        def score(self, tokens, class_names):
            if len(class_names) > 2:
                raise SHORT
            self.side = getattr(self, "side", 1) + 1
            return Scores(torch.zeros(2), torch.zeros(2, self.side, self.side))

    with pytest.raises(CellError, match=r"\(2, 2, 2\) and .*\(2, 3, 3\) for parts of one batch; wanted is one size"):
        scored(Growing())


# --- what a method raises ----------------------------------------------------------------------------

KINDS = (
    *(ValueError, KeyError, IndexError, AssertionError, RecursionError, RuntimeError, TypeError, AttributeError),
    *(StopIteration, ZeroDivisionError, NotImplementedError, OSError, SystemExit, BaseException),
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_exception_of_a_method_becomes_one_line(kind, caplog):
    caplog.set_level(logging.DEBUG, "zsadbench.engine")
    with pytest.raises(CellError) as failure:
        scored(Raising(kind("my memory bank\nis empty")))
    assert str(failure.value).startswith(f"'odd': score raised {kind.__name__}: ")
    assert "my memory bank" in str(failure.value)
    assert "for a batch of 4 images that begins with 'photos/0.png'" in str(failure.value)
    assert "\n" not in str(failure.value)
    assert isinstance(failure.value.__cause__, kind)
    (entry,) = (entry for entry in caplog.records if entry.levelno == logging.DEBUG)
    assert entry.exc_info[0] is kind


def test_an_endless_recursion_is_contained():
    class Endless:
        def score(self, tokens, class_names):
            return self.score(tokens, class_names)

    with pytest.raises(CellError, match="score raised RecursionError"):
        scored(Endless())


def test_a_text_that_cannot_be_made_or_is_very_long_is_left_out():
    class Mute(Exception):
        def __str__(self):
            raise ValueError

    for failure, text in ((Mute(), "score raised Mute ("), (KeyError("x" * 9999), "…")):
        with pytest.raises(CellError) as raised:
            scored(Raising(failure))
        assert text in str(raised.value)
        assert len(str(raised.value)) < LONGEST + 160


def test_an_interruption_is_not_contained():
    with pytest.raises(KeyboardInterrupt):
        scored(Raising(KeyboardInterrupt()))


def test_errors_for_users_keep_their_words():
    with pytest.raises(CellError, match=r"^pass a larger --image-size$"):
        scored(Raising(CellError("pass a larger --image-size")))
    with pytest.raises(CellError, match="'odd': option 'x' is wrong"):
        scored(Raising(UsageError("option 'x' is wrong")))
    with pytest.raises(UsageError, match="option 'x' is wrong"):
        call_method("odd", "build", lambda: (_ for _ in ()).throw(UsageError("option 'x' is wrong")))


@pytest.mark.parametrize("failure", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory."), SHORT])
def test_a_shortage_in_a_method_halves_the_batch(failure):
    class Large:
        def score(self, tokens, class_names):
            if len(class_names) > 1:
                raise failure
            return Scores(torch.ones(1), torch.ones(1, 2, 2))

    assert scored(Large()).image_scores().tolist() == [1] * 4
    with pytest.raises(type(failure)):
        scored(Raising(failure))


# --- text --------------------------------------------------------------------------------------------


class Speaking(Raising):
    """Keeps the words of the last call, and fails on some."""

    def encode_text(self, class_names):
        if set(self.words) & set(class_names):
            raise self.failure
        self.kept = list(class_names)


def test_a_word_that_cannot_be_encoded_costs_its_class():
    method = Speaking(KeyError("tile"))
    words = {"bottle": "bottle", "Tile": "tile", "wood": "wood"}
    failures = encode_text_of_classes(method, words, "odd")
    assert list(failures) == ["Tile"]
    told = re.sub(r" \(test_contained_failures\.py:\d+\)", "", str(failures["Tile"]), count=1)
    assert told == "'odd': encode_text raised KeyError: 'tile' for 'tile'"
    assert method.kept == ["bottle", "wood"], "the others are encoded together"
    with pytest.raises(CellError, match="KeyError"):
        encode_text_of_classes(method, {"Tile": "tile"}, "odd")
    encode_text(Returning(None), ["bottle"])  # encodes nothing beforehand


# --- runs --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Options:
    """None."""


@pytest.fixture
def with_method(monkeypatch):
    """`with_method(build)`: registers `odd`, which `build(backbone, options)` makes, and which reads colours."""
    known = registry.method_card

    def install(build, **changes):
        card = replace(known("colour-distance"), **{"name": "odd", "options": Options, "build": build, **changes})
        monkeypatch.setattr(registry, "method_card", lambda name: card if name == "odd" else known(name))
        point = registry.entry_point("methods", "colour-distance")
        monkeypatch.setitem(registry._points("methods"), "odd", point)

    return install


@pytest.fixture
def beside(run, with_method):
    """`beside(build)`: runs `odd` beside a method that does nothing wrong; returns their records and the failures."""

    def go(build, **changes):
        with_method(build, **changes.pop("card", {}))
        request = {"targets": ("mvtec",), "classes": ("bottle", "tile", "wood"), "aux": "none", "epochs": None}
        results = run(methods=("colour-distance", "odd"), **{**request, **changes})
        return {record.cell["method"]: list(record.classes) for _, record in results.records}, results.failures

    return go


ALL = ["bottle", "tile", "wood"]
PLACES = {
    "score raises": (lambda: Raising(ValueError("no")), ["bottle", "wood"], "tile: 'odd': score raised ValueError: no"),
    "score leaves": (lambda: Raising(SystemExit(3)), ["bottle", "wood"], "tile: 'odd': score raised SystemExit: 3"),
    "score is short": (lambda: Raising(MemoryError()), ["bottle", "wood"], "tile: out of memory"),
    "text raises": (lambda: Speaking(KeyError(1)), ["bottle", "wood"], "tile: 'odd': encode_text raised KeyError: 1"),
    "flat": (lambda: Returning(Scores(IMAGE, torch.zeros(4, 4))), None, "bottle: 'odd' returned maps of Tensor"),
    "build makes nothing": (lambda: None, None, "preparation: 'odd': build made NoneType, which has no method 'score'"),
    "build raises": (lambda: 1 / 0, None, "preparation: 'odd': build raised ZeroDivisionError: division by zero"),
}


@pytest.mark.parametrize(("make", "kept", "said"), PLACES.values(), ids=PLACES)
def test_a_failure_costs_the_class_of_its_method_alone(beside, make, kept, said):
    classes, failures = beside(lambda backbone, options: make())
    assert classes.pop("colour-distance") == ALL
    assert classes == ({"odd": kept} if kept else {})
    assert f"odd on mvtec, seed 0, {said}" in failures[0]
    if kept or "preparation" in said:
        assert len(failures) == 1


def test_a_usage_error_of_one_method_among_several_costs_its_job(beside, run, with_method):
    def build(backbone, options):
        raise UsageError("option 'context' is too long")

    classes, failures = beside(build)
    assert classes == {"colour-distance": ALL}
    assert failures == ["odd on mvtec, seed 0, preparation: option 'context' is too long"]
    with pytest.raises(UsageError, match="too long"):
        run(methods=("odd",), targets=("mvtec",), classes=("bottle",), aux="none", epochs=None)


def test_supports_that_cannot_be_remembered_cost_their_class(run, with_method):
    class Forgetful(Raising):
        def remember(self, tokens):
            self.seen = getattr(self, "seen", 0) + 1
            if self.seen == 2:
                raise AssertionError

    request = {"methods": ("odd",), "targets": ("mvtec",), "classes": tuple(ALL), "aux": "none", "epochs": None}
    with_method(lambda backbone, options: Forgetful(ValueError(), words=()), few_shot=True)
    results = run(**request, shots=(1,))
    assert [list(record.classes) for _, record in results.records] == [["bottle", "wood"]]
    (failure,) = results.failures
    assert failure.startswith("odd on mvtec, seed 0, tile: 'odd': remember raised AssertionError (test_contained_")
    assert failure.endswith(") for 1 support image")
    with_method(lambda backbone, options: Returning(None), few_shot=True)
    (one,) = {text.rpartition(": ")[2] for text in run(**request, shots=(1,), overwrite="always").failures}
    assert one == "'odd' says that it is few-shot, but its detector has no 'remember'"


def test_a_bug_of_zsadbench_is_still_raised(beside, monkeypatch):
    def bug(*_, **__):
        raise RuntimeError("shapes differ")

    monkeypatch.setattr("zsadbench.engine.evaluate.scoring.start_map", bug)
    with pytest.raises(RuntimeError, match="shapes differ"):
        beside(lambda backbone, options: Raising(ValueError(), words=()))


def test_a_card_that_cannot_say_what_it_reads_is_refused_beforehand(with_method, run):
    for taps, said in (
        (lambda options: 1 / 0, "'odd': taps raised ZeroDivisionError: division by zero"),
        (lambda options: (6, 12), "'odd': taps returned tuple; wanted is a Taps"),
    ):
        with_method(None, taps=taps)
        with pytest.raises(UsageError, match=said):
            run(methods=("odd",), targets=("mvtec",), classes=("bottle",), aux="none", epochs=None)


def test_options_that_refuse_a_value_say_so(with_method, run):
    @dataclass(frozen=True)
    class Checked:
        width: int = 3

        def __post_init__(self):
            if self.width > 9:
                raise ValueError("too wide")

    with_method(None, options=Checked)
    with pytest.raises(UsageError, match="options of odd are refused: ValueError: too wide"):
        run(methods=("odd",), targets=("mvtec",), aux="none", epochs=None, options=("width=10",))
