"""Real images in ZSADBENCH_REAL_DATA: all of BrainMRI, parts of CVC-ColonDB and MVTec AD."""

import pytest

from zsadbench.data import batches, check_masks, load_dataset, read_image
from zsadbench.errors import DataError


def test_brainmri_is_complete(real_data):
    found = load_dataset("brainmri", [real_data])
    assert found.manifest["label"].value_counts().to_dict() == {0: 98, 1: 155}
    assert (found.partial, found.synthetic, found.missing) == (False, False, ())
    assert {read_image(path).mode for path in found.manifest["path"]} == {"RGB", "L", "RGBA", "P"}


def test_colondb_lacks_images(real_data):
    with pytest.raises(DataError, match=r"^colondb: incomplete: colon: 120 of 380 anomalous; in "):
        load_dataset("colondb", [real_data])
    found = load_dataset("colondb", [real_data], allow_partial=True)
    check_masks(found)
    assert found.missing == ("colon: 120 of 380 anomalous",)
    assert len(found.manifest) == 120
    assert (found.manifest["mask"] != "").all()


def test_mvtec_lacks_classes(real_data):
    lines = (
        "12 of 15 classes missing "
        "(cable, carpet, grid, hazelnut, leather, pill, screw, tile, toothbrush, transistor, wood, zipper)",
        "bottle: 9 of 20 normal, 8 of 63 anomalous",
        "capsule: 8 of 23 normal, 8 of 109 anomalous",
        "metal_nut: 8 of 22 normal, 8 of 93 anomalous",
    )
    with pytest.raises(DataError) as caught:
        load_dataset("mvtec", [real_data])
    assert str(caught.value).startswith(f"mvtec: incomplete: {'; '.join(lines)}; in ")
    found = load_dataset("mvtec", [real_data], allow_partial=True)
    check_masks(found)
    assert found.missing == lines
    assert found.classes == ("bottle", "capsule", "metal_nut")
    assert found.manifest["label"].value_counts().to_dict() == {0: 25, 1: 24}
    anomalous = found.manifest[found.manifest["label"] == 1].iloc[::6]
    for batch in batches(anomalous, size=224, workers=2):
        assert batch.masks.any(axis=(1, 2)).all()
        assert batch.images.std() > 0.3
