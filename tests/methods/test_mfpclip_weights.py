"""The weights of the ResNet-50: by path, by tag, random beside towers that are no published CLIP."""

import pytest
import torch
from torchvision.models import resnet50

from zsadbench.clip import resolve
from zsadbench.clip.resolve import BackboneSpec
from zsadbench.clip.weights import Weights
from zsadbench.errors import WeightsError
from zsadbench.registry import method_card
from zsadbench_methods.mfpclip.resnet import ResNet
from zsadbench_methods.mfpclip.weights import FILES, NETWORK, extra_weights, locate

CARD = method_card("mfpclip")


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No weights at any usual place."""
    monkeypatch.setenv("ZSADBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path


@pytest.fixture(scope="module")
def resnet_file(tmp_path_factory):
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("resnet") / "resnet50.pth"
    torch.save(resnet50().state_dict(), path)
    return path


@pytest.fixture(scope="module")
def published():
    """A specification of a published CLIP, without its weights."""
    return BackboneSpec(resolve("ViT-L-14-336", "random").config, Weights("tag", "openai", "0" * 64))


def test_unnamed_weights_are_random_beside_towers_that_are_not_clip(tiny_backbone, nowhere):
    for spec in (tiny_backbone.spec, resolve("demo", "demo"), resolve("ViT-L-14-336", "random")):
        found = extra_weights(CARD.options(), spec)[NETWORK]
        assert (found.kind, found.path) == ("random", None)


def test_unnamed_weights_are_wanted_beside_a_published_clip(published, nowhere):
    assert published.published
    with pytest.raises(WeightsError, match="no ResNet-50 weights 'IMAGENET1K_V1'") as failure:
        extra_weights(CARD.options(), published)
    assert "https://download.pytorch.org/models/resnet50-0676ba61.pth" in str(failure.value)
    assert extra_weights(CARD.options(resnet="random"), published)[NETWORK].kind == "random"
    assert extra_weights(CARD.options(i2tp=False, sp_stages=0), published) == {}, "nothing depends on them"


def test_a_file_is_read(resnet_file, tiny_images):
    found = locate(str(resnet_file))
    assert (found.kind, found.label) == ("file", "resnet50.pth")
    images = tiny_images * 0.5
    feature = ResNet(found, CARD.options(resnet_colours="clip"))(images)
    other = resnet50()
    other.load_state_dict(torch.load(resnet_file))
    other.fc = torch.nn.Identity()
    with torch.no_grad():
        wanted = other.eval()(images)
    assert torch.allclose(feature, wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))


def test_random_weights_are_always_the_same(tiny_images):
    one, other = (ResNet(locate("random"), CARD.options()) for _ in range(2))
    assert torch.equal(one(tiny_images), other(tiny_images))
    one.train()
    assert not any(module.training for module in one.body.modules()), "batch norms stay in evaluation mode"


def test_other_files_are_refused(nowhere, tmp_path, resnet_file):
    with pytest.raises(WeightsError, match="are not a file"):
        locate("no/such.pth")
    wrong = tmp_path / "wrong.pth"
    state = torch.load(resnet_file)
    torch.save({key: value for key, value in state.items() if key != "layer2.0.conv1.weight"}, wrong)
    with pytest.raises(WeightsError, match=r"layer2.0.conv1.weight"):
        ResNet(locate(str(wrong)), CARD.options())
    folder = tmp_path / "cache" / "weights"
    folder.mkdir(parents=True)
    (folder / FILES["IMAGENET1K_V2"]).write_bytes(b"something else")
    with pytest.raises(WeightsError, match="not what was published as 'IMAGENET1K_V2'"):
        locate("IMAGENET1K_V2")
