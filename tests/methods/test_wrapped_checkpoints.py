"""Published checkpoints are read whatever a training of others wraps around them: one rule for every method."""

import pytest
import torch
from torch import nn

from zsadbench.errors import WeightsError
from zsadbench.registry import method_card, method_cards

SEVERAL = ("afclip", "aaclip", "promptad")  # files
ONE_FILE = [
    card.name for card in method_cards() if card.official and card.official.names() and card.name not in SEVERAL
]


def tensors_of(card):
    """The tensors of a published file with random values; prompts have the two leading axes of a published file."""
    generator = torch.Generator().manual_seed(1)
    return {
        theirs: torch.randn((1, 1, 3, 4) if theirs.startswith("ctx_") else (4, 4), generator=generator)
        for theirs in card.official.names()
    }


def under(prefix, tensors):
    return {prefix + name: tensor for name, tensor in tensors.items()}


def split(tensors):
    """The entries that FB-CLIP, AnomalyCLIP and APRIL-GAN publish."""
    if "fc.0.weight" in tensors:
        return {"trainable_linearlayer": tensors}
    prompts = {name: tensor for name, tensor in tensors.items() if name.startswith(("ctx_", "compound"))}
    rest = {name: tensor for name, tensor in tensors.items() if name not in prompts}
    return {"prompt_learner": prompts, **({"model_trainable_params": rest} if rest else {})}


WRAPPINGS = {
    "published": split,
    "parallel": lambda tensors: {entry: under("module.", part) for entry, part in split(tensors).items()},
    "epoch": lambda tensors: {"epoch": 15, **split(tensors), "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}}},
    "Lightning": lambda tensors: {
        "state_dict": {
            f"{entry}.{name}": value for entry, part in split(tensors).items() for name, value in part.items()
        }
    },
    "bare": lambda tensors: tensors,
    "model": lambda tensors: {"model": split(tensors), "args": {"lr": 0.001}},
    "compiled": lambda tensors: {"state_dict": under("model._orig_mod.", tensors)},
}


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
@pytest.mark.parametrize("name", ONE_FILE)
def test_one_file(tmp_path, name, wrap):
    card = method_card(name)
    tensors = tensors_of(card)
    path, published = tmp_path / "theirs.ckpt", tmp_path / "published.pth"
    torch.save(wrap(tensors), path)
    torch.save(split(tensors), published)
    read, wanted = card.official.read([path]), card.official.read([published])
    assert read.keys() == wanted.keys() == set(card.official.names().values())
    assert all(torch.equal(read[key], wanted[key]) for key in wanted)


AFCLIP = {
    "bare": lambda tensor, state: (tensor, state),
    "entries": lambda tensor, state: (
        {"prompt": nn.Parameter(tensor), "epoch": 2, "optimizer": {"state": {0: {"exp_avg": tensor + 1}}}},
        {"adaptor": under("module.", state), "epoch": 2},
    ),
    "Lightning": lambda tensor, state: (
        {"state_dict": {"model.prompt": tensor, "scale": torch.ones(1)}},
        {"state_dict": under("model.adaptor.", state)},
    ),
}


@pytest.mark.parametrize("wrap", AFCLIP.values(), ids=AFCLIP)
def test_two_files(tmp_path, wrap):
    card = method_card("afclip")
    names = {theirs: ours for theirs, ours in card.official.names().items() if theirs != "prompt"}
    tensor, state = torch.randn(1, 12, 4), {theirs: torch.randn(4, 4) for theirs in names}
    files = [tmp_path / "x_prompt.pt", tmp_path / "x_adaptor.pt"]
    for content, path in zip(wrap(tensor, state), files, strict=True):
        torch.save(content, path)
    read = card.official.read(files)
    assert torch.equal(read.pop("prompts.context"), tensor[0])
    assert {ours: tensor.tolist() for ours, tensor in read.items()} == {
        names[theirs]: tensor.tolist() for theirs, tensor in state.items()
    }


def test_two_prompts_are_not_guessed(tmp_path):
    files = [tmp_path / "x_prompt.pt", tmp_path / "x_adaptor.pt"]
    torch.save({"prompt": torch.ones(1, 2, 3), "ema": torch.zeros(1, 2, 3)}, files[0])
    torch.save({}, files[1])
    with pytest.raises(WeightsError, match=r"is no prompt of AF-CLIP: it must hold one tensor of .*, not 2"):
        method_card("afclip").official.read(files)


AACLIP = {
    "bare": lambda entry, tensors: tensors,
    "entries": lambda entry, tensors: {entry: tensors, "epoch": 20, "optimizer": {"state": {0: torch.ones(2)}}},
    "parallel": lambda entry, tensors: {entry: under("module.", tensors)},
    "Lightning": lambda entry, tensors: {"state_dict": under(f"model.{entry}.", tensors)},
}


@pytest.mark.parametrize("wrap", AACLIP.values(), ids=AACLIP)
def test_the_two_files_of_aaclip(tmp_path, wrap):
    card, parts = method_card("aaclip"), {}
    for name, tensor in tensors_of(card).items():
        entry, _, inner = name.partition(".")
        parts.setdefault(entry, {})[inner] = tensor
    paths = [tmp_path / "text_adapter.pth", tmp_path / "image_adapter_20.pth"]
    for path, (entry, tensors) in zip(paths, sorted(parts.items(), reverse=True), strict=True):
        torch.save(wrap(entry, tensors), path)
    read = card.official.read(paths)
    assert read.keys() == set(card.official.names().values())
    for theirs, ours in card.official.names().items():
        assert torch.equal(read[ours], tensors_of(card)[theirs])
