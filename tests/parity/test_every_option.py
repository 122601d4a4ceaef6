"""Any other value of any option of any method is noticed: something is no longer what the published code computes.

The values are found from the types of the options. What no fixture can notice is listed, with the reason.
"""

from dataclasses import fields
from functools import cache, cached_property
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from zsadbench import registry
from zsadbench.engine.plan.options import ConfiguredMethod
from zsadbench.errors import WeightsError
from zsadbench.parity.check import check, compare
from zsadbench.parity.fixture import Fixture, find_fixtures, tolerance
from zsadbench.parity.method import FixtureRun
from zsadbench.types import Variant

FOCAL = {f"{name}.focal_smoothing": (0.01,) for name in ("aaclip", "adaclip", "anomalyclip", "aprilgan", "faprompt")}
OTHER_VALUES = {  # METHOD.OPTION → values, where the type says too little
    "anomalyclip.layers": ((18,), (12, 24)),
    "promptad.memory_blocks": ((5, 9),),
    "anomalydino.border": (0.49,),
    "anomalydino.centre_share": (0.0,),
    "mrad-tf.image_weight": (0.5,),
    "musc.norm_epsilon": (0.1,),
    "patchcore.layers": ((7,),),
    "patchcore.side": (1,),
    "patchcore.width": (16,),
    "patchcore.top_share": (0.5,),
    **FOCAL,
}

NATIVE = "the backbone of the fixtures was trained with it, so that it is the native one"
GIVEN = "the fixture gives tokens, and no backbone makes them"
OF_ENCODER = ("position", "activation", "numbering", "final_norm")
UNUSED = "the adapter that was published uses none"
UNNOTICED = {  # METHOD.OPTION or METHOD.OPTION=VALUE → why every fixture passes
    **{
        f"{name}.activation=quick_gelu": NATIVE
        for name in ("afclip", "anomalyclip", "faprompt", "fbclip", "promptad", "winclip")
    },
    **{f"afclip.{size}": UNUSED for size in ("visual_prompts", "prefix_length", "lora_rank")},
    "winclip.position": "the images of the fixture have the backbone's own size: no positions are resized",
    "aaclip.augment": "the fixture trains on its images as they are",
    **{f"{name}.{option}": GIVEN for name in ("anomalydino", "musc", "patchcore") for option in OF_ENCODER},
    **{f"mrad-tf.{option}": GIVEN for option in ("position", "activation", "value_from")},
    **{f"{name}.layers": GIVEN for name in ("musc", "patchcore")},
    **{"anomalydino.layer": GIVEN, "musc.class_layer": GIVEN},
    "anomalydino.batched": "the fixture has both forms",
    "anomalydino.masked": "the fixture names no classes; it has results with masks and without",
    **{f"patchcore.{option}": "the fixture gives what is drawn" for option in ("starts", "projected", "seed")},
    "patchcore.top_share": "of another image score than that of the fixture",
    "patchcore.image_score": "one percent of the fixture's patches is one patch, the largest",
    "musc.class_tokens=unit": "as published, for an encoder with text",
}

METHODS = tuple(name for name in registry.names("methods") if registry.method_card(name).official)


def other_values(kind, value):
    """Values of an option of this type that are not `value`."""
    if get_origin(kind) is Literal:
        return tuple(each for each in get_args(kind) if each != value)
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, tuple):
        return (value[:-1],)
    if isinstance(value, str):
        return (f"{value} x",)
    return (value + 1,) if isinstance(value, int) else (1.5 * value or 0.5,)


def changes_of(name):
    """(option, value) for every option of a method, in turn."""
    card = registry.method_card(name)
    kinds, usual = get_type_hints(card.options), card.options()
    for option in (field.name for field in fields(card.options)):
        found = OTHER_VALUES.get(f"{name}.{option}", other_values(kinds[option], getattr(usual, option)))
        yield from ((option, value) for value in found)


CHANGES = [(name, *change) for name in METHODS for change in changes_of(name)]


def reason(name, option, value):
    """Why no fixture notices a change, or nothing."""
    return UNNOTICED.get(f"{name}.{option}", UNNOTICED.get(f"{name}.{option}={value}"))


class Loaded(Fixture):
    """A fixture whose files are read once, and whose backbones are built once."""

    def __init__(self, fixture):
        super().__init__(fixture.folder, fixture.about)
        object.__setattr__(self, "tensors", cache(super().tensors))
        object.__setattr__(self, "backbones", {})

    @cached_property
    def untrained(self):
        """The same without its training, which takes longest."""
        return Loaded(Fixture(self.folder, {**self.about, "training": {}}))


@pytest.fixture(scope="module")
def fixtures_of(fixtures_root):
    """`fixtures_of(name)`: every fixture of a method."""
    found = [Loaded(fixture) for fixture in find_fixtures([fixtures_root])]
    return lambda name: [fixture for fixture in found if fixture.method == name]


def differences(fixture, changed, *, training):
    """Names of the tensors of the main results that are not the expected ones.

    Those of training need all images. Without it, the first image is enough, except for a step over all images.
    """
    card, about = registry.method_card(fixture.method), fixture.about
    base = card.official.options({**about["options"], "training": about.get("training", {})})
    configured = ConfiguredMethod(card, card.options(**base | changed), card.recipe)
    expected, inputs = fixture.tensors("expected.safetensors"), fixture.tensors("inputs.safetensors")
    variant = Variant(supports="support" if "support" in inputs else "", images=None if training else images_of(card))
    run = FixtureRun(fixture if training else fixture.untrained, configured, variant, fixture.backbones)
    for name, made in run.produce().items():
        if name in expected:
            wanted = expected[name].float().numpy()
            wanted = wanted[:1] if wanted.ndim and len(made) == 1 and wanted.shape[1:] == made.shape[1:] else wanted
            if wanted.shape != made.shape and variant.images:
                continue  # another axis than the first is that of the images
            if not compare(name, wanted, made, *tolerance(about["tolerance"], name)).passed:
                yield name


def images_of(card):
    """How many images are enough to notice a change: a finishing step needs all."""
    return None if card.transductive else 1


def written(option, value):
    """An option as it is written on the command line."""
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"{option}={text.lower() if isinstance(value, bool) else text}"


def is_noticed(fixture, option, value):
    """Whether a tensor is not the expected one, or the published weights do not fit any more."""
    if registry.method_card(fixture.method).official.on_tokens is not None:
        return check(fixture, [written(option, value)]).passed is False
    try:
        for training in (False, True) if fixture.about.get("training") else (False,):
            if next(differences(fixture, {option: value}, training=training), None):
                return True
        return check(fixture, [written(option, value)]).passed is False  # what its variants say
    except WeightsError:
        return True


def test_the_list_of_what_goes_unnoticed_names_changes_that_are_tried():
    tried = {f"{name}.{option}" for name, option, _ in CHANGES}
    tried |= {f"{name}.{option}={value}" for name, option, value in CHANGES}
    assert UNNOTICED.keys() | OTHER_VALUES.keys() <= tried
    assert {name for name, *_ in CHANGES} == set(METHODS)


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_nothing_is_noticed_without_a_change(fixtures_of, name):
    for fixture in fixtures_of(name):
        assert check(fixture).passed
        if registry.method_card(name).official.on_tokens is not None:
            continue
        assert list(differences(fixture, {}, training=False)) == []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "option", "value"), CHANGES)
def test_a_change_is_noticed(fixtures_of, name, option, value):
    why = reason(name, option, value)
    assert any(is_noticed(fixture, option, value) for fixture in fixtures_of(name)) == (why is None), why
