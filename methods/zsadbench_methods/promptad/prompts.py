"""PromptAD's learned vectors, and its sentences with these vectors in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from zsadbench.errors import UsageError
from zsadbench_methods.parts.precision import single_precision
from zsadbench_methods.promptad.names import PARTS
from zsadbench_methods.promptad.sentences import sentences_of

if TYPE_CHECKING:
    from zsadbench.clip.towers import TextTower
    from zsadbench_methods.promptad.options import Options

BANKS = ("bank_1", "bank_2")
TEXT = "text_features"


class Prompts(nn.Module):
    """The learned vectors of one training: normal (n, context, width) and abnormal contexts, from N(0, 0.02²)."""

    def __init__(self, options: Options, part: str, width: int) -> None:
        super().__init__()
        self.normal = nn.Parameter(0.02 * torch.randn(options.normal(part), options.context, width))
        self.abnormal = nn.Parameter(0.02 * torch.randn(options.abnormal, options.abnormal_context, width))


class Network(nn.Module):
    """The learned vectors of both trainings, `cls` and `seg`; or what a published file holds in their place.

    That is the finished text features of each, (2, joint), and the remembered patches, `bank_1` and `bank_2`.
    """

    def __init__(self, options: Options, width: int) -> None:
        super().__init__()
        for part in PARTS:
            self.add_module(part, Prompts(options, part, width))

    def expect_state(self, state: Mapping[str, Tensor]) -> None:
        """Make room for what a published file holds in place of learned vectors; called before a state is loaded."""
        for part in PARTS:
            if (name := f"{part}.{TEXT}") in state:
                finished = nn.Module()
                finished.register_buffer(TEXT, torch.empty_like(state[name]))
                self.add_module(part, finished)
        for bank in BANKS:
            if bank in state:
                self.register_buffer(bank, torch.empty_like(state[bank]))

    def prompts(self, part: str) -> Prompts | None:
        """Return the learned vectors of a training; None where a published file lacks them."""
        module = self.get_submodule(part)
        return module if isinstance(module, Prompts) else None

    def finished_text(self, part: str) -> Tensor:
        """Return the text features of a published file, (2, joint)."""
        return self.get_submodule(part).get_buffer(TEXT)

    def banks(self) -> dict[str, Tensor]:
        """Return the remembered patches of a published file, (rows, width) each; empty where there are none."""
        known = dict(self.named_buffers(recurse=False))
        return {bank: known[bank] for bank in BANKS if bank in known}


class TextFeatures(NamedTuple):
    """CLIP's features of the three families of sentences, (n, joint) each, not of unit length."""

    normal: Tensor
    manual: Tensor
    learned: Tensor

    def prototypes(self) -> Tensor:
        """Average each side as it is, then normalise: (2, joint), normal and abnormal."""
        abnormal = torch.cat([self.manual, self.learned])
        return normalize(torch.stack([self.normal.mean(dim=0), abnormal.mean(dim=0)]), dim=-1)


class Sentences:
    """The sentences of one class for one training, embedded once with placeholders.

    Tokens after the last end token are left out: the causal text tower never attends to them. `ids` are the tokens of
    the families, (n, length) each.

    Raises:
        UsageError: a sentence is too long for the text tower.
    """

    def __init__(self, text: TextTower, options: Options, part: str, class_name: str) -> None:
        families = sentences_of(class_name, options, options.normal(part))
        every = [sentence for family in families for sentence in family]
        self._sizes = [len(family) for family in families]
        self._context, self._count = options.context, options.abnormal_context
        with torch.inference_mode(mode=False), torch.no_grad():  # they are also used in training
            ids = text.tokenize([sentence.text for sentence in every])
            if bool(ids[:, -1].any()):
                raise UsageError(
                    f"{self._context} and {self._count} learned tokens (options 'context', 'abnormal_context') and "
                    f"'{class_name}' do not fit into the {text.context_length} tokens of the text tower"
                )
            self._ends = ids.argmax(dim=1)  # the end token has the largest id
            ids = ids[:, : int(self._ends.max()) + 1]
            self._embedded = text.embed(ids)  # (n, length, width)
            self._normal = torch.tensor([sentence.normal for sentence in every], device=ids.device)
            pairs = [sentence.abnormal for sentence in every if sentence.abnormal is not None]
            self._abnormal = torch.tensor(pairs, device=ids.device)
            before = options.abnormal_place == "before"
            self._place = 1 + self._context if before else int(self._ends[-1]) - 1 - self._count
        self.ids: Sequence[Tensor] = torch.split(ids, self._sizes)

    def features(self, text: TextTower, prompts: Prompts) -> TextFeatures:
        """Encode all sentences with the learned vectors in place of the placeholders."""
        with single_precision(prompts.normal):
            words = self._embedded
            words = torch.cat([words[:, :1], prompts.normal[self._normal], words[:, 1 + self._context :]], dim=1)
            known, learned = torch.split(words, [sum(self._sizes[:2]), self._sizes[2]])
            after = learned[:, self._place + self._count :]
            learned = torch.cat([learned[:, : self._place], prompts.abnormal[self._abnormal], after], dim=1)
            states = text(torch.cat([known, learned]))  # (n, length, width)
            ends = states[torch.arange(len(states), device=states.device), self._ends]
            return TextFeatures(*torch.split(ends @ text.projection, self._sizes))
