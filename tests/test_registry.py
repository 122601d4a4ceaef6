"""Finding plugins by name; the plugins of this project and of others are registered in the same way."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from zsadbench import registry
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
    with pytest.raises(UsageError, match=r"no method named 'zzzzzz'; known: alpha, beta$"):
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
    with pytest.raises(UsageError, match="plugin 'odd' is no MethodCard but tuple"):
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
