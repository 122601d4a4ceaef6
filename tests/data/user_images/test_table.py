"""Images of the user: tables, folders without labels, and their use in `predict` and `run`."""

import pytest

from zsadbench.data import find_card, images_of, load_dataset
from zsadbench.data.layouts.file_tree import FileLookup
from zsadbench.errors import DataError, UsageError


@pytest.fixture
def table(tmp_path):
    """`table("path,label", "a.png,0")` writes `my caps/list.csv` and returns its path."""

    def write(*lines, name="list.csv"):
        path = tmp_path / "my caps" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


def load(path, **more):
    return load_dataset(f"csv:{path}", **more)


def refused(path, words, **more):
    with pytest.raises(DataError, match=words) as caught:
        load(path, **more)
    assert "\n" not in str(caught.value)


def test_two_columns_are_enough(table, write_image):
    path = table("path,label", "a.png,0", "dents/b.JPG,1")
    write_image(path.parent / "a.png")
    write_image(path.parent / "dents/b.JPG")
    write_image(path.parent / "nobody named me.png")
    found = load(path)
    assert (found.card.name, found.card.levels, dict(found.card.classes)) == ("csv:list", ("image",), {"list": "list"})
    frame = found.manifest.set_index("relative")
    assert dict(frame["label"]) == {"a.png": 0, "dents/b.JPG": 1}
    assert dict(frame["defect"]) == {"a.png": "good", "dents/b.JPG": "anomaly"}
    assert (found.layout, found.root, found.partial, found.synthetic, found.notes) == (
        "csv",
        path.parent,
        *[False] * 2,
        (),
    )
    assert find_card(f"csv:{path}") == found.card


def test_all_columns_are_read(table, write_image):
    path = table(
        "split,class,defect,mask,label,path",
        "test,red_cap,dent,masks/1.png,anomalous,red/1.png",
        "test,red_cap,,,good,red/2.png",
        "train,can,,,normal,can/1.png",
        "TEST,can,scratch,masks/2.png,bad,can/2.png",
        ",can,,masks/none.png,0,can/3.png",
    )
    for name in ("red/1.png", "red/2.png", "can/1.png", "can/2.png", "can/3.png"):
        write_image(path.parent / name)
    for name in ("masks/1.png", "masks/2.png"):
        write_image(path.parent / name, mode="L")
    found = load(path)
    assert dict(found.card.classes) == {"red_cap": "red cap", "can": "can"}
    assert found.card.levels == ("image", "pixel")
    rows = found.manifest.set_index("relative")[["label", "class", "defect", "mask"]].T.to_dict("list")
    assert rows == {
        "red/1.png": [1, "red_cap", "dent", str(path.parent / "masks/1.png")],
        "red/2.png": [0, "red_cap", "good", ""],
        "can/2.png": [1, "can", "scratch", str(path.parent / "masks/2.png")],
        "can/3.png": [0, "can", "good", ""],
    }
    assert list(load(path, splits=("train",)).manifest["relative"]) == ["can/1.png"]


LABELS = ("0", "normal", "good", "OK", "Ok", "1", "anomalous", "Anomaly", "abnormal", "bad", "NOK", "NG", "defective")


@pytest.mark.parametrize("label", LABELS)
def test_labels_may_be_spelled_in_words(table, write_image, label):
    path = table("path,label", f"a.png,{label}")
    write_image(path.parent / "a.png")
    assert load(path).manifest["label"][0] == (label.casefold() not in {"0", "normal", "good", "ok"})


@pytest.mark.parametrize("name", ["with space.png", " first.png", "Übergröße 照片.png", "two\nlines.png", 'quo"te.png'])
def test_odd_names_are_read_as_they_are(table, write_image, name):
    quoted = '"' + name.replace('"', '""') + '"'
    path = table("path,label", f"{quoted},0", "z.png,1")
    write_image(path.parent / name)
    write_image(path.parent / "z.png")
    assert set(load(path).manifest["relative"]) == {name, "z.png"}
    assert list(images_of([f"csv:{path}"])) == [path.parent / name, path.parent / "z.png"]


def test_blanks_around_a_cell_are_none_of_a_name_that_lacks_them(table, write_image):
    path = table("path, label", " a.png , 1 ")
    write_image(path.parent / "a.png")
    assert list(load(path).manifest["relative"]) == ["a.png"]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["file,label", "a.png,0"], r"list.csv' has no column 'path', only: file, label; known: path, label, mask"),
        (["path,lable", "a.png,0"], r"has no column 'label', only: path, lable"),
        (["path,label,masks", "a.png,0,"], r"has a column 'masks'; if 'mask' is meant, spell it so"),
        (["path,label,Clas", "a.png,0,x"], r"has a column 'Clas'; if 'class' is meant"),
        (["path,label,Path", "a.png,0,b.png"], r"has two columns 'Path'; rename or remove one"),
        (["path,label,note,note", "a.png,0,1,2"], r"has two columns 'note'"),
        ([",path,label", "0,a.png,0"], r"column 1 has no name; name it, or remove it"),
        (["path,label", "a.png,0", "b.png,maybe"], r"line 3: label 'maybe' is none of 0, normal, good, ok, 1"),
        (["path,label", "a.png,"], r"line 2: label '' is none of"),
        (["path,label", "a.png"], r"line 2: label 'None' is none of"),
        (["path,label", "a.png,0", "b.png,1", "./a.png,0"], r"line 4: names 'a.png' a second time; .* list.csv line 2"),
        (["path,label", "a.png,0", "../../b.png,1"], r"line 3: '../../b.png' leaves the root"),
        (["path,label", "/etc/a.png,1"], r"line 2: '/etc/a.png' leaves the root"),
        (["path,label", "/elsewhere/my caps/a.png,1"], r"line 2: '/elsewhere/my caps/a.png' leaves the root"),
        (["path,label,mask", "a.png,1,../a.png"], r"line 2: '../a.png' leaves the root"),
        (
            ["path,label", "a,b.png,1"],
            r"line 2: more cells than columns; a text with a separator in it goes into quotes",
        ),
        (["path,label", '"a.png,1'], r"line \d: unexpected end of data"),
        (['path,"label', "a.png,0"], r"list.csv' line 1: unexpected end of data"),
        (["path,label", ",1"], r"line 2: no image is named"),
        (
            ["path,label", "a.png,0", "gone.png,1", "too.png,1"],
            r"2 images .* first gone.png \(named in list.csv line 3",
        ),
        (["path,label", "gone.png,1"], r"no test image in .*; 1 images .* first gone.png \(named in list.csv line 2"),
        (["path,label,mask", "a.png,1,no.png"], r"no.png is missing \(named in list.csv line 2\). Restore it."),
        (["path,label,mask", "a.png,1,a.png", "b.png,1,"], r"a mask is missing \(the mask of b.png, list.csv line 3\)"),
        (["path,label"], r"csv:list: no test image in"),
        ([""], r"has no column 'path', only: ;"),
    ],
)
def test_a_wrong_table_is_one_line_with_its_row(table, write_image, lines, words):
    path = table(*lines)
    write_image(path.parent / "a.png")
    write_image(path.parent / "b.png")
    refused(path, words)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("spelling", [str.lower, str.upper, str.title])
def test_columns_in_any_case_and_cells_separated_in_other_ways(table, write_image, separator, spelling):
    header = separator.join(spelling(name) for name in ("path", "label", "class", "mask"))
    rows = [separator.join(row) for row in (("a.png", "OK", "cap", ""), ("b, c.png", "NOK", "cap", "m.png"))]
    path = table(header, rows[0], rows[1] if separator != "," else '"b, c.png",NOK,cap,m.png')
    for name in ("a.png", "b, c.png", "m.png"):
        write_image(path.parent / name)
    found = load(path)
    assert list(found.manifest["label"]) == [0, 1]
    assert found.classes == ("cap",)
    assert found.manifest["mask"][1].endswith("m.png")
    assert len(images_of([f"csv:{path}"])) == 2


def test_a_whole_path_below_the_table_will_do(table, write_image):
    path = table("path,label", "here")
    write_image(path.parent / "a.png")
    table("path,label", f"{path.parent}/a.png,1")
    assert list(load(path).manifest["relative"]) == ["a.png"]


def test_other_columns_are_told_and_what_is_missing_may_be_left_out(table, write_image):
    path = table("path,label,operator", "a.png,0,Kim", "b.png,1,Lee", "c.png,1,Lee")
    write_image(path.parent / "a.png")
    write_image(path.parent / "b.png")
    found = load(path, allow_partial=True)
    assert (found.partial, len(found.manifest)) == (True, 2)
    assert found.notes == (f"3 rows have fields that mean nothing here (operator), first '{path}' line 2",)


def test_a_table_looks_up_its_files_and_lists_no_folder(table, write_image, monkeypatch):
    path = table("path,label", "a.png,0")
    write_image(path.parent / "a.png")
    monkeypatch.setattr(FileLookup, "_walk", None)
    assert len(load(path).manifest) == 1


def test_names_that_no_disk_can_hold_are_missing_files(table, tmp_path):
    name = "x" * 300
    refused(table("path,label", f"{name}.png,1"), "1 images that a table names are not there")
    for wrong in (f"csv:{name}", f"folder:{name}", name):
        with pytest.raises(DataError, match=r"is no (file|folder|image)"):
            images_of([wrong])
    refused(table("path,label", "a\0b.png,1"), r"is no text: it holds bytes of value 0")


@pytest.mark.parametrize("blank", ["   ", ",", " , "])
def test_lines_of_blanks_or_separators_are_no_rows(table, write_image, blank):
    path = table("path,label", "a.png,0", blank, "b.png,1", blank)
    for name in ("a.png", "b.png"):
        write_image(path.parent / name)
    assert len(load(path).manifest) == 2


def test_what_is_no_table(tmp_path):
    refused(tmp_path / "none.csv", r"none.csv' is no file \(of the target 'csv:")
    refused(tmp_path, r"is no file")
    with pytest.raises(UsageError, match="write csv:PATH"):
        load_dataset("csv:")
    (tmp_path / "latin.csv").write_bytes("path,label\nGröße.png,0\n".encode("latin-1"))
    refused(tmp_path / "latin.csv", "is no text in UTF-8; save it as UTF-8")


# ---- images to be scored


def test_a_flat_folder_is_scored_not_measured(tmp_path, write_image):
    for name in ("b.png", "A.JPG", "deep/c.dcm", "deep/.d.png", "__MACOSX/e.png", "notes.txt"):
        write_image(tmp_path / "x.png").rename(
            write_image(tmp_path / "shots" / (name + ".png")).with_name(name.rsplit("/")[-1])
        )
    for leftover in (tmp_path / "shots").rglob("*.*.png"):
        leftover.unlink()
    expected = [tmp_path / "shots" / name for name in ("A.JPG", "b.png", "deep/c.dcm")]
    assert list(images_of([f"folder:{tmp_path / 'shots'}"])) == list(images_of([tmp_path / "shots"])) == expected
    with pytest.raises(DataError, match="holds no labels"):
        load_dataset(f"folder:{tmp_path / 'shots'}")


def test_of_a_labelled_folder_the_test_images_are_scored(tmp_path, write_image):
    for name in ("train/good/1.png", "test/good/2.png", "test/dent/3.png", "ground_truth/dent/3_mask.png"):
        write_image(tmp_path / name)
    assert list(images_of([f"folder:{tmp_path}"])) == [tmp_path / "test/dent/3.png", tmp_path / "test/good/2.png"]
    (tmp_path / "empty").mkdir()
    write_image(tmp_path / "caps/good/.hidden.png")
    for nothing in (tmp_path / "empty", tmp_path / "none.png", f"folder:{tmp_path / 'caps'}"):
        with pytest.raises(DataError, match="is no image and no folder of images"):
            images_of([nothing])


def test_of_a_table_only_paths_are_asked_for(table, write_image):
    path = table("path,label,mask", "b.png,perhaps,", "a.png,,none.png")
    write_image(path.parent / "a.png")
    write_image(path.parent / "b.png")
    files = [path.parent / "b.png", path.parent / "a.png"]
    assert list(images_of([f"csv:{path}", path.parent / "a.png"])) == files
    table("path", "b.png", "gone.png", "lost.png")
    with pytest.raises(DataError, match=r"gone.png' is missing \(named in list.csv line 3\), and 1 more"):
        images_of([f"csv:{path}"])
    table("image", "b.png")
    with pytest.raises(DataError, match="has no column 'path'"):
        images_of([f"csv:{path}"])
