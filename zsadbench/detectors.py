"""The detector of a method: what the engine calls, and what it gives and gets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from zsadbench.printing import score_text
from zsadbench.tokens import Tokens

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Generator, Tensor, nn

    from zsadbench.display.strip import Strip


class Scores(NamedTuple):
    """Anomaly scores of one batch, per image and per pixel; higher is more anomalous, on any scale."""

    image: Tensor  # (batch,)
    pixel: Tensor  # (batch, height, width): the patch grid, or full size

    def strip(self, images: Sequence[Image] = (), number: int = 8) -> Strip:
        """Draw the anomaly maps with the highest image scores, over their `images` (one per score) if these are given.

        All maps have one colour range, from the median to the largest value of the maps that are drawn.
        """
        from zsadbench.display.strip import Row, Strip, map_row, small

        values, maps = self.image.detach().float().cpu(), self.pixel.detach().float().cpu().numpy()
        places = values.argsort(descending=True, stable=True)[: max(0, number)].tolist()
        pictures = [small(images[place]) if images else None for place in places]
        row = map_row("anomaly map", [maps[place] for place in places], pictures)
        captions = [f"{place}: {score_text(float(values[place]))}" for place in places]
        left_out = len(values) - len(places)
        note = "number and score of the image, highest first" + (f"; {left_out} more not shown" if left_out else "")
        rows = [*([Row("image", tuple(pictures))] if images else []), row]
        return Strip(tuple(rows), tuple(captions), (note,) if captions else ())

    def _repr_html_(self) -> str:
        """Show the anomaly maps with the highest scores, as `strip` does."""
        return self.strip()._repr_html_()


class Batch(NamedTuple):
    """One batch of labelled training images.

    Attributes:
        images: float32 (batch, 3, size, size), normalised.
        masks: float32 (batch, size, size), 0 or 1; also between 0 and 1 if the recipe leaves masks grey.
        labels: int64 (batch,), 0 normal and 1 anomalous.
        class_names: the words in the prompts, one per image.
    """

    images: Tensor
    masks: Tensor
    labels: Tensor
    class_names: tuple[str, ...]


class Macs(NamedTuple):
    """Multiply-accumulates of a method in closed form; only matrix products are counted.

    Attributes:
        image: part → number for one image, after the image tower, by the paper's formulas; repeated computations of the
            same result count once, and terms that cancel do not count.
        executed: the number that this implementation executes for the same result.
        text: the number for encoding the prompts, once per class and set of weights.
        tower: the number for one image inside the encoders, of a method that encodes images itself; None for the shared
            image tower up to the last tap.
    """

    image: Mapping[str, int]
    executed: Mapping[str, int]
    text: int
    tower: int | None = None


Losses = Mapping[str, "Tensor"]  # name → scalar; the sum is minimised


@runtime_checkable
class Method(Protocol):
    """A detector that scores images from the tokens of a frozen CLIP encoder."""

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Score one batch; the result of an image must not depend on the other images in the batch."""
        ...


@runtime_checkable
class Trainable(Method, Protocol):
    """A detector that is trained on an auxiliary benchmark; the training loop is in the engine."""

    @property
    def network(self) -> nn.Module:
        """The trained part: its parameters are optimised, its state dict is the checkpoint."""
        ...

    def loss(self, tokens: Tokens, batch: Batch) -> Losses:
        """Compute each term of the training loss on one batch."""
        ...


@runtime_checkable
class Staged(Trainable, Protocol):
    """A detector that is trained in several stages (`Recipe.before`), built as for the last one."""

    def begin_stage(self, stage: str) -> None:
        """Prepare for training a stage: its parameters require gradients, others do not.

        `encode` and `loss` are those of the stage; of the last one, `encode` is also that of scoring.
        """
        ...


@runtime_checkable
class Augmenting(Trainable, Protocol):
    """A detector that transforms the images and masks of every training batch (`MethodCard.augments`)."""

    def augment(self, batch: Batch, generator: Generator) -> Batch:
        """Transform a batch before it is encoded; `generator`, on the CPU, decides what is random."""
        ...


@runtime_checkable
class Traceable(Method, Protocol):
    """A method that returns its intermediate results by name, for `parity` and `explain`."""

    def stages(self, tokens: Tokens, class_names: Sequence[str]) -> Mapping[str, Tensor]:
        """Compute every intermediate result of the paper's figure; the first axis is the batch."""
        ...


@runtime_checkable
class LossTraceable(Protocol):
    """A method that returns the parts of its training loss by the names in the parity fixtures."""

    def loss_stages(self, tokens: Tokens, batch: Batch) -> Mapping[str, Tensor]:
        """Compute the targets of the loss, and each unweighted term as `loss_NAME`."""
        ...


@runtime_checkable
class FewShot(Method, Protocol):
    """A detector that can use a few normal images (supports) of the class that it scores."""

    def remember(self, tokens: Tokens) -> None:
        """Replace the supports by these normal images of the class scored next; an empty batch removes them."""
        ...


@runtime_checkable
class Parted(Method, Protocol):
    """A detector whose published image scores need all test images of a class (`MethodCard.transductive`).

    `score` stays a function of one image; what the finishing step needs of each image are its parts.
    """

    def image_parts(self, tokens: Tokens, class_names: Sequence[str], scores: Scores) -> Mapping[str, Tensor]:
        """Compute the parts of a batch that `score` has scored: name → (batch,), of each image by itself."""
        ...


@runtime_checkable
class WholeClass(Method, Protocol):
    """A detector that makes scores and maps of all test images of a class together (`Transductive.whole_class`).

    Its `score` raises `UsageError`. Neither the order in which images are gathered nor their batches may change a score
    but by rounding.
    """

    def begin_class(self, class_word: str) -> None:
        """Forget all images that were gathered; `class_word` is the word in the prompts of the next class."""
        ...

    def gather(self, tokens: Tokens) -> None:
        """Take further images of the class, also after it was scored."""
        ...

    def score_class(self) -> Iterator[Scores]:
        """Score all images that were gathered, in their order: batches of any size, one after the other."""
        ...


@runtime_checkable
class Remembering(Method, Protocol):
    """A detector that remembers a labelled auxiliary set in one pass (`Recipe.one_pass`)."""

    @property
    def network(self) -> nn.Module:
        """The memory, as buffers: its state dict is the checkpoint. `expect_state(state)` takes other lengths."""
        ...

    def remember_auxiliary(self, batches: Iterable[tuple[Tokens, Batch]]) -> None:
        """Replace the memory by that of these labelled images; the order of the batches has no meaning."""
        ...


@runtime_checkable
class TextFirst(Method, Protocol):
    """A detector whose text features do not depend on images; after encoding them, it scores without the text tower."""

    def encode_text(self, class_names: Sequence[str]) -> None:
        """Compute and keep the text features of these classes for the present parameters."""
        ...


@runtime_checkable
class TextReplaceable(Protocol):
    """A method whose text features a parity fixture may give instead of sentences."""

    def use_text(self, features: Tensor, class_names: Sequence[str]) -> None:
        """Use these text features, (2, joint), normal and abnormal, for these classes."""
        ...


@runtime_checkable
class OwnEncoding(Method, Protocol):
    """A detector that works inside the encoders: its taps say `own_encoding`, and it turns images into tokens itself.

    It does so with `backbone.vision.walk` and `backbone.text.walk` (`zsadbench.clip.walk`), and never with open_clip.
    Its time counts as that of the image encoder; it shares no encoding with another method. A `Trainable` is called
    with gradients enabled, so that parts between the blocks can be trained.
    """

    def encode(self, images: Tensor, class_names: Sequence[str]) -> Tokens:
        """Encode one batch; the result of an image must not depend on the other images in the batch.

        Args:
            images: float32 (batch, 3, size, size), normalised.
            class_names: the words in the prompts, one per image.

        Returns:
            What `score`, `loss`, `stages` and `remember` get; the first axis of every tensor is the batch.
        """
        ...
