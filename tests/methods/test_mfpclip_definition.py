"""MFP-CLIP word for word: one image, one sentence and one patch at a time, open_clip's own blocks."""

import pytest
import torch
from torch.nn.functional import gelu, interpolate, leaky_relu, relu
from torchvision.models import resnet50

from zsadbench.errors import UsageError
from zsadbench.registry import method_card
from zsadbench.types import Batch
from zsadbench_methods.mfpclip.model import COARSE, FEATURE, TEXT

CARD = method_card("mfpclip")
NAMES = ["bolt", "metal_nut", "bolt"]
SIZE, GRID = 70, 5
LABELS = torch.tensor([1, 0, 1])
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def unit(vector):
    return vector / vector.norm(dim=-1, keepdim=True)


# --- the twin --------------------------------------------------------------------------------------


class Twin:
    """The order of operations of the specification for one image; `network` holds the trained tensors."""

    def __init__(self, backbone, network, options):
        self.visual, self.text = backbone.vision.visual, backbone.text
        self.positions, self.network, self.options = backbone.vision.positions, network, options
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.resnet = resnet50(zero_init_residual=True).eval()

    def raw(self, image):
        return torch.stack(
            [channel * std + mean for channel, mean, std in zip(image, CLIP_MEAN, CLIP_STD, strict=True)]
        )

    def feature(self, image):
        if self.options.resnet_colours == "imagenet":
            channels = zip(self.raw(image), MEAN, STD, strict=True)
            image = torch.stack([(channel - mean) / std for channel, mean, std in channels])
        x = image.unsqueeze(0)
        if self.options.resnet_size:
            x = interpolate(x, (self.options.resnet_size,) * 2, mode="bilinear", antialias=True)
        net = self.resnet
        x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
        x = net.layer3(net.layer2(net.layer1(x)))
        x = net.layer4(x) if self.options.resnet_layer == "layer4" else x
        return net.avgpool(x).flatten()

    def embedded(self, image):
        patches = self.visual.conv1(image.unsqueeze(0)).flatten(2).transpose(1, 2)[0]
        return torch.cat([self.visual.class_embedding.unsqueeze(0), patches]) + self.positions

    def fuse(self, layer, first, second, axis):
        if axis == "channels":
            return torch.stack(
                [layer.weight @ torch.cat([a, b]) + layer.bias for a, b in zip(first, second, strict=True)]
            )
        rows = torch.cat([first, second])
        weighted = [sum(w * row for w, row in zip(weights, rows, strict=True)) for weights in layer.weight]
        return torch.stack([row + bias for row, bias in zip(weighted, layer.bias, strict=True)])

    def sentence(self, state, name, feature):
        options, i2tp = self.options, self.network.i2tp
        word = name if options.underscores else name.replace("_", " ")
        ids = self.text.tokenize([f"a photo of a {state} {word}"])
        states = self.text.token_embedding(ids)[0]
        if options.i2tp_positions == "before":
            states = states + self.text.positional_embedding
        if options.i2tp:
            mapped = i2tp.mlp[0].weight @ feature + i2tp.mlp[0].bias
            if options.i2tp_map == "mlp":
                mapped = i2tp.mlp[2].weight @ gelu(mapped) + i2tp.mlp[2].bias
            second = mapped.expand(len(states), -1) if options.i2tp_axis == "channels" else mapped.unsqueeze(0)
            states = self.fuse(i2tp.fuse, states, second, options.i2tp_axis)
        if options.i2tp_positions == "after":
            states = states + self.text.positional_embedding
        states = states.unsqueeze(0)
        for block in self.text.transformer.resblocks:
            states = block(states, attn_mask=self.text.causal_mask)
        end = ids[0].tolist().index(49407)
        return unit(self.text.norm(states[0, end]) @ self.text.projection)

    def run_pass(self, trained, embedded, feature):
        options, taps = self.options, []
        tokens = self.visual.ln_pre(embedded).unsqueeze(0)
        own = tokens.shape[1]
        prompted = list(range(2, options.layers[options.sp_stages - 1] + 1)) if options.sp_stages else []
        for number, block in enumerate(self.visual.transformer.resblocks, start=1):
            if number in prompted:
                prompts = self.prompts(trained.sp, feature, 0 if options.sp_shared else prompted.index(number))
                drop = options.prompts if options.sp_dropped == "half" else tokens.shape[1] - own
                if number == prompted[0]:
                    drop = 0
                tokens = torch.cat([tokens[:, : tokens.shape[1] - drop], prompts.unsqueeze(0)], dim=1)
            elif not options.sp_kept:
                tokens = tokens[:, :own]
            tokens = block(tokens)
            if number in options.layers:
                taps.append(tokens[0, :own])
        return taps

    def prompts(self, sp, feature, number):
        places = range(number * self.options.prompts, (number + 1) * self.options.prompts)
        dynamic = torch.stack([sp.proj[place].weight @ feature + sp.proj[place].bias for place in places])
        learned = torch.stack([sp.tokens[place] for place in places])
        return torch.cat([dynamic, learned]) if self.options.sp_join == "tokens" else dynamic + learned

    def layer_maps(self, trained, taps, text):
        options, maps = self.options, []
        for adapter, tap in zip(trained.adapters, taps, strict=True):
            patches = (self.visual.ln_post(tap) if options.final_norm else tap)[1:]
            activation = {"leaky_relu": leaky_relu, "relu": relu, "gelu": gelu}[options.adapter_activation]
            for linear in (adapter[0], adapter[2]):
                bias = linear.bias if options.adapter_bias else 0
                patches = activation(patches @ linear.weight.T + bias)
            reach = options.neighbourhood // 2
            abnormal = torch.empty(GRID, GRID)
            for y in range(GRID):
                for x in range(GRID):
                    near = []
                    for v in range(y - reach, y + reach + 1):
                        for u in range(x - reach, x + reach + 1):
                            if options.border == "replicate":
                                near.append(patches[min(max(v, 0), GRID - 1) * GRID + min(max(u, 0), GRID - 1)])
                            elif 0 <= v < GRID and 0 <= u < GRID:
                                near.append(patches[v * GRID + u])
                    cosines = text @ unit(sum(near) / len(near))
                    abnormal[y, x] = (options.logit_scale * cosines).softmax(dim=0)[1]
            full = interpolate(abnormal[None, None], (SIZE, SIZE), mode="bilinear", align_corners=options.corners)
            maps.append(full[0, 0])
        return torch.stack(maps)

    def run(self, image, name):
        """Text, maps of the layers in both passes, and the taps of the last pass."""
        options, network = self.options, self.network
        feature = self.feature(image)
        text = torch.stack([self.sentence(state, name, feature) for state in ("normal", "abnormal")])
        embedded = self.embedded(image)
        taps = self.run_pass(network.first, embedded, feature)
        maps = self.layer_maps(network.first, taps, text)
        found = {"feature": feature, "text": text}
        if options.mp:
            coarse = maps.mean(dim=0) if options.mp_gradient else maps.mean(dim=0).detach()
            found["coarse"] = maps
            if options.mp_pixels == "raw":
                colours = zip(self.raw(image) * coarse, CLIP_MEAN, CLIP_STD, strict=True)
                masked = torch.stack([(channel - mean) / std for channel, mean, std in colours])
            else:
                masked = image * coarse
            first = 0 if options.mp_class_token else 1
            fused = self.fuse(network.mp, embedded[first:], self.embedded(masked)[first:], options.mp_axis)
            trained = network.first if options.mp_shared else network.refined
            taps = self.run_pass(trained, torch.cat([embedded[:first], fused]), feature)
            maps = self.layer_maps(trained, taps, text)
        return {**found, "taps": taps, "maps": maps}

    def losses(self, image, name, mask, label):
        found, terms = self.run(image, name), {}
        for kind in ("refined", "coarse"):
            maps = found["maps" if kind == "refined" else "coarse"]
            mean = maps.mean(dim=0)
            focal, dice = 0, 0
            for one in [mean] if self.options.supervised == "mean" else maps:
                soft = mask.clamp(1e-5, 1 - 1e-5)
                matched = soft * one + (1 - soft) * (1 - one) + 1e-5
                focal = focal - ((1 - matched) ** 2 * matched.log()).mean()
                dice = dice + 1 - (2 * (one * mask).sum() + 1) / (one.sum() + mask.sum() + 1)
            score = mean.max().clamp(1e-6, 1 - 1e-6)
            terms[f"{kind}_focal"], terms[f"{kind}_dice"] = focal, dice
            terms[f"{kind}_image_cross_entropy"] = -score.log() if label else -(1 - score).log()
        return terms


SETTINGS = [
    {},
    {"mp": False, "i2tp": False, "sp_stages": 0, "neighbourhood": 1, "underscores": True},
    {"sp_stages": 3, "sp_dropped": "half", "sp_kept": False, "neighbourhood": 5, "border": "replicate"},
    {"sp_join": "sum", "sp_shared": False, "i2tp_map": "linear", "i2tp_positions": "before", "mp_pixels": "raw"},
    {"i2tp_axis": "tokens", "mp_axis": "tokens", "resnet_layer": "layer3", "resnet_size": 64, "final_norm": True},
    {"mp_shared": False, "mp_class_token": True, "adapter_bias": False, "adapter_activation": "gelu", "corners": False},
    {"layers": (3, 20), "prompts": 2, "resnet_colours": "clip", "adapter_width": 24, "adapter_activation": "relu"},
]


@pytest.fixture
def moderate(widened):
    """`moderate(**options)`: a widened method on which the feature of the ResNet-50 does not drown all other inputs."""

    def make(**options):
        detector = widened("mfpclip", **options)
        with torch.no_grad():
            for key, parameter in detector.network.named_parameters():
                if ".mlp." in key or ".proj." in key:
                    parameter.mul_(0.02)
        return detector

    return make


@pytest.mark.parametrize("options", SETTINGS, ids=str)
def test_every_step_is_that_of_the_specification(moderate, tiny_backbone, tiny_images, options):
    detector = moderate(**options)
    twin = Twin(tiny_backbone, detector.network, detector.options)
    with torch.no_grad():
        tokens = detector.encode(tiny_images, NAMES)
        scores = detector.score(tokens, NAMES)
        for row in range(3) if not options else [1]:
            found = twin.run(tiny_images[row], NAMES[row])
            if FEATURE in tokens.parts:
                assert torch.allclose(tokens.parts[FEATURE][row], found["feature"], atol=1e-5)
            assert torch.allclose(tokens.parts[TEXT][row], found["text"], atol=1e-5)
            if detector.options.mp:
                assert torch.allclose(tokens.parts[COARSE][row].mean(dim=0), found["coarse"].mean(dim=0), atol=1e-5)
            for layer, tap in zip(tokens.layers, found["taps"], strict=True):
                assert torch.allclose(layer[row], tap, atol=1e-4)
            full = found["maps"].mean(dim=0)
            assert full.std() > 1e-3
            assert torch.allclose(scores.pixel[row], full, atol=1e-5)
            assert torch.allclose(scores.image[row], full.max(), atol=1e-5)


def masks():
    some = torch.zeros(3, SIZE, SIZE)
    some[0, 10:30, 20:50] = 1
    some[2, 60:, :5] = 1
    return some


@pytest.mark.parametrize("options", [{}, {"mp_gradient": True, "supervised": "layers"}], ids=str)
@pytest.mark.parametrize("row", [0, 1])
def test_the_losses_and_their_gradients_are_those_of_the_specification(
    moderate, tiny_backbone, tiny_images, options, row
):
    detector, other = (moderate(**options) for _ in range(2))
    twin = Twin(tiny_backbone, other.network, other.options)
    image, name, mask, label = tiny_images[row], NAMES[row], masks()[row], LABELS[row]
    tokens = detector.encode(image.unsqueeze(0), [name])
    found = detector.loss(tokens, Batch(image.unsqueeze(0), mask.unsqueeze(0), label.unsqueeze(0), (name,)))
    expected = twin.losses(image, name, mask, label)
    assert found.keys() == expected.keys()
    for term, value in expected.items():
        assert torch.allclose(found[term], value, atol=1e-5), term
    sum(found.values()).backward()
    sum(expected.values()).backward()
    for (key, one), theirs in zip(detector.network.named_parameters(), other.network.parameters(), strict=True):
        assert one.grad.norm() > 0, f"{key} receives no gradient"
        assert torch.allclose(one.grad, theirs.grad, rtol=1e-2, atol=1e-3 * float(theirs.grad.norm())), key


def test_a_batch_is_the_mean_of_its_images(moderate, tiny_images):
    detector = moderate()
    with torch.no_grad():
        whole = detector.loss(detector.encode(tiny_images, NAMES), Batch(tiny_images, masks(), LABELS, tuple(NAMES)))
        singles = []
        for row in range(3):
            image = tiny_images[row : row + 1]
            batch = Batch(image, masks()[row : row + 1], LABELS[row : row + 1], (NAMES[row],))
            singles.append(detector.loss(detector.encode(image, [NAMES[row]]), batch))
    for term, value in whole.items():
        assert torch.allclose(value, torch.stack([one[term] for one in singles]).mean(), atol=1e-5), term


def test_the_weights_of_the_terms(widened, tiny_images):
    batch = Batch(tiny_images, masks(), LABELS, tuple(NAMES))
    one = widened("mfpclip")
    other = widened("mfpclip", focal_weight=2.0, dice_weight=3.0, image_weight=4.0, coarse_weight=0.5)
    with torch.no_grad():
        tokens = one.encode(tiny_images, NAMES)
        plain, weighted = one.loss(tokens, batch), other.loss(tokens, batch)
    for kind, of_pass in (("refined", 1.0), ("coarse", 0.5)):
        for term, factor in (("focal", 2.0), ("dice", 3.0), ("image_cross_entropy", 4.0)):
            assert torch.allclose(weighted[f"{kind}_{term}"], of_pass * factor * plain[f"{kind}_{term}"])


# --- where it starts -------------------------------------------------------------------------------


def test_training_starts_from_plain_clip(tiny_backbone, tiny_images):
    with torch.no_grad():
        torch.manual_seed(0)
        detector = CARD.build(tiny_backbone, CARD.options())
        torch.manual_seed(0)
        single = CARD.build(tiny_backbone, CARD.options(mp=False))
        tokens, plain = detector.encode(tiny_images, NAMES), single.encode(tiny_images, NAMES)
        sentences = [
            f"a photo of a {state} {name}" for name in ("bolt", "metal nut") for state in ("normal", "abnormal")
        ]
        features = unit(tiny_backbone.text.sentence_features(sentences)).view(2, 2, -1)
    assert torch.allclose(tokens.parts[TEXT], features[[0, 1, 0]], atol=1e-5)
    for one, other in zip(tokens.layers, plain.layers, strict=True):
        assert torch.allclose(one, other, atol=1e-4), "the fusion begins with the embedded image unchanged"


def test_random_starts_are_an_option(tiny_backbone):
    network = CARD.build(tiny_backbone, CARD.options(identity_start=False)).network
    assert network.mp.bias.std() > 0
    assert network.first.sp.tokens.std().item() == pytest.approx(0.02, rel=0.15)


BAD = [
    *({"layers": ()}, {"layers": (6, 6)}, {"layers": (25,)}, {"sp_stages": 5}, {"sp_stages": -1}, {"prompts": 0}),
    *({"neighbourhood": 2}, {"neighbourhood": 0}, {"template": "a photo"}, {"logit_scale": 0}, {"resnet_size": -1}),
    *({"focal_gamma": -1}, {"focal_smoothing": 0.5}, {"coarse_weight": -1}, {"sp_std": -0.1}, {"adapter_width": -1}),
]


@pytest.mark.parametrize("options", BAD, ids=str)
def test_bad_options(options):
    with pytest.raises(UsageError):
        CARD.options(**options)


def test_a_sentence_that_is_too_long_is_refused(tiny_backbone, tiny_images):
    detector = CARD.build(tiny_backbone, CARD.options(template="very " * 80 + "{state} {object}"))
    with pytest.raises(UsageError, match="template"):
        detector.encode(tiny_images[:1], NAMES[:1])
