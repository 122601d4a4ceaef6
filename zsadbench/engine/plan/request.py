"""What a user asks for: one value that the CLI, the Python interface and the plan share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from zsadbench.errors import UsageError
from zsadbench.types import Compiling

Overwrite = Literal["never", "missing", "always"]
COMPILING = ("off", "blocks", "graphs")
Precision = Literal["fp32", "bf16", "fp16"]
TokenPrecision = Literal["fp32", "fp16"]
PRECISIONS = ("fp32", "bf16", "fp16")
TOKEN_PRECISIONS = ("fp32", "fp16")
OVERWRITES = ("never", "missing", "always")
NO_AUX = "none"
TOKEN_CACHE = 4 << 30  # bytes


def default_workers() -> int:
    """Threads that read images: one a processor that this process may use, 2 to 16; they idle when they are ahead."""
    from zsadbench.metrics.counting.threads import processors

    return min(16, max(2, processors()))


@dataclass(frozen=True)
class RunRequest:
    """The arguments of `zsadbench run`, by the names of its flags.

    `aux` None stands for the papers' choice; `seeds` empty for the protocol's, else 0; `epochs`,
    `image_size` and `batch_size` None for the recipe's, the backbone's and an automatic one. `image_cache` is
    how many bytes resized images may take on disk; None keeps none. `token_cache` is the same for the tokens that
    methods learn from, which have `token_precision`; 0 keeps none. `shots` are numbers of normal images a class,
    0 for zero-shot, drawn anew with each of `support_seeds`. `compile` is whether the blocks of the image tower are
    compiled; it changes the last bits of results and no identity.
    """

    methods: tuple[str, ...]
    targets: tuple[str, ...]
    classes: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    shots: tuple[int, ...] = (0,)
    support_seeds: tuple[int, ...] = (0,)
    aux: str | None = None
    options: tuple[str, ...] = ()
    limit: int | None = None
    backbone: str | None = None
    weights: str | None = None
    checkpoint: Path | None = None
    epochs: int | None = None
    image_size: int | None = None
    protocol: str = "strict"
    device: str = "auto"
    precision: Precision = "fp32"
    compile: Compiling = "off"
    batch_size: int | None = None
    workers: int = field(default_factory=default_workers)
    image_cache: int | None = None
    token_cache: int = TOKEN_CACHE
    token_precision: TokenPrecision = "fp32"
    data_roots: tuple[Path, ...] = ()
    out: Path = field(default_factory=lambda: Path("results"))
    overwrite: Overwrite = "missing"
    allow_partial: bool = False
    allow_leak: bool = False
    save_maps: bool = False
    metrics: tuple[str, ...] = ()
    offline: bool = False

    def __post_init__(self) -> None:
        self._check_choices()
        self._check_numbers()

    def _check_choices(self) -> None:
        if not self.methods:
            raise UsageError("no method given; pass --method, for example --method fbclip")
        if not self.targets:
            raise UsageError("no target given; pass --target, for example --target visa")
        if self.overwrite not in OVERWRITES:
            raise UsageError(f"--overwrite is '{self.overwrite}'; it takes one of: {', '.join(OVERWRITES)}")
        if self.precision not in PRECISIONS:
            raise UsageError(f"--precision is '{self.precision}'; it takes one of: {', '.join(PRECISIONS)}")
        if self.compile not in COMPILING:
            raise UsageError(f"--compile is '{self.compile}'; it takes one of: {', '.join(COMPILING)}")
        if self.token_precision not in TOKEN_PRECISIONS:
            known = ", ".join(TOKEN_PRECISIONS)
            raise UsageError(f"--token-precision is '{self.token_precision}'; it takes one of: {known}")
        if self.checkpoint is not None and len(self.methods) > 1:
            raise UsageError("--checkpoint belongs to one method; run the methods one by one")
        if self.checkpoint is not None and self.aux == NO_AUX:
            raise UsageError("--checkpoint is a trained head and --aux none an untrained one; give one of them")

    def _check_numbers(self) -> None:
        smallest = {"limit": 1, "epochs": 1, "image_size": 1, "batch_size": 1, "workers": 0, "image_cache": 0}
        smallest |= {"token_cache": 0}
        for name, least in smallest.items():
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < least):
                raise UsageError(f"--{name.replace('_', '-')} is {value}; it must be at least {least}")
        if any(seed < 0 for seed in (*self.seeds, *self.support_seeds)):
            raise UsageError("a seed must not be negative")
        if any(shots < 0 for shots in self.shots):
            raise UsageError("--shots must not be negative; 0 is zero-shot")
