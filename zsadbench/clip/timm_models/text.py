"""The text tower of a pair with its own tokenizer (SigLIP)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from zsadbench.clip.towers import TextTower
from zsadbench.errors import WeightsError

if TYPE_CHECKING:
    from zsadbench.clip.timm_models.pairs import PairConfig, TextRules


class PairTextTower(TextTower):
    """A text transformer that need not be causal, whose last token may stand for the sentence.

    Args:
        text: open_clip's text tower.
        config: the architecture.
    """

    def __init__(self, text: Any, config: PairConfig) -> None:
        nn.Module.__init__(self)
        self.rules, self.context_length = config.rules, config.text.context_length
        self.transformer, self.norm = text.transformer, text.ln_final
        self.token_embedding, self.positional_embedding = text.token_embedding, text.positional_embedding
        self.head = text.text_projection  # a linear layer with a bias, or a matrix (width, joint)
        mask = torch.full((self.context_length, self.context_length), float("-inf")).triu(1)
        self.register_buffer("causal_mask", mask, persistent=False)

    @property
    def projection(self) -> Tensor:
        """The weights of the projection into the joint space, (width, joint), without its bias."""
        projection: Tensor = self.head.weight.T if isinstance(self.head, nn.Linear) else self.head
        return projection

    def tokenize(self, sentences: Sequence[str]) -> Tensor:
        """Encode sentences with the tokenizer of the pair: int64 (sentences, context).

        Raises:
            WeightsError: the tokenizer is not here.
        """
        if not self.rules.tokenizer:
            return super().tokenize(sentences)
        ids: Tensor = load_tokenizer(self.rules)(list(sentences), self.context_length)
        return ids.to(self.positional_embedding.device)

    def sentence_features(self, sentences: Sequence[str]) -> Tensor:
        """Compute the pair's own features of whole sentences: (n, joint), not normalised."""
        return self.features_of(self.tokenize(sentences))

    def features_of(self, ids: Tensor) -> Tensor:
        """Compute the features of encoded sentences: int64 (n, context) → (n, joint), not normalised."""
        states = self(self.embed(ids), causal=self.rules.causal)  # (n, context, width)
        rows = torch.arange(len(ids), device=ids.device)
        pooled = states[rows, ids.argmax(dim=1)] if self.rules.pool == "argmax" else states[:, -1]
        features: Tensor = self.head(pooled) if isinstance(self.head, nn.Linear) else pooled @ self.head
        return features


@cache
def load_tokenizer(rules: TextRules, *, offline: bool = False) -> Any:
    """Load a tokenizer of the Hugging Face hub with the library transformers, once.

    Raises:
        WeightsError: the library or the tokenizer is not here.
    """
    from open_clip.tokenizer import HFTokenizer

    what = f"the tokenizer '{rules.tokenizer}' of the text tower"
    cleaning = {"clean": rules.clean} if rules.clean else {}
    offline = offline or bool(os.environ.get("HF_HUB_OFFLINE"))
    try:
        return HFTokenizer(rules.tokenizer, local_files_only=offline, **cleaning)
    except ImportError as failure:
        raise WeightsError(f"{what} needs the library transformers; run 'pip install transformers'") from failure
    except (OSError, ValueError, TypeError) as failure:
        raise WeightsError(f"{what} is not here and cannot be fetched: {str(failure).splitlines()[0]}") from failure
