import re
import subprocess
import sys

import pytest

from zsadbench import registry
from zsadbench.data import all_cards, catalogue, find_card
from zsadbench.data.cards.card import prompt_words
from zsadbench.data.cards.layout import ANOMALYCLIP
from zsadbench.data.cards.parse_card import read_card
from zsadbench.data.cards.template import path_glob
from zsadbench.errors import DataError, UsageError

TOML = """
name = "fabric"
title = "Fabric"
folders = ["fabric"]
domain = "industrial"
levels = ["image", "pixel"]
positive = "> 0"
licence = "CC0"
homepage = "https://example.org"
cite = "weaver2020fabric"

[classes]
red_silk = "red silk"
wool = ""

[expected.test.counts]
red_silk = [2, 3]

[layouts.official]
kind = "files"
probe = ["{class}/test"]

[[layouts.official.rules]]
match = "{class}/test/{defect}/{stem}.{ext}"
split = "test"
label = 1
masks = ["{class}/mask/{stem}.png"]
"""


def test_card_is_read():
    card = read_card(TOML, "fabric.toml")
    assert card.cite == ("weaver2020fabric",)
    assert card.classes == {"red_silk": "red silk", "wool": "wool"}
    assert card.expected["test"].counts == {"red_silk": (2, 3)}
    assert card.layouts[-1] is ANOMALYCLIP
    assert card.pixel_level


def test_a_card_may_cite_several_references():
    text = TOML.replace('cite = "weaver2020fabric"', 'cite = ["weaver2020fabric", "loom2021"]')
    assert read_card(text, "fabric.toml").cite == ("weaver2020fabric", "loom2021")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('title = "Fabric"', "", "field 'title' is missing"),
        ('title = "Fabric"', "title = 3", "field 'title' must be a text, not 3"),
        ('title = "Fabric"', 'title = "Fabric"\ncolour = 1', "field 'colour' is unknown"),
        ('"industrial"', '"kitchen"', "field 'domain' must be one of 'industrial', 'medical', not 'kitchen'"),
        (
            'title = "Fabric"',
            'title = "Fabric"\ngenerated = true',
            "field 'domain' must be one of 'demo', not 'industrial'",
        ),
        ('title = "Fabric"', 'title = "Fabric"\ngenerated = 1', "field 'generated' must be true or false, not 1"),
        ('["image", "pixel"]', '["voxel"]', "field 'levels' holds 'voxel'"),
        ('["image", "pixel"]', "[]", "field 'levels' must be a list of texts"),
        ('cite = "weaver2020fabric"', "cite = 3", "field 'cite' must be a list of texts, not 3"),
        ('"> 0"', '"> 7"', "field 'positive' must be one of '> 0', '>= 128'"),
        ("[2, 3]", "[2, -3]", "expected: test: counts: field 'red_silk' must be [normal, anomalous]"),
        ("[2, 3]", "[true, 3]", "must be [normal, anomalous]"),
        (
            "[classes]",
            "[editions]\nhalf = [1, 2, 3]\n[classes]",
            "editions: field 'half' must be [normal, anomalous] or",
        ),
        ("[classes]", '[words.clip]\nblue = "navy"\n[classes]', "words: clip: field 'blue' is no class of this card"),
        ("[classes]", "[words.clip]\nwool = 3\n[classes]", "words: clip: field 'wool' must be a text, not 3"),
        ("red_silk = [", "blue = [", "expected: test: counts: field 'blue' is no class"),
        ("[expected.test.counts]\nred_silk = [2, 3]", "[expected.test]", "give either counts or total"),
        (
            "[expected.test.counts]",
            "[expected.test]\nunknown = true\n[expected.test.counts]",
            "or say that they are unknown",
        ),
        (
            "[layouts.official]",
            '[hidden]\nprivate = "{class}/x.png"\n[layouts.official]',
            "hidden: field 'private' must be",
        ),
        (
            "[layouts.official]",
            '[hidden]\nq = "{defect}/{stem}.{ext}"\n[layouts.official]',
            "hidden: field 'q' must be",
        ),
        ("[expected.test.counts]", '[expected.test]\ncertain = "no"\n[expected.test.counts]', "'certain' must be true"),
        ('kind = "files"', 'kind = "magic"', "layouts: official: field 'kind' must be one of 'files', 'table'"),
        (
            "label = 1",
            "label = 2",
            "rules[0]: field 'label' must be 0, 1, 'from_mask', 'from_mask_content' or 'ignored', not 2",
        ),
        (
            "label = 1",
            "label = true",
            "field 'label' must be 0, 1, 'from_mask', 'from_mask_content' or 'ignored', not True",
        ),
        ("{stem}.{ext}", "{stem}.png", "field 'match' must end in '{stem}.{ext}'"),
        ("{defect}", "{flaw}", "field 'match' holds the unknown '{flaw}'"),
        ('match = "{class}', 'match = "/{class}', "field 'match' must stay below the root"),
        ('match = "{class}/test', 'match = "test', "must capture '{class}'"),
        ("{class}/mask", "../mask", "field 'masks' must stay below the root"),
        ("/mask/{stem}", "/mask/{view}", "field 'masks' holds the unknown '{view}'"),
        ("mask/{stem}.png", "mask/{stem}.svg", "field 'masks' must end in one of png, bmp"),
        ('probe = ["{class}/test"]', "", "field 'probe' is missing"),
        ('split = "test"', 'split = "test"\nshade = 1', "rules[0]: field 'shade' is unknown"),
        ("[classes]", "[classes", "not TOML"),
    ],
)
def test_a_wrong_card_gives_one_line_with_file_and_field(old, new, words):
    assert old in TOML
    with pytest.raises(DataError) as caught:
        read_card(TOML.replace(old, new), "fabric.toml")
    message = str(caught.value)
    assert message.startswith("fabric.toml")
    assert words in message
    assert "\n" not in message


def test_a_table_layout_needs_an_image_and_a_label_column():
    table = '[layouts.list]\nkind = "table"\nprobe = ["a.csv"]\nmanifest = "a.csv"\nformat = "csv"\nnormal = ["0"]\n'
    text = TOML[: TOML.index("[layouts")] + table + 'anomalous = ["1"]\n[layouts.list.columns]\nimage = "file"\n'
    with pytest.raises(DataError, match=r"layouts: list: columns: field 'label' is missing"):
        read_card(text, "fabric.toml")
    assert read_card(text + 'label = "bad"\n', "fabric.toml").layouts[0].columns == {"image": "file", "label": "bad"}


VIEWS = """
[layouts.list]
kind = "table"
probe = ["{size}/{class}.json"]
manifest = "{size}/{class}.json"
format = "json"
rows = "{split}"
paths = ["{size}/{prefix}/{path}"]
digits = 3
normal = ["OK"]
maskless_normal = true
views = ["C1"]
columns = { image = "i", label = "l" }
variants = { size = ["big", "small"] }
"""


def test_variants_stand_for_one_layout_each():
    big, small, _ = read_card(TOML[: TOML.index("[layouts")] + VIEWS, "fabric.toml").layouts
    assert (big.name, small.name) == ("list:big", "list:small")
    assert (small.probe, small.manifest) == (("small/{class}.json",), "small/{class}.json")
    assert small.paths == ("small/{prefix}/{path}",)
    assert (small.rows, small.digits, small.maskless_normal, small.views) == ("{split}", 3, True, ("C1",))
    assert small.anomalous == ()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('rows = "{split}"', 'rows = "{class}"', "field 'rows' must be one of '{split}.{class}', '{split}'"),
        ("digits = 3", "digits = -3", "field 'digits' must be a whole number, not -3"),
        ("{prefix}/{path}", "{prefix}/{stem}", "field 'paths' holds the unknown '{stem}'"),
        ('paths = ["{size}', 'paths = ["..', "field 'paths' must stay below the root"),
        ("maskless_normal = true", "maskless_normal = 1", "field 'maskless_normal' must be true or false"),
        ('size = ["big", "small"]', 'size = "big"', "variants: field 'size' must be a list of texts"),
        ('size = ["big", "small"]', 'length = ["big"]', "field 'manifest' holds the unknown '{size}'"),
        ("red_silk = [2, 3]", "red_silk = [2, 3]\n[expected.train]\nimages = true\ntotal = [1, 1]", "'images' must be"),
    ],
)
def test_a_wrong_table_layout_gives_one_line_too(old, new, words):
    text = TOML[: TOML.index("[layouts")] + VIEWS
    assert old in text
    with pytest.raises(DataError) as caught:
        read_card(text.replace(old, new), "fabric.toml")
    assert words in str(caught.value)


def test_a_label_from_masks_needs_masks():
    text = TOML.replace("label = 1", 'label = "from_mask"')
    assert read_card(text, "fabric.toml").layouts[0].rules[0].label == "from_mask"
    with pytest.raises(DataError, match="field 'masks' is missing"):
        read_card(text.replace('masks = ["{class}/mask/{stem}.png"]', ""), "fabric.toml")


def test_class_names_are_found_without_regard_to_case_and_a_single_class_by_the_sets_name():
    card = find_card("colondb")
    assert card.class_named("colon") == card.class_named("COLON") == "colon"
    assert card.class_named("stomach") is None
    others = {"colondb": "ColonDB", "clinicdb": "ClinicDB", "kvasir": "Kvasir", "endo": "endo", "tn3k": "tn3k"}
    assert [find_card(name).class_named(text) for name, text in others.items()] == ["colon"] * 4 + ["thyroid"]
    assert find_card("mvtec").class_named("mvtec") is None
    assert prompt_words("metal_nut") == find_card("mvtec").classes["metal_nut"] == "metal nut"


@pytest.mark.parametrize(
    ("name", "classes", "train", "test"),
    [
        ("mvtec", 15, (3629, 0), (467, 1258)),
        ("visa", 12, (8659, 0), (962, 1200)),
        ("mpdd", 6, (888, 0), (176, 282)),
        ("btad", 3, (1799, 0), (451, 290)),
        ("dagm", 10, (7004, 1046), (6996, 1054)),
        ("dtd", 12, None, (357, 947)),
        ("realiad", 30, (36465, 0), (63256, 51329)),
        ("headct", 1, None, (100, 100)),
        ("brainmri", 1, None, (98, 155)),
        ("br35h", 1, None, (1500, 1500)),
        ("isic", 1, None, (0, 379)),
        ("clinicdb", 1, None, (0, 612)),
        ("colondb", 1, None, (0, 380)),
        ("kvasir", 1, None, (0, 1000)),
        ("endo", 1, None, (0, 200)),
        ("tn3k", 1, None, (0, 614)),
        ("ksdd", 1, None, (347, 52)),
        ("ksdd2", 1, (2085, 246), (894, 110)),
    ],
)
def test_counts_are_the_published_ones(name, classes, train, test):
    card = find_card(name)
    totals = {
        split: e.total or tuple(map(sum, zip(*e.counts.values(), strict=True)))
        for split, e in card.expected.items()
        if split in {"train", "test"}
    }
    assert len(card.classes) == classes
    assert totals == ({"test": test} if train is None else {"train": train, "test": test})
    assert all(list(e.counts or e.classes) == list(card.classes) for e in card.expected.values())


FACTS = {  # domain, levels, aliases, folders
    "mvtec": ("industrial", "image pixel", ["mvtec_ad", "mvtec_anomaly_detection"], ["mvtec"]),
    "visa": ("industrial", "image pixel", ["VisA_20220922"], ["VisA"]),
    "mpdd": ("industrial", "image pixel", [], ["MPDD"]),
    "btad": ("industrial", "image pixel", ["btech", "BTech_Dataset_transformed"], ["BTech_Dataset_transformed"]),
    "dagm": (
        "industrial",
        "image pixel",
        ["dagm2007", "dagm_2007"],
        ["DAGM_KaggleUpload", "dagm-2007-competition-dataset-optical-inspection"],
    ),
    "dtd": ("industrial", "image pixel", ["dtd_synthetic", "DTD-Synthetic"], ["DTD-Synthetic"]),
    "realiad": ("industrial", "image pixel", ["real_iad", "Real-IAD"], ["Real-IAD"]),
    "headct": (
        "medical",
        "image",
        ["head_ct", "head-ct-hemorrhage"],
        ["head-ct-hemorrhage", "HeadCT_anomaly_detection"],
    ),
    "brainmri": (
        "medical",
        "image",
        ["brain_mri", "brain_tumor_dataset"],
        ["brainmri", "brain-mri-images-for-brain-tumor-detection"],
    ),
    "br35h": ("medical", "image", [], ["Br35H", "brain-tumor-detection"]),
    "isic": ("medical", "pixel", ["isic2016", "isic_2016"], ["ISIC2016", "ISBI"]),
    "clinicdb": ("medical", "pixel", ["cvc_clinicdb", "CVC-ClinicDB"], ["CVC-ClinicDB", "CVC-612"]),
    "colondb": ("medical", "pixel", ["cvc_colondb", "CVC-ColonDB"], ["CVC-ColonDB"]),
    "kvasir": ("medical", "pixel", ["kvasir_seg", "Kvasir-SEG"], ["Kvasir-SEG"]),
    "endo": ("medical", "pixel", ["endotect", "EndoTect_2020"], ["EndoTect_2020_Segmentation_Test_Dataset"]),
    "tn3k": ("medical", "pixel", [], ["Thyroid Dataset"]),
    "mvtec2": ("industrial", "image pixel", ["mvtec_ad_2", "mvtecad2"], ["mvtec_ad_2"]),
    "ksdd": ("industrial", "image pixel", ["SDD", "KSDD1"], ["KolektorSDD"]),
    "ksdd2": ("industrial", "image pixel", ["SDD2"], ["KolektorSDD2"]),
}


@pytest.mark.parametrize("name", FACTS)
def test_what_a_card_says_of_itself(name):
    card = find_card(name)
    facts = card.domain, " ".join(card.levels), [*card.aliases], [*card.folders]
    assert facts == FACTS[name]


def test_numbers_that_nobody_knows_still_ask_for_every_class():
    table = TOML.replace("[expected.test.counts]\nred_silk = [2, 3]", "[expected.test]\nunknown = true")
    expected = read_card(table, "fabric.toml").expected["test"]
    assert (expected.classes, expected.counts, expected.total) == (("red_silk", "wool"), {}, None)
    assert not expected.certain


def test_what_a_benchmark_adds_to_a_record_and_hides():
    assert {card.name: card.metrics for card in all_cards() if card.metrics} == {
        "mvtec2": ("pixel_aupro@0.05", "pixel_segf1")
    }
    assert {card.name: [*card.hidden] for card in all_cards() if card.hidden} == {
        "mvtec2": ["test_private", "test_private_mixed"]
    }


def test_known_editions():
    editions = {card.name: list(card.editions.values()) for card in all_cards() if card.editions}
    polyps = {"clinicdb": [(0, 62)], "colondb": [(0, 300)], "kvasir": [(0, 100)]}
    assert editions == polyps | {"dagm": [(2100, 2100)], "realiad": [(22917,)], "ksdd": [(181, 74), (286, 54)]}


def test_masks_in_jpeg_are_cut_in_the_middle_all_others_above_zero():
    rules = {card.name: card.positive for card in all_cards() if card.positive != "> 0"}
    jpeg, either = ">= 128", "> 0; jpeg >= 128"
    assert rules == {"kvasir": jpeg, "endo": jpeg, "tn3k": jpeg, "clinicdb": either, "colondb": either}


def test_numbers_that_nobody_confirmed_are_uncertain():
    uncertain = {(c.name, split) for c in all_cards() for split, e in c.expected.items() if not e.certain}
    assert uncertain == {
        ("mpdd", "train"),
        ("dagm", "train"),
        ("dagm", "test"),
        ("dtd", "test"),
        ("realiad", "test"),
        ("br35h", "test"),
        ("ksdd", "test"),
        ("ksdd2", "train"),
        ("ksdd2", "test"),
        *(("mvtec2", split) for split in ("train", "validation", "test")),
    }
    assert find_card("realiad").expected["test"].images == 114585
    assert find_card("dagm").expected["test"].images == 8050
    assert find_card("tn3k").expected["trainval"].counts == {"thyroid": (0, 2879)}


NAMED = {"fbclip", "anomalyclip", "afclip", "winclip", "aprilgan", "adaclip", "aaclip", "faprompt", "mfpclip", "clip"}
NAMED |= {"promptad"}


def test_words_are_the_papers_own_where_they_differ():
    card = find_card("mvtec")
    assert card.words() == card.words("clip") == card.words("mfpclip") == dict(card.classes)
    assert card.words("aprilgan")["metal_nut"] == card.words("winclip")["metal_nut"] == "metal_nut"
    assert card.words("adaclip") == {name: name for name in card.classes}
    assert card.words("aaclip")["metal_nut"] == "metal nut which has four notched edges"
    assert card.words("aaclip")["screw"] == "screw"
    assert list(card.words("aaclip")) == list(card.classes)
    assert find_card("visa").words("aaclip")["pcb2"] == "integrated circuits board"
    assert find_card("btad").words("aaclip")["02"] == "vertical fabric lines in warm, dusty pink and beige tones"
    assert {find_card(name).words("aaclip")["colon"] for name in ("colondb", "clinicdb", "kvasir", "endo")} == {
        "colon endoscopy image"
    }
    assert find_card("realiad").words("winclip")["bottle_cap"] == "bottle_cap"


@pytest.mark.parametrize("card", all_cards(), ids=lambda card: card.name)
def test_words_name_known_methods_and_say_something_new(card):
    assert {*card.method_words, *card.folder_words} <= NAMED
    for method, words in card.method_words.items():
        assert not {name for name, text in words.items() if text == card.classes[name]}, method
    assert not card.folder_words or any(name != text for name, text in card.classes.items())


def test_names_and_aliases_whatever_the_case():
    for name in ("mvtec", "MVTec_AD", "mvtec_anomaly_detection"):
        assert find_card(name).name == "mvtec"
    assert find_card("CVC-ColonDB").name == "colondb"
    with pytest.raises(UsageError, match=r"no data set named 'vsia'; did you mean 'visa'\?"):
        find_card("vsia")


UNVERIFIED = {"ksdd", "ksdd2", "mvtec2"}  # of whose papers no verified reference ships


@pytest.mark.parametrize("card", all_cards(), ids=lambda card: card.name)
def test_every_card_says_what_a_reader_needs(card):
    assert bool(card.cite) == (card.name not in UNVERIFIED)
    assert card.generated or card.homepage.startswith("https://")
    assert card.folders
    assert set(card.expected) >= {"test"}


def test_a_package_that_claims_a_name_of_another_is_left_out(monkeypatch, caplog):
    card = find_card("visa")
    monkeypatch.setattr(registry, "own_first", lambda group: ["a", "b"])
    twin = read_card(TOML.replace('"fabric"', '"VISA"'), "twin.toml")
    monkeypatch.setattr(catalogue, "_cards_of", {"a": (card,), "b": (twin,)}.__getitem__)
    assert all_cards() == (card,)
    assert re.search(r"'b' is left out: 'visa' is claimed by two cards: .*visa\.toml and twin\.toml", caplog.text)


def test_reading_cards_imports_neither_torch_nor_pandas():
    code = (
        "import sys; from zsadbench.data import all_cards; import zsadbench.data.cards.card;"
        "assert len(all_cards()) >= 4; heavy = {'torch', 'pandas', 'numpy', 'PIL', 'open_clip'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_an_unknown_name_of_the_package_is_no_attribute():
    import zsadbench.data as package

    assert all(getattr(package, name) is not None for name in package.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = package.nonsense


def test_files_that_the_benchmark_does_not_use_are_globs():
    assert read_card(f'ignored = ["extra/**", "*.gif"]\n{TOML}', "card").ignored == ("extra/**", "*.gif")
    assert read_card(TOML, "card").ignored == ()
    with pytest.raises(DataError, match="field 'ignored' must be a list of texts"):
        read_card(f"ignored = [3]\n{TOML}", "card")


@pytest.mark.parametrize(
    ("glob", "fits", "others"),
    [
        ("*.png", ["1.png", "A.PNG"], ["a/1.png", "1.png.txt"]),
        ("*/masks/*", ["a/masks/1.png"], ["masks/1.png", "a/masks/b/1.png"]),
        ("masks/**", ["masks/1.png", "masks/a/b.png"], ["masks", "a/masks/1.png"]),
        ("**/*.png", ["1.png", "a/b/1.png"], ["a/1.jpg"]),
        ("a+b/?.png", ["a+b/1.png"], ["aab/1.png", "a+b/12.png"]),
    ],
)
def test_a_glob_stays_in_a_folder_unless_it_has_two_stars(glob, fits, others):
    assert [path for path in [*fits, *others] if path_glob(glob).fullmatch(path)] == fits
