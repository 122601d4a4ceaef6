"""Settings of methods: grids of options on the command line and in a file."""

import pytest

from zsadbench import registry
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.plan.options import configure, split_values
from zsadbench.engine.plan.settings import configure_all, differing, setting_text
from zsadbench.engine.plan.sharing import group_jobs
from zsadbench.engine.plan.sweep_file import read_sweep
from zsadbench.errors import UsageError


@pytest.fixture
def values_of(request_for):
    """`values_of(**changes)`: temperatures and words of the settings of `clip`."""

    def read(**changes):
        request = request_for(**{"methods": ("clip",), "aux": "none", **changes})
        return [(each.options.temperature, each.options.normal) for each in configure_all(request)]

    return read


@pytest.fixture
def sweep_file(tmp_path):
    def write(text):
        path = tmp_path / "sweep.toml"
        path.write_text(text)
        return path

    return write


NORMAL = "a photo of a normal {}."


def test_a_grid_has_every_combination_and_the_last_key_varies_fastest(values_of):
    assert values_of(options=("temperature=0.07|0.1", "normal=a {}|b {}")) == [
        (0.07, "a {}"),
        (0.07, "b {}"),
        (0.1, "a {}"),
        (0.1, "b {}"),
    ]


def test_a_bar_after_a_backslash_belongs_to_the_text(values_of):
    assert values_of(options=(r"normal=a \| {}",)) == [(0.01, "a | {}")]
    assert split_values(r"a\|b|c") == ("a|b", "c")


def test_a_file_gives_grids_and_the_baseline_first(values_of, sweep_file):
    path = sweep_file('baseline = true\n[[clip]]\ntemperature = [0.05, 0.1]\n[[clip]]\nnormal = "a|b {}"\n')
    assert values_of(sweep=path) == [(0.01, NORMAL), (0.05, NORMAL), (0.1, NORMAL), (0.01, "a|b {}")]


def test_a_file_is_combined_with_options_of_the_command_line(values_of, sweep_file):
    path = sweep_file("[clip]\ntemperature = [0.05, 0.1]\n")
    assert values_of(sweep=path, options=("normal=x {}",)) == [(0.05, "x {}"), (0.1, "x {}")]


def test_a_file_may_have_options_of_the_recipe_and_lists(request_for, sweep_file):
    path = sweep_file("[fbclip]\nrecipe.lr = [1e-4, 1e-3]\nlayers = [[6, 12]]\ntext_causal = [true]\n")
    settings = configure_all(request_for(sweep=path))
    assert [each.recipe.lr for each in settings] == [1e-4, 1e-3]
    assert all(each.options.layers == (6, 12) and each.options.text_causal for each in settings)
    assert list(map(setting_text, differing(settings))) == ["recipe.lr=0.0001", "recipe.lr=0.001"]


def test_a_method_without_a_table_runs_once(request_for, sweep_file):
    path = sweep_file("[clip]\ntemperature = [0.05, 0.1]\n")
    settings = configure_all(request_for(methods=("clip", "fbclip"), sweep=path))
    assert [each.card.name for each in settings] == ["clip", "clip", "fbclip"]
    assert differing(settings)[2] == {}


@pytest.mark.parametrize(
    ("options", "faults"),
    [
        (("temprature=1", "temperature=a|b"), ["'temprature'; did you mean 'temperature'?", "'a'", "'b'"]),
        (("fbclip.views=id",), ["option 'fbclip.views': 'fbclip' is not among the methods: clip"]),
        (("recipe.lr=1|2",), ["'clip' does not train, so it has no 'recipe.lr'"]),
        (("temperature=|0.1",), ["option 'temperature' is ''; it takes a number"]),
        (("temperature",), ["option 'temperature' is not of the form KEY=VALUE"]),
    ],
)
def test_all_faults_of_options_are_named_at_once(values_of, options, faults):
    with pytest.raises(UsageError) as failure:
        values_of(options=options)
    told = str(failure.value).split("\nerror: ")
    assert len(told) == len(faults)
    assert all(fault in line for fault, line in zip(faults, told, strict=True))


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("[clip]\ntemperature = []\n", ["[clip] 'temperature' has no value"]),
        (
            'baseline = "yes"\n[clip]\nlayer = [1979-05-27, {}]\n',
            ["'baseline' must be true", "wrong type", "wrong type"],
        ),
        ("clip = 3\n", ["'clip' must be a table"]),
        ("baseline = true\n", ["it has no table of a method"]),
        ("[clip\n", ["is no valid TOML"]),
        ("[clip]\nlayer = 24\n[tuned.clip]\naux = 'demo-aux'\n", ["[tuned.clip] is not as zsadbench tune writes it"]),
    ],
)
def test_a_file_of_another_form_is_refused_with_all_faults(sweep_file, text, faults):
    with pytest.raises(UsageError) as failure:
        read_sweep(sweep_file(text))
    told = str(failure.value).split("\nerror: ")
    assert len(told) == len(faults)
    assert all(fault in line for fault, line in zip(faults, told, strict=True))


def test_keys_of_a_file_are_checked_with_those_of_the_command_line(values_of, sweep_file):
    path = sweep_file("[clip]\ntemprature = [1]\nlayer = [1.5]\n[fbclip]\nlayers = [6]\n")
    with pytest.raises(UsageError) as failure:
        values_of(sweep=path, options=("layer=24",))
    told = str(failure.value).split("\nerror: ")
    assert "[fbclip] is not among the methods: clip" in told[0]
    assert "'layer' is given by --sweep and by -O" in told[1]
    assert "no option of clip named 'temprature'" in told[2]
    assert "'layer' is '1.5'; it takes a whole number" in told[3]


def test_blocks_that_the_encoder_lacks_are_named_at_once(request_for):
    with pytest.raises(UsageError) as failure:
        make_plan(request_for(methods=("clip",), aux="none", options=("layer=24|30|31",)))
    told = str(failure.value).split("\nerror: ")
    assert ["30" in told[0], "31" in told[1], len(told)] == [True, True, 2]


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"--sweep: '.*none.toml' cannot be read: No such file"):
        read_sweep(tmp_path / "none.toml")


def test_commands_with_one_setting_refuse_a_grid():
    with pytest.raises(UsageError, match="option 'temperature' has 2 values; run, train and tune take several"):
        configure(registry.method_card("clip"), ("temperature=1|2",), ("clip",))


def test_an_option_may_name_its_method_when_only_one_runs(values_of):
    assert values_of(options=("clip.temperature=0.5",)) == [(0.5, NORMAL)]


def test_many_settings_give_a_warning(values_of, caplog):
    numbers = "|".join(str(number / 100) for number in range(1, 34))
    assert len(values_of(options=(f"temperature={numbers}",))) == 33
    assert "clip: 33 settings, each of them a record per target and seed" in caplog.text


def test_settings_are_records_of_their_own_and_share_the_encoding(request_for):
    request = request_for(methods=("clip",), aux="none", options=("temperature=0.01|0.1|0.01|0.10",))
    jobs = make_plan(request).jobs
    assert [job.cell["options"] for job in jobs] == [{}, {"temperature": 0.1}]
    assert len({job.path for job in jobs}) == 2
    assert len(group_jobs(jobs)) == 1


def test_a_setting_has_the_numbers_of_a_run_of_its_own(request_for, tmp_path):
    from zsadbench.engine.run import run_plan

    def values(out, *options):
        request = request_for(methods=("clip",), aux="none", out=tmp_path / out, options=options)
        return [record.classes for _, record in run_plan(make_plan(request)).records]

    together = values("together", "temperature=0.01|0.5")
    assert together == values("alone", "temperature=0.01") + values("alone", "temperature=0.5")
