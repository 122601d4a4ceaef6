"""The file in which authors declare how saved maps were made: every fault at once, and no name of a shipped method."""

import pytest

from zsadbench.errors import UsageError
from zsadbench.saved_maps.about import About, read_about
from zsadbench.types import Paper

NEEDED = {"name": '"glow"', "trained": "true", "aux": '"mvtec"', "backbone": '"ViT-L-14-336"', "weights": '"openai"'}
NEEDED |= {"image_size": "518"}


@pytest.fixture
def read(tmp_path):
    """`read(tail, key="value as TOML")`: reads a file with the needed keys, changed; None leaves one out."""

    def make(tail="", **changes):
        lines = [f"{name} = {value}" for name, value in (NEEDED | changes).items() if value is not None]
        (tmp_path / "about.toml").write_text("\n".join([*lines, tail]), encoding="utf-8")
        return read_about(tmp_path / "about.toml")

    return make


def test_the_least_that_must_be_declared(read):
    assert read() == About("glow", True, "ViT-L-14-336", "openai", 518, aux=("mvtec",))
    assert read().declared == {"trained": True, "weights": "openai", "image_size": 518}
    assert read(trained="false", aux=None).aux == ()


def test_everything_that_can_be_declared(read):
    entry = "@misc{doe2027, title = {Glow}}"
    paper = (
        f'[paper]\ntitle = "Glow: Ü"\nauthors = ["Jané Doe"]\nyear = 2027\nurl = "https://a.b/c"\nbibtex = "{entry}"'
    )
    about = read(paper, seed="3", shots="2", transductive="true", code='"https://a.b"', commit='"0123abc"')
    assert (about.seed, about.shots, about.transductive) == (3, 2, True)
    assert about.paper == Paper(
        "Glow: Ü", "", 2027, "doe2027", url="https://a.b/c", authors=("Jané Doe",), bibtex=entry
    )
    assert about.declared["paper"]["authors"] == ["Jané Doe"]
    assert (about.declared["code"], about.declared["commit"]) == ("https://a.b", "0123abc")
    assert read('[paper]\ntitle = "x"\nyear = 2027').paper.key == "glow2027"


def test_a_set_without_a_card_is_described_and_an_alias_is_the_card(read):
    assert read(aux='"other: 2000 images of our own"').aux == ("other: 2000 images of our own",)
    assert read(aux='["MVTEC", "colondb", "mvtec"]').aux == ("mvtec", "colondb")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        *[({name: None}, f"'{name}' is missing") for name in NEEDED],
        ({"nam": '"x"'}, "no key named 'nam'; did you mean 'name'?"),
        ({"name": "3"}, "'name' must be a text of one line"),
        ({"name": '"FBCLIP"'}, "'fbclip' is a method of this installation; name yours otherwise: my-fbclip"),
        ({"name": '"a [b]"'}, "'name' is 'a [b]'; it takes letters"),
        ({"name": '"a\\nb"'}, "'name' must be a text of one line"),
        ({"trained": '"yes"'}, "'trained' must be true or false, not 'yes'"),
        ({"trained": "false"}, "'aux' is given, but 'trained' is false"),
        ({"aux": "[]"}, "'aux' must be the name of a data set, or a list of names, not []"),
        ({"aux": '["mvtec", 3]'}, "'aux' must be the name of a data set, or a list of names"),
        ({"aux": '"mvetc"'}, "'aux': no data set named 'mvetc'; did you mean 'mvtec'?"),
        ({"backbone": '"ViT-L/14@336px"'}, "write 'ViT-L-14-336', as built-in methods do"),
        ({"image_size": "0"}, "'image_size' must be a whole number of at least 1, not 0"),
        ({"image_size": "true"}, "'image_size' must be a whole number"),
        ({"seed": "-1"}, "'seed' must be a whole number, not -1"),
        ({"code": '"javascript:alert(1)"'}, "'code' must be an address that begins with https://"),
        ({"commit": '"0123abc"'}, "'commit' needs 'code'"),
        ({"commit": '"main"'}, "'commit' must be 7 to 64 hexadecimal digits, not 'main'"),
        ({"paper": '"x"'}, "'paper' must be a table, [paper]"),
        ({"paper": "{}"}, "'paper.title' is missing"),
        ({"paper": '{title = "x", yaer = 1}'}, "no key named 'paper.yaer'; did you mean 'paper.year'?"),
        ({"paper": '{title = "x", year = 27}'}, "'paper.year' is 27, not a year"),
        ({"paper": '{title = "x", bibtex = "@misc{k"}'}, "'paper.bibtex', line 1"),
        ({"paper": '{title = "x", key = "a", bibtex = "@misc{k, title = {x}}"}'}, "it is one entry with the key 'a'"),
    ],
)
def test_one_fault(read, changes, fault):
    with pytest.raises(UsageError) as raised:
        read(**changes)
    assert fault in str(raised.value)


def test_all_faults_are_named_at_once(read):
    with pytest.raises(UsageError) as raised:
        read(name='"clip"', backbone=None, image_size="-1", colour='"red"', commit='"x"')
    lines = str(raised.value).split("\nerror: ")
    assert len(lines) == 5
    assert all("about.toml': " in line for line in lines)


def test_a_file_that_cannot_be_read_is_named(read, tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read_about(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="no valid TOML"):
        read("[")
