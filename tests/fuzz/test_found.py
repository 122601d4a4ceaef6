"""Faults that fuzzing and odd inputs found; each was a traceback, or a wrong reading."""

import json

import numpy as np
import pytest

from zsadbench.clip.config import find_config
from zsadbench.data.cards.parse_card import read_card
from zsadbench.errors import DataError, UsageError
from zsadbench.saved_maps.map_file import read_map

DEEP = 20_000


def test_a_card_of_thousands_of_levels():
    with pytest.raises(DataError, match="not TOML"):
        read_card("name = " + "[" * DEEP, "card")


@pytest.mark.parametrize("label", ["{}", "[]", '"yes"', "1.5"])
def test_a_card_with_another_value_as_label(label):
    rule = f'match = "{{stem}}.{{ext}}"\nsplit = "test"\nlabel = {label}\n'
    head = (
        'name = "x"\ntitle = "X"\ndomain = "medical"\nlevels = ["image"]\nlicence = "-"\nhomepage = "https://x.org"\n'
    )
    card = f'{head}[classes]\na = "a"\n[layouts.one]\nkind = "files"\nprobe = ["a"]\n[[layouts.one.rules]]\n{rule}'
    with pytest.raises(DataError, match=r"field 'label' must be 0, 1, 'from_mask', 'from_mask_content' or 'ignored'"):
        read_card(card, "card")


@pytest.mark.parametrize("content", ['{"vision": ' + "[" * DEEP, "[]", "null", '"x"', "\0"])
def test_a_backbone_file_of_another_kind(tmp_path, content):
    (tmp_path / "backbone.json").write_text(content)
    with pytest.raises(UsageError, match="is no backbone file"):
        find_config(str(tmp_path / "backbone.json"))


@pytest.mark.parametrize("size", ["28", 0, -1, 2.5, True, None, [28]])
def test_sizes_of_a_backbone_are_positive_whole_numbers(tmp_path, size):
    tower = {"layers": 2, "width": 32, "heads": 2, "patch_size": 14, "image_size": size}
    text = {"width": 32, "heads": 2, "layers": 2, "context_length": 77, "vocab_size": 49408}
    path = tmp_path / "backbone.json"
    path.write_text(json.dumps({"embed_dim": 16, "vision": tower, "text": text, "quick_gelu": True}))
    with pytest.raises(UsageError, match="'image_size' must be a positive whole number"):
        find_config(str(path))


@pytest.mark.parametrize("header", ["{'descr': '<f8', (", "{'descr': 1 +", "(" * 300, "{'shape': (6, 9)}", "\\"])
def test_a_map_with_a_header_that_is_no_expression(tmp_path, header):
    np.save(tmp_path / "m.npy", np.zeros((6, 9)))
    content = (tmp_path / "m.npy").read_bytes()
    text = header.encode().ljust(117) + b"\n"
    (tmp_path / "m.npy").write_bytes(content[:10] + text[-118:] + content[128:])
    with pytest.raises(DataError, match=r"m.npy' cannot be read as a map: "):
        read_map(tmp_path / "m.npy")
