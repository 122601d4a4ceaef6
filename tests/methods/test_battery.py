"""What every registered method keeps; a newcomer is tested by being registered."""

import inspect
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields
from functools import cache
from pathlib import Path

import pytest

from zsadbench import registry
from zsadbench.conformance.battery import CHECKS, run_checks
from zsadbench.conformance.subject import subject_of

METHODS = registry.names("methods")
CHECKED = [(name, check.name) for name in METHODS for check in CHECKS]  # a method's checks one after the other


@cache
def findings(name):
    """Every finding of `zsadbench methods check` on a method, by check."""
    return {finding.check: finding for finding in run_checks(subject_of(registry.method_card(name)))}


@pytest.mark.parametrize(("name", "check"), CHECKED)
def test_conformance(name, check):
    finding = findings(name)[check]
    assert finding.result not in {"failed", "not judged"}, finding.found


@pytest.mark.parametrize("name", METHODS)
def test_what_is_not_checked_of_a_shipped_method_does_not_concern_it(name):
    card = registry.method_card(name)
    idle = {check for check, finding in findings(name).items() if finding.result == "not applicable"}
    learns, optimised = card.recipe is not None, card.recipe is not None and not card.recipe.one_pass
    step = card.transductive(card.options()) if card.transductive else None
    whole_class = step is not None and step.whole_class
    for check in ("batch", "order", "classes", "state", "bf16", "speed"):
        assert (check in idle) == whole_class
    assert ("whole-class" in idle) == (not whole_class)
    assert [check in idle for check in ("loss", "gradients", "training")] == 3 * [not optimised]
    assert ("save-load" in idle) == (not learns)
    assert ("few-shot" in idle) == (not card.few_shot)
    assert ("encode" in idle) == (not card.taps(card.options()).own_encoding)
    assert ("auxiliary" in idle) == (not (learns and card.recipe.one_pass))
    assert findings(name)["cost"].result in {"passed", "not applicable", "not declared"}


@pytest.mark.parametrize("name", METHODS)
def test_the_card_is_complete(name):
    card = registry.method_card(name)
    assert card.name == name
    taken = {protocol.name for protocol in registry.protocols()}
    assert {protocol.name for protocol in card.protocols} <= taken
    for field in fields(card.options)[:1]:
        with pytest.raises(FrozenInstanceError):
            setattr(card.options(), field.name, None)


@pytest.mark.parametrize("name", METHODS)
def test_the_card_needs_no_torch(name):
    code = (
        f"import sys\nfrom zsadbench.registry import method_card\ncard = method_card({name!r})\n"
        "card.taps(card.options())\nassert not {'torch', 'open_clip'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", METHODS)
def test_inside_the_encoders_it_walks_and_leaves_open_clip_alone(name):
    folder = Path(inspect.getfile(registry.entry_point("methods", name).load().build)).parent
    for path in folder.glob("*.py"):
        assert not re.search(
            r"import open_clip|from open_clip|\.visual\b|\.resblocks\b|\.transformer\b", path.read_text()
        ), path
