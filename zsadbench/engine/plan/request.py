"""The arguments of a run: one value that the command line, the Python interface and the plan share.

Each field declares its flag; see `zsadbench.flags`. This module imports neither torch nor pandas.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from zsadbench.engine.plan.sweep_file import SWEEP, Sweep
from zsadbench.errors import UsageError
from zsadbench.flags.fields import (
    COMPUTE,
    DATA,
    MODEL,
    OUTPUT,
    WHAT,
    Accepts,
    AnyPath,
    MaybePath,
    Names,
    Numbers,
    Paths,
    about,
    check_choices,
    check_numbers,
    flag,
    normalise,
)
from zsadbench.flags.forms import COUNT, NAMES, NUMBER, NUMBERS, OPTIONS, PATH, PATHS, SIZE, SWITCH, split
from zsadbench.tokens import Compiling

Overwrite = Literal["never", "missing", "always"]
Precision = Literal["fp32", "bf16", "fp16"]
TokenPrecision = Literal["fp32", "fp16"]
Engine = Literal["local", "processes", "ray"]
PRECISIONS: tuple[str, ...] = get_args(Precision)
NO_AUX = "none"
SEEDS = 2**63  # more than the largest seed
TOKEN_CACHE = 4 << 30  # bytes
DOMAINS = ("industrial", "medical")


def default_workers() -> int:
    """Threads that read images: one per processor that this process may use, at least 2 and at most 16."""
    from zsadbench.metrics.counting.threads import processors

    return min(16, max(2, processors()))


def read_targets(texts: Iterable[str] | None) -> tuple[str, ...]:
    """Split comma lists of targets; `all` stands for the sixteen benchmarks, a domain for those of it."""
    names: list[str] = []
    for name in split(texts):
        names += _benchmarks(name) if name in {"all", *DOMAINS} else [name]
    return tuple(dict.fromkeys(names))


def _benchmarks(domain: str) -> list[str]:
    from zsadbench.data import all_cards

    cards = [card for card in all_cards() if card.in_groups and not card.generated]
    return [card.name for card in cards if domain in {"all", card.domain}]


MaybeSweep = Accepts[Sweep | None, Sweep | Path | str | None]
TARGETS = replace(NAMES, read=lambda parsed, flag: read_targets(parsed))


@dataclass(frozen=True)
class RunRequest:
    """What `zsadbench run` runs, on what, with what, and where the records go.

    The constructor takes one value or several where a field has several, and text for paths. Fields that are None or
    empty stand for a choice made later: `aux` for the auxiliary set of the papers, `seeds` for those of the protocol,
    else 0, `epochs` for the recipe's, `image_size` for the recipe's or the backbone's, `batch_size` for an automatic
    one, `engine`, `jobs` and `shard` for what fits the devices and the encoder. `shots` are normal images per class, 0
    for zero-shot; each is run with each of `support_seeds`. `image_cache` and `token_cache` are bytes on disk;
    `image_cache` None and `token_cache` 0 keep nothing. `compile` changes the last bits of results and no identity.

    With `held_out`, which has no flag, every target consists of these classes alone, and the auxiliary set of its other
    classes; it may be the target, then. Records are partial.

    Raises:
        UsageError: a value cannot be right.
    """

    methods: Names = field(
        metadata=about("Method; repeatable, or a comma list.", WHAT, form=NAMES, name="method", short="-m")
    )
    targets: Names = field(
        metadata=about(
            "Data set, folder:PATH, csv:PATH, all, industrial or medical; repeatable, or a comma list.",
            WHAT,
            form=TARGETS,
            name="target",
            short="-t",
        )
    )
    _: KW_ONLY
    classes: Names = flag(
        "Only these classes; repeatable, or a comma list.", WHAT, default=(), form=NAMES, name="class"
    )
    limit: int | None = flag(
        "Only the first N normal and N anomalous test images per class.", WHAT, default=None, form=NUMBER, at_least=1
    )
    seeds: Numbers = flag("Seed of the training; repeatable (default: 0).", WHAT, default=(), form=NUMBERS, name="seed")
    shots: Numbers = flag(
        "Few-shot variants: number of normal images per class; repeatable (default: 0).",
        WHAT,
        form=NUMBERS,
        default=(0,),
        variable=False,
    )
    support_seeds: Numbers = flag(
        "Seed that chooses the normal images of few-shot variants; repeatable (default: 0).",
        WHAT,
        form=NUMBERS,
        name="support-seed",
        default=(0,),
        variable=False,
    )
    options: Names = flag(
        "Option of a method, METHOD.KEY=VALUE when several methods run, KEY=A|B|C to run each value; repeatable.",
        WHAT,
        form=OPTIONS,
        name="option",
        short="-O",
        default=(),
    )
    sweep: MaybeSweep = flag(
        "TOML file with a table of options per method, KEY = [values], to run each combination; also what tune wrote.",
        WHAT,
        form=SWEEP,
        default=None,
        variable=False,
    )
    protocol: str = flag("Evaluation protocol.", WHAT, default="strict")
    metrics: Names = flag(
        "Additional metric, such as pixel_aupro@0.05; repeatable, or a comma list.",
        WHAT,
        default=(),
        form=NAMES,
        name="metric",
    )
    aux: str | None = flag(
        "Auxiliary set to learn from, or 'none' (default: mvtec, and visa for mvtec).", DATA, default=None
    )
    allow_leak: bool = flag(
        "Let --aux be the target itself, and --shots draw from test images where training images are missing.",
        DATA,
        default=False,
        form=SWITCH,
        variable=False,
    )
    data_roots: Paths = flag(
        "Folder that holds data sets; repeatable (default: ZSADBENCH_DATA).",
        DATA,
        form=PATHS,
        name="data-root",
        default=(),
        variable=False,
    )
    allow_partial: bool = flag(
        "Use an incomplete data set; the record says so.", DATA, default=False, form=SWITCH, variable=False
    )
    normal: Names = flag(
        "folder:PATH: name of the folder that holds normal images, where it is not good, OK, normal or the like.",
        DATA,
        default=(),
        form=NAMES,
        variable=False,
    )
    max_pixels: int | None = flag(
        "Largest number of pixels of an image that is read (default: 178956970).",
        DATA,
        default=None,
        form=NUMBER,
        at_least=1,
    )
    backbone: str | None = flag(
        "Architecture (default: ViT-L-14-336), or the path of a backbone.json.", MODEL, default=None
    )
    weights: str | None = flag("Published tag (default: openai), a file, or 'random'.", MODEL, default=None)
    checkpoint: MaybePath = flag(
        "Trained parameters: a checkpoint of zsadbench, or the method's published file.",
        MODEL,
        form=PATH,
        default=None,
    )
    epochs: int | None = flag(
        "Epochs of training (default: the recipe's).", MODEL, default=None, form=NUMBER, at_least=1
    )
    image_size: int | None = flag(
        "Input side in pixels, a multiple of the patch size.", MODEL, default=None, form=NUMBER, at_least=1
    )
    offline: bool = flag("Never download.", MODEL, default=False, form=SWITCH)
    device: str = flag(
        "Device: auto, cpu, cuda or cuda:N; for run also a comma list, or all for every GPU.", COMPUTE, default="auto"
    )
    engine: Engine | None = flag(
        "Where the work is done: local (in this process), processes or ray (default: processes with several devices "
        "or --jobs, else local).",
        COMPUTE,
        default=None,
        choices=get_args(Engine),
    )
    jobs: int | None = flag(
        "Worker processes on the device (default: one a device).", COMPUTE, default=None, form=NUMBER, at_least=1
    )
    shard: int | None = flag(
        "Images a unit of work, rounded up to whole batches (default: about a minute of work).",
        COMPUTE,
        default=None,
        form=NUMBER,
        at_least=1,
    )
    unit_timeout: int | None = flag(
        "Seconds that a unit of work may take (default: no limit).", COMPUTE, default=None, form=NUMBER, at_least=1
    )
    address: str | None = flag(
        "With --engine ray: the cluster, auto or HOST:PORT (default: this machine alone).", COMPUTE, default=None
    )
    precision: Precision = flag(
        "Arithmetic of the image tower: fp32, bf16 or fp16.", COMPUTE, default="fp32", choices=PRECISIONS
    )
    compile: Compiling = flag(
        "Compile the blocks of the image tower: off, blocks, or graphs (with CUDA graphs).",
        COMPUTE,
        default="off",
        choices=get_args(Compiling),
    )
    batch_size: int | None = flag("Images per batch: auto, or a number.", COMPUTE, default=None, form=COUNT, at_least=1)
    workers: int = flag(
        "Threads that read images (default: one per processor, 2 to 16).",
        COMPUTE,
        form=NUMBER,
        default_factory=default_workers,
        at_least=0,
    )
    image_cache: int | None = flag(
        "Disk space for resized images, such as 20GiB (default: none are kept).",
        COMPUTE,
        form=SIZE,
        default=None,
        at_least=0,
    )
    token_cache: int = flag(
        "Disk space for the tokens that methods learn from, such as 20GiB; 0 keeps none (default: 4GiB).",
        COMPUTE,
        form=SIZE,
        default=TOKEN_CACHE,
        at_least=0,
    )
    token_precision: TokenPrecision = flag(
        "Precision of the tokens that methods learn from: fp32, or fp16 (half the space; the record says so).",
        COMPUTE,
        default="fp32",
        choices=get_args(TokenPrecision),
    )
    out: AnyPath = flag("Folder for the records.", OUTPUT, default=Path("results"), form=PATH)
    overwrite: Overwrite = flag(
        "What to do with an existing record: 'never' touch it, add what is 'missing', or 'always' replace it.",
        OUTPUT,
        default="missing",
        choices=get_args(Overwrite),
    )
    save_maps: bool = flag(
        "Keep every anomaly map in a folder next to the record.", OUTPUT, default=False, form=SWITCH, variable=False
    )

    held_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        normalise(self)
        if not self.methods:
            raise UsageError("no method given; pass --method, for example --method fbclip")
        if not self.targets:
            raise UsageError("no target given; pass --target, for example --target visa")
        check_choices(self)
        if self.checkpoint is not None and len(self.methods) > 1:
            raise UsageError("--checkpoint belongs to one method; run the methods one by one")
        if self.checkpoint is not None and self.aux == NO_AUX:
            raise UsageError("--checkpoint is a trained head and --aux none an untrained one; give one of them")
        check_numbers(self)
        if any(seed < 0 for seed in (*self.seeds, *self.support_seeds)):
            raise UsageError("a seed must not be negative")
        if any(seed >= SEEDS for seed in (*self.seeds, *self.support_seeds)):
            raise UsageError(f"a seed must be less than {SEEDS}")
        if any(shots < 0 for shots in self.shots):
            raise UsageError("--shots must not be negative; 0 is zero-shot")
