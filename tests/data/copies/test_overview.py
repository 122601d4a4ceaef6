"""What a notebook shows of a data set: counts by a slow way, examples with masks, names that are no markup."""

from xml.etree import ElementTree

import pytest
from PIL import Image

import zsadbench
from zsadbench.data.copies.overview import examples


def parsed(text):
    return ElementTree.fromstring(f"<div>{text.replace('<wbr>', '')}</div>")


@pytest.mark.parametrize("name", ["btad", "brainmri"])
def test_counts_are_those_of_the_manifest(mini, name):
    data = zsadbench.load_dataset(name, mini)
    rows = data.manifest.to_dict("records")
    counts = data.counts()
    assert counts["class"].tolist() == list(data.classes)
    for row in counts.to_dict("records"):
        own = [each for each in rows if (each["class"], each["split"]) == (row["class"], row["split"])]
        anomalous = [each for each in own if each["label"] == 1]
        assert row["normal"] == len(own) - len(anomalous)
        assert row["anomalous"] == len(anomalous)
        assert row["masks"] == sum(bool(each["mask"]) for each in own)
        assert row["defects"] == len({each["defect"] for each in anomalous})
    table = next(parsed(data._repr_html_()).iter("table"))
    shown = [[cell.text or "" for cell in row.iter("td")] for row in table.iter("tr")][1:]
    assert shown[: len(counts)] == [[str(value) for value in row] for row in counts.itertuples(index=False)]
    if len(counts) > 1:
        assert shown[-1][2:5] == [str(counts[name].sum()) for name in ("normal", "anomalous", "masks")]


def test_examples_are_anomalous_images_of_different_classes_and_their_masks(mini):
    data = zsadbench.load_dataset("btad", mini)
    strip = examples(data.manifest, data.card.positive, 3)
    assert [caption.split("\n")[0] for caption in strip.captions] == list(data.classes)
    image, mask = strip.rows
    assert (image.title, mask.title) == ("image", "mask")
    assert all((255, 255, 255) in {color for _, color in each.getcolors()} for each in mask.pictures)
    assert [each.size for each in image.pictures] == [each.size for each in mask.pictures]
    more = examples(data.manifest, data.card.positive, 5)
    assert [caption.split("\n")[0] for caption in more.captions] == [*data.classes, *data.classes[:2]]


def test_without_masks_there_is_no_row_of_them(mini):
    data = zsadbench.load_dataset("brainmri", mini)
    assert [row.title for row in examples(data.manifest, data.card.positive).rows] == ["image"]


def test_images_that_cannot_be_read_are_left_out(mini, tmp_path):
    data = zsadbench.load_dataset("brainmri", mini)
    manifest = data.manifest.copy()
    first = manifest.index[manifest["label"] == 1][0]
    (tmp_path / "a.png").write_bytes(b"no image")
    manifest.loc[first, "path"] = str(tmp_path / "a.png")
    whole = examples(data.manifest, data.card.positive, 2)
    assert len(examples(manifest, data.card.positive, 2).captions) == len(whole.captions) - 1


def test_names_of_folders_are_no_markup(tmp_path):
    for name in ("good", "<b>bad"):
        (tmp_path / "caps" / name).mkdir(parents=True)
        Image.new("RGB", (20, 20), "red").save(tmp_path / "caps" / name / "0.png")
    shown = parsed(zsadbench.load_dataset(f"folder:{tmp_path / 'caps'}")._repr_html_())
    assert not list(shown.iter("b"))
    assert any("<b>bad" in (part.text or "") for part in shown.iter("figcaption"))
