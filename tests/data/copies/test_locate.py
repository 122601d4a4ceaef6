import os
from dataclasses import replace

import pytest

from zsadbench.data import all_cards, find_card, find_copy, load_dataset, roots_from_environment, synthesise
from zsadbench.data.copies import locate
from zsadbench.errors import DataError

MVTEC = find_card("mvtec")
COLON = find_card("colondb")


def mvtec_at(folder):
    (folder / "bottle/test/good").mkdir(parents=True)
    return folder


def colon_at(folder):
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    return folder


@pytest.mark.parametrize("name", ["mvtec", "MVTec", "MVTEC_AD", "mvtec_anomaly_detection"])
def test_a_folder_with_a_known_name_whatever_the_case(tmp_path, name):
    root = mvtec_at(tmp_path / name)
    assert find_copy(MVTEC, [tmp_path]).root == root


def test_a_known_name_comes_before_one_that_only_starts_so(tmp_path):
    root = mvtec_at(tmp_path / "mvtec")
    mvtec_at(tmp_path / "mvtec_sample")
    assert find_copy(MVTEC, [tmp_path]).root == root


def test_a_name_that_starts_so_will_do(tmp_path):
    root = mvtec_at(tmp_path / "MVTec_sample")
    (tmp_path / "mvtec_3d/bagel/test").mkdir(parents=True)
    mvtec_at(tmp_path / "x")
    assert find_copy(MVTEC, [tmp_path]).root == root


@pytest.mark.parametrize("inner", ["mvtec", "archive/unpacked"])
def test_the_probe_may_fit_two_levels_down(tmp_path, inner):
    root = mvtec_at(tmp_path / "mvtec" / inner)
    assert find_copy(MVTEC, [tmp_path]) == (root, MVTEC.layouts[0])


def test_litter_is_no_second_copy(tmp_path):
    root = colon_at(tmp_path / "CVC-ColonDB/archive")
    for litter in ("__MACOSX", ".Trash"):
        colon_at(tmp_path / "CVC-ColonDB" / litter)
    assert find_copy(COLON, [tmp_path]).root == root


def test_a_bundle_of_sets_is_looked_into(tmp_path):
    root = colon_at(tmp_path / "Polyp_DataSet/CVC-ColonDB")
    colon_at(tmp_path / "Polyp_DataSet/CVC-ClinicDB")
    assert find_copy(COLON, [tmp_path]).root == root
    colon_at(tmp_path / "TestDataset/CVC-ColonDB")
    with pytest.raises(DataError, match="two copies fit"):
        find_copy(COLON, [tmp_path])


def test_three_levels_down_is_too_far(tmp_path):
    mvtec_at(tmp_path / "mvtec/a/b/c")
    with pytest.raises(DataError, match="not found"):
        find_copy(MVTEC, [tmp_path])


def test_the_root_itself_and_what_lies_in_it(tmp_path):
    root = mvtec_at(tmp_path / "x")
    assert find_copy(MVTEC, [root]).root == root
    assert find_copy(MVTEC, [tmp_path]).root == root


def test_the_root_itself_by_a_shared_probe_only_when_its_name_says_so(tmp_path, monkeypatch):
    twin = replace(COLON, name="clinicdb", aliases=(), folders=("CVC-ClinicDB",))
    monkeypatch.setattr(locate, "all_cards", lambda: (COLON, twin))
    nameless, named = colon_at(tmp_path / "x"), colon_at(tmp_path / "y/CVC-ColonDB")
    with pytest.raises(DataError, match="not found"):
        find_copy(COLON, [nameless])
    with pytest.raises(DataError, match="not found"):
        find_copy(twin, [named])
    assert find_copy(COLON, [named]).root == named


@pytest.mark.parametrize("names", [("mvtec", "mvtec_ad"), ("mvtec_a", "mvtec_b"), ("x", "y"), ("mvtec/a", "mvtec/b")])
def test_two_candidates_are_both_named(tmp_path, names):
    both = [str(mvtec_at(tmp_path / name)) for name in names]
    with pytest.raises(DataError, match="two copies fit") as caught:
        find_copy(MVTEC, [tmp_path])
    assert all(f"'{path}'" in str(caught.value) for path in both)


def test_a_link_that_leads_nowhere_hides_nothing(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    root = mvtec_at(tmp_path / "x")
    assert find_copy(MVTEC, [tmp_path]).root == root


def test_one_copy_under_two_names_is_one(tmp_path):
    root = mvtec_at(tmp_path / "mvtec")
    (tmp_path / "mvtec_ad").symlink_to(root)
    assert find_copy(MVTEC, [tmp_path]).root.resolve() == root


def test_the_first_root_wins(tmp_path):
    first, second = mvtec_at(tmp_path / "a/mvtec"), mvtec_at(tmp_path / "b/mvtec")
    assert find_copy(MVTEC, [tmp_path / "none", tmp_path / "a", tmp_path / "b"]).root == first
    assert find_copy(MVTEC, [tmp_path / "b", tmp_path / "a"]).root == second


def test_roots_come_from_the_environment(tmp_path, monkeypatch):
    root = mvtec_at(tmp_path / "b/mvtec")
    monkeypatch.setenv("ZSADBENCH_DATA", os.pathsep.join([str(tmp_path / "a"), "", str(tmp_path / "b")]))
    assert roots_from_environment() == (tmp_path / "a", tmp_path / "b")
    assert find_copy(MVTEC).root == root
    other = mvtec_at(tmp_path / "c")
    monkeypatch.setenv("ZSADBENCH_DATA_MVTEC", str(other))
    assert find_copy(MVTEC).root == other
    assert find_copy(MVTEC, [tmp_path / "b"]).root == root, "a root given outright comes before the environment"


def test_a_variable_that_points_at_a_set_may_use_an_alias_and_a_shared_probe(tmp_path, monkeypatch):
    monkeypatch.setattr(locate, "all_cards", lambda: (COLON, replace(COLON, name="clinicdb")))
    monkeypatch.setenv("ZSADBENCH_DATA_CVC_COLONDB", str(colon_at(tmp_path / "x")))
    assert find_copy(COLON).root == tmp_path / "x"


def test_a_variable_that_points_astray_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("ZSADBENCH_DATA_COLONDB", str(tmp_path))
    with pytest.raises(
        DataError, match=r"colondb: ZSADBENCH_DATA_COLONDB points at '.*', but holds none of: images and"
    ):
        find_copy(COLON)


def test_nothing_found_says_what_where_and_how(tmp_path):
    (tmp_path / "VisA").mkdir()
    with pytest.raises(DataError) as caught:
        load_dataset("visa", [tmp_path, tmp_path / "none"])
    message = str(caught.value)
    for words in (
        "visa: not found\n  looked for: a folder named visa, VisA_20220922",
        f"below '{tmp_path}', '{tmp_path / 'none'}' (no folder)",
        "\n  what to do: get it from",
        "VisA_20220922",
        "<class>/Data/Images and split_csv/1cls.csv or 1cls/<class>/test or <class>/ground_truth/bad or meta.json",
        f"'{tmp_path / 'VisA'}' has the name, but holds none of",
        "https://github.com/amazon-science/spot-diff",
        "CC BY 4.0",
        "--data-root",
        "ZSADBENCH_DATA_VISA",
    ):
        assert words in message
    assert len(message.splitlines()) == 3
    with pytest.raises(DataError, match="no data root is given"):
        load_dataset("visa")


def test_the_first_release_of_colondb_is_named(tmp_path, write_image):
    for number in range(1, 301):
        write_image(tmp_path / f"CVC-ColonDB/{number}.bmp")
        write_image(tmp_path / f"CVC-ColonDB/p{number}.bmp", mode="L")
        write_image(tmp_path / f"CVC-ColonDB/c{number}.bmp", mode="L")
    with pytest.raises(DataError, match=r"another edition: the 300 frames of the first release"):
        load_dataset("colondb", [tmp_path])
    found = load_dataset("colondb", [tmp_path], allow_partial=True)
    assert (len(found.manifest), found.unread) == (300, {})


def test_a_class_folder_of_one_set_is_no_copy_of_another(tmp_path):
    mvtec_at(tmp_path / "mvtec")
    (tmp_path / "x/brain/test/good").mkdir(parents=True)
    for name in ("headct", "brainmri", "br35h"):
        for root in (tmp_path, tmp_path / "mvtec", tmp_path / "x"):
            with pytest.raises(DataError, match=rf"^{name}: not found\n"):
                find_copy(find_card(name), [root])


@pytest.mark.parametrize("card", [card for card in all_cards() if not card.generated], ids=lambda card: card.name)
def test_an_empty_root_gives_one_readable_line(tmp_path, card):
    with pytest.raises(DataError, match=rf"^{card.name}: not found\n") as caught:
        find_copy(card, [tmp_path])
    assert "{" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 3


SLUGS = {
    "headct": "head-ct-hemorrhage",
    "brainmri": "brain-mri-images-for-brain-tumor-detection",
    "br35h": "brain-tumor-detection",
    "dagm": "dagm-2007-competition-dataset-optical-inspection",
    "mvtec": "MVTec-AD",
    "clinicdb": "cvc clinicdb",
    "colondb": "CVC_ColonDB (1)",
    "kvasir": "kvasir seg",
    "realiad": "real-iad",
    "isic": "ISIC-2016",
}


@pytest.mark.parametrize(("name", "folder"), SLUGS.items())
@pytest.mark.parametrize("root", ["", "{folder}"])
def test_folders_as_downloads_name_them(tmp_path, name, folder, root):
    """The data root holds the folder, or is the folder."""
    made = synthesise(name, tmp_path / "made", 1)
    (tmp_path / "data").mkdir()
    made.rename(tmp_path / "data" / folder)
    found = find_copy(find_card(name), [tmp_path / "data" / root.format(folder=folder)])
    assert found.root.is_relative_to(tmp_path / "data" / folder)
