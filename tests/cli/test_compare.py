"""`zsadbench compare`: what is printed, and how it fails."""

import json

import pandas as pd
import pytest

from zsadbench.cli import app, main
from zsadbench.records import write_record


@pytest.fixture
def results(make_record, tmp_path):
    for method, value in (("fbclip", 0.9), ("afclip", 0.8)):
        record = make_record(method, "visa", {"candle": value, "fryum": value - 0.1})
        path = tmp_path / "results" / "visa" / method / "0123456789abcdef.json"
        path.parent.mkdir(parents=True)
        write_record(path, record, pd.DataFrame({"path": ["x"]}))
    return tmp_path / "results"


def test_the_tables_hold_classes_data_sets_and_published_numbers(results, capsys):
    app(["compare", "fbclip", "afclip", "--results", str(results)], standalone_mode=False)
    printed = capsys.readouterr().out
    assert "fbclip against afclip: protocol strict" in printed
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    assert "candle 90.0 80.0 +10.0 -" in lines
    assert "mean 85.0 75.0 +10.0 +10.0 to +10.0" in lines
    assert "p: fewer than 6 data sets, no test over data sets" in lines
    assert "smallest p that the number of data sets allows: 1.000 for 1" in lines
    assert any(line.startswith("FB-CLIP VisA 89.5 →") for line in lines)
    assert any(line.startswith("[1] protocol: strict, published with paper:fbclip") for line in lines)
    tables = [line for line in printed.splitlines() if not line.startswith(("[", "fbclip against"))]
    assert all(len(line) <= 80 for line in tables if "   " in line)


def test_json_is_one_object_a_line(results, capsys):
    app(["compare", "fbclip", "afclip", "--results", str(results), "--json"], standalone_mode=False)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {event["event"] for event in events} == {"gap", "overall", "published"}
    (found,) = [event for event in events if (event.get("class"), event.get("metric")) == ("candle", "pixel_aupro")]
    assert found["points"] == pytest.approx(10.0)
    assert (found["left"], found["right"], found["interval"]) == ("fbclip", "afclip", None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fbclip", "fbclp"], "error: no measured method named 'fbclp'; did you mean 'fbclip'?"),
        (["fbclip", "afclip", "--results", "nowhere"], "error: no records below 'nowhere'"),
        (["fbclip"], "error: "),
    ],
)
def test_mistakes_are_one_line_and_exit_2(results, capsys, monkeypatch, arguments, said):
    given = arguments if "--results" in arguments else [*arguments, "--results", str(results)]
    monkeypatch.setattr("sys.argv", ["zsadbench", "compare", *given])
    with pytest.raises(SystemExit) as left:
        main()
    printed = capsys.readouterr()
    assert (left.value.code, printed.out) == (2, "")
    assert printed.err.startswith(said)
    assert len(printed.err.splitlines()) == 1
