"""The critical-difference diagram: its content, and that names cannot inject markup."""

from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from zsadbench.compare import critical_difference
from zsadbench_reports.critical import critical_difference_svg


@pytest.fixture(scope="module")
def values():
    rng = np.random.default_rng(0)
    columns = ["a", "b", '<b>&"\x01', "d$_2$", "e" * 50]
    return pd.DataFrame(0.5 + np.linspace(0, 0.2, 5) + rng.normal(0, 0.02, (8, 5)), columns=columns)


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_the_diagram_names_every_method_with_its_rank_and_the_distance(values):
    found = critical_difference(values)
    shown = texts(critical_difference_svg(found))
    assert f"critical difference {found.distance:.2f}, Friedman p < 0.001" in shown
    assert {f"{found.ranks['a']:.2f} a", f"{'e' * 29}… {found.ranks['e' * 50]:.2f}"} <= set(shown)
    assert sum(r'<b>&"\x01' in text for text in shown) == 1
    assert sum("d$_2$" in text for text in shown) == 1


def test_one_bar_a_clique(values):
    found = critical_difference(values)
    root = ElementTree.fromstring(critical_difference_svg(found))
    widths = [element.get("style", "") for element in root.iter("{http://www.w3.org/2000/svg}path")]
    assert sum("stroke-width: 3.5" in style for style in widths) == len(found.cliques) > 0


def test_without_a_test_the_reason_stands_in_its_place(values):
    shown = texts(critical_difference_svg(critical_difference(values[:3])))
    assert "no test: 3 data sets: the test needs 6" in shown
    assert not any("critical difference" in text for text in shown)


def test_the_drawing_is_repeatable_takes_the_text_colour_and_loads_nothing(values):
    first, again = (critical_difference_svg(critical_difference(values)) for _ in range(2))
    assert first == again
    assert "currentColor" in first
    assert "#000000" not in first
    assert "<metadata" not in first
    assert "<image" not in first
    assert first.startswith("<svg ")
