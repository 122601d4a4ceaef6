"""Finding plugins by name; the plugins of this project and of others are registered in the same way."""

import subprocess
import sys
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint

import pytest

from zsadbench import registry
from zsadbench.card_faults import faults_of
from zsadbench.errors import UsageError
from zsadbench.protocol import STRICT
from zsadbench.types import MethodCard


@pytest.fixture
def plugins(monkeypatch):
    """Replace what is registered: `plugins(name="module:object")`."""

    def install(**values):
        points = {name: EntryPoint(name, value, "zsadbench.methods") for name, value in values.items()}
        monkeypatch.setattr(registry, "_points", lambda _: points)

    return install


def test_our_methods_are_registered():
    names = registry.names("methods")
    assert {"clip", "fbclip"} <= set(names)
    assert names == sorted(names)
    assert registry.method_card("fbclip").name == "fbclip"
    assert registry.load("methods", "fbclip") is registry.method_card("fbclip")


def test_a_wrong_name_gets_the_nearest_one():
    with pytest.raises(UsageError, match=r"no method named 'fbclp'; did you mean 'fbclip'\?") as failure:
        registry.method_card("fbclp")
    assert failure.value.exit_code == 2


def test_a_name_without_a_near_one_gets_the_list_of_all(plugins):
    plugins(alpha="a:A", beta="b:B")
    with pytest.raises(UsageError, match="no method named 'zzzzzz'; known: alpha, beta"):
        registry.method_card("zzzzzz")
    plugins()
    with pytest.raises(UsageError, match="known: none"):
        registry.method_card("zzzzzz")


@pytest.mark.parametrize("value", ["no_such_package_at_all:CARD", "zsadbench.types:NO_SUCH_CARD"])
def test_a_plugin_that_cannot_be_imported_says_so(plugins, value):
    plugins(broken=value)
    with pytest.raises(UsageError, match=rf"plugin 'broken' \({value}\) cannot be loaded: ") as failure:
        registry.method_card("broken")
    assert failure.value.__cause__ is not None


def test_a_plugin_of_another_kind_is_refused(plugins):
    plugins(odd="zsadbench.protocol:STRICT")
    with pytest.raises(UsageError, match="plugin 'odd' cannot be used: it is no MethodCard but tuple"):
        registry.method_card("odd")


def test_protocols_are_the_strict_ones_and_those_of_the_methods():
    every = registry.protocols()
    assert every[: len(STRICT)] == STRICT
    assert len({protocol.name for protocol in every}) == len(every)
    assert registry.protocol("paper:fbclip").aupro == "200_minmax"
    with pytest.raises(UsageError, match=r"did you mean 'paper:fbclip'\?"):
        registry.protocol("paper:fbclp")


def test_a_new_method_needs_nothing_but_its_entry_point(plugins):
    plugins(mine="zsadbench_methods.clip:CARD")
    assert isinstance(registry.method_card("mine"), MethodCard)
    assert registry.names("methods") == ["mine"]


def test_names_and_cards_need_no_torch():
    code = (
        "import sys\nfrom zsadbench import registry\n"
        "assert registry.names('methods')\nassert 'zsadbench_methods' not in sys.modules\n"
        "registry.protocols()\nassert not {'torch', 'open_clip', 'pandas'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- plugins of others that cannot be used -------------------------------------------------------------


@dataclass(frozen=True)
class Fine:
    """Options."""

    width: int = 3


@dataclass
class Thawed:
    """Options that can be changed."""

    width: int = 3


@dataclass(frozen=True)
class Demanding:
    """Options without a default."""

    width: int


PLAIN = registry.method_card("colour-distance")
TRAINED = registry.method_card("fbclip")
FAULTS = {
    "nothing": (None, "it is no MethodCard but NoneType"),
    "the class": (MethodCard, "it is no MethodCard but type"),
    "name": (replace(PLAIN, name=None), "'name' is None, not a text"),
    "version": (replace(PLAIN, version=2), "'version' is int, not str"),
    "paper": (replace(PLAIN, paper="A paper"), "'paper' is str, not Paper"),
    "options": (replace(PLAIN, options=dict), "'options' is dict, not a frozen dataclass"),
    "an instance": (replace(PLAIN, options=Fine()), "'options' is Fine, not a frozen dataclass"),
    "thawed options": (replace(PLAIN, options=Thawed), "'options' is Thawed, a dataclass that is not frozen"),
    "options without defaults": (
        replace(PLAIN, options=Demanding),
        "'options' cannot be made from its defaults: TypeE",
    ),
    "preset": (replace(PLAIN, options=Fine, presets={"a": {"depth": 1}}), "preset 'a' sets depth, which 'options' lac"),
    "presets": (replace(PLAIN, presets=["a"]), "'presets' is no mapping"),
    "build": (replace(PLAIN, build="module:build"), "'build' is str, not a function"),
    "taps": (replace(PLAIN, taps=(6, 12)), "'taps' is tuple, not a function"),
    "macs": (replace(PLAIN, macs=12), "'macs' is int, not a function"),
    "official": (replace(PLAIN, official="here"), "'official' is str, not Official"),
    "kinds": (replace(PLAIN, kinds=("text",)), "'kinds' is ('text',); it takes some of clip"),
    "smoothing": (replace(PLAIN, smoothing="4"), "'smoothing' is '4', not a number of at least 0"),
    "no smoothing": (replace(PLAIN, smoothing=float("nan")), "'smoothing' is nan"),
    "range": (replace(PLAIN, map_range=(1.0, 0.0)), "'map_range' is (1.0, 0.0), not two rising numbers"),
    "protocols": (replace(PLAIN, protocols=("strict",)), "'protocols' is no tuple of EvaluationProtocol"),
    "notes": (replace(PLAIN, notes=None), "'notes' is no tuple of StageNote"),
    "recipe": (replace(PLAIN, recipe={"lr": 1}), "'recipe' is dict, not Recipe"),
    "optimiser": (
        replace(TRAINED, recipe=replace(TRAINED.recipe, optimiser="rprop")),
        "'recipe.optimiser' is 'rprop'; it is one of adam, adamw, sgd",
    ),
    "mask": (replace(TRAINED, recipe=replace(TRAINED.recipe, mask="any")), "'recipe.mask' is 'any'; it is one of"),
    "batch": (replace(TRAINED, recipe=replace(TRAINED.recipe, batch=0)), "'recipe.batch' is 0, not a whole number"),
    "rate": (replace(TRAINED, recipe=replace(TRAINED.recipe, lr=float("nan"))), "'recipe.lr' is nan, not a positive"),
}


@pytest.fixture
def beside(monkeypatch, tmp_path):
    """`beside("text of a module")`: registers its CARD as `theirs` beside our methods."""
    monkeypatch.setattr(registry, "_said", set())
    monkeypatch.syspath_prepend(tmp_path)
    ours = dict(registry._points("methods"))

    def install(text, value="their_module:CARD"):
        (tmp_path / "their_module.py").write_text(text)
        theirs = {"theirs": EntryPoint("theirs", value, "zsadbench.methods")}
        monkeypatch.setattr(registry, "_points", lambda group: {**ours, **theirs} if group == "methods" else {})
        sys.modules.pop("their_module", None)

    yield install
    sys.modules.pop("their_module", None)


@pytest.mark.parametrize(("card", "said"), FAULTS.values(), ids=FAULTS)
def test_a_faulty_card_is_described(card, said):
    (fault,) = faults_of(card)
    assert said in fault


def test_our_cards_have_no_faults():
    assert not any(map(faults_of, registry.method_cards()))


def test_all_faults_of_a_card_are_in_one_message(monkeypatch, beside):
    beside(
        "from zsadbench.registry import method_card\nfrom dataclasses import replace\n"
        "CARD = replace(method_card('clip'), smoothing=-1, build=None, options=dict)"
    )
    with pytest.raises(UsageError) as failure:
        registry.method_card("theirs")
    for word in ("'smoothing' is -1", "'build' is NoneType", "'options' is dict"):
        assert word in str(failure.value)


BROKEN = {
    "missing import": ("import no_such_package_at_all", "No module named 'no_such_package_at_all'"),
    "syntax": ("def broken(:", "SyntaxError"),
    "raises": ("raise ValueError('not\\ntoday')", "ValueError: not today"),
    "leaves": ("raise SystemExit(3)", "SystemExit: 3"),
    "no card": ("", "'CARD'"),
    "another object": ("CARD = 3", "it is no MethodCard but int"),
}


@pytest.mark.parametrize(("text", "said"), BROKEN.values(), ids=BROKEN)
def test_a_faulty_plugin_disables_itself_alone(beside, caplog, text, said):
    beside(text)
    assert {"clip", "fbclip"} <= {card.name for card in registry.method_cards()}
    assert registry.protocol("paper:fbclip")
    (warning,) = [entry.getMessage() for entry in caplog.records]
    assert warning.startswith("method 'theirs' is left out: plugin 'theirs' ")
    assert said in warning
    assert "\n" not in warning
    with pytest.raises(UsageError, match="plugin 'theirs'"):
        registry.method_card("theirs")


def test_a_name_of_ours_is_not_taken_by_another_distribution(monkeypatch, caplog):
    theirs = EntryPoint("clip", "elsewhere:CARD", "zsadbench.methods")
    ours = list(registry.entry_points(group="zsadbench.methods"))
    registry._points.cache_clear()
    monkeypatch.setattr(registry, "entry_points", lambda group: [*ours, theirs] if "methods" in group else [])
    monkeypatch.setattr(registry, "_said", set())
    try:
        assert registry.method_card("clip").name == "clip"
        assert "method 'clip' of elsewhere:CARD is left out" in caplog.text
    finally:
        registry._points.cache_clear()


@pytest.mark.parametrize("text", ["raise SystemExit(3)", "CARD = None", "def broken(:"])
def test_a_faulty_file_is_refused(tmp_path, text):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(UsageError, match=r"plugin '.*mine\.py' "):
        registry.add_plugin(tmp_path / "mine.py")
