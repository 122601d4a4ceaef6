"""Templates of the user run in a sandbox."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from jinja2.exceptions import SecurityError

from zsadbench.errors import UsageError
from zsadbench_reports.html.page import write_html
from zsadbench_reports.html.templates import environment_of
from zsadbench_reports.latex import write_latex
from zsadbench_reports.sandbox import Sandbox

ATTACKS = (
    "''.__class__.__mro__[1].__subclasses__()",
    "cycler.__init__.__globals__.os.system('touch ran')",
    "lipsum.__globals__['os'].system('touch ran')",
    "self.__init__.__globals__",
    "'{0.__class__}'.format(1).__class__.__base__.__subclasses__()",
    "path.write_text('ran')",
    "frame.to_csv('ran')",
    "array.tofile('ran')",
)


@pytest.mark.parametrize("attack", ATTACKS)
def test_templates_reach_no_code_and_no_files(attack, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = {"path": Path("ran"), "frame": pd.DataFrame({"a": [1]}), "array": np.ones(3)}
    with pytest.raises(SecurityError):
        Sandbox().from_string("{{ " + attack + " }}").render(**values)
    assert not (tmp_path / "ran").exists()


def test_both_kinds_of_pages_use_the_sandbox(make_board, tmp_path):
    (tmp_path / "html").mkdir()
    (tmp_path / "html" / "index.html.jinja").write_text("{{ ''.__class__.__mro__ }}")
    (tmp_path / "report.tex.jinja").write_text("((( ''.__class__.__mro__ )))")
    for write in (write_html, write_latex):
        with pytest.raises(UsageError, match=r"a template of .* cannot be used: access to attribute '__class__'"):
            write(make_board([]), tmp_path, tmp_path)


FAULTS = {"arithmetic": "{{ 1 / 0 }}", "type": "{{ 'a' + 1 }}", "name": "{{ nothing }}", "syntax": "{{"}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_whatever_a_template_raises_is_said_in_one_line(make_board, tmp_path, fault):
    (tmp_path / "html").mkdir()
    (tmp_path / "html" / "index.html.jinja").write_text(fault)
    with pytest.raises(UsageError, match=r"a template of .* cannot be used: \S") as raised:
        write_html(make_board([]), tmp_path, tmp_path)
    assert "\n" not in str(raised.value)


def test_values_are_escaped_as_html():
    assert environment_of(None).from_string("{{ name }}").render(name="<b>") == "&lt;b&gt;"
