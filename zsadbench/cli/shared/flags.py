"""The flags that several verbs share, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Methods = Annotated[
    list[str] | None,
    typer.Option("--method", "-m", help="Method; repeatable, or a comma list."),
]
Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        "-t",
        help="Data set, folder:PATH, csv:PATH, all, industrial or medical; repeatable, or a comma list.",
    ),
]
Classes = Annotated[list[str] | None, typer.Option("--class", help="Only these classes.")]
Seeds = Annotated[
    list[str] | None,
    typer.Option("--seed", help="Seed of the training; repeatable (default 0)."),
]
Aux = Annotated[
    str | None,
    typer.Option(
        help="Auxiliary set to learn from, or 'none' (default: mvtec, and visa for mvtec).", envvar="ZSADBENCH_AUX"
    ),
]
LearnsFrom = Annotated[
    str | None,
    typer.Option(
        "--aux",
        help="What to learn from without --checkpoint, or 'none' (default: mvtec; demo-aux for the backbone demo).",
        envvar="ZSADBENCH_AUX",
    ),
]
MethodOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        "-O",
        help="KEY=VALUE, or METHOD.KEY=VALUE when several methods run.",
    ),
]
BackboneName = Annotated[
    str | None,
    typer.Option(
        "--backbone",
        help="Architecture (default ViT-L-14-336), or the path of a backbone.json.",
        envvar="ZSADBENCH_BACKBONE",
    ),
]
WeightsName = Annotated[
    str | None,
    typer.Option("--weights", help="Published tag (default openai), a file, or 'random'.", envvar="ZSADBENCH_WEIGHTS"),
]
CheckpointPath = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        help="Trained parameters: ours, or the method's published file.",
        envvar="ZSADBENCH_CHECKPOINT",
    ),
]
Epochs = Annotated[
    int | None, typer.Option(help="Epochs of training (default: the recipe's).", envvar="ZSADBENCH_EPOCHS")
]
ImageSize = Annotated[
    int | None,
    typer.Option(help="Input side in pixels, a multiple of the patch.", envvar="ZSADBENCH_IMAGE_SIZE"),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.", envvar="ZSADBENCH_DEVICE")]
Precision = Annotated[
    str, typer.Option(help="Arithmetic of the image tower: fp32, bf16 or fp16.", envvar="ZSADBENCH_PRECISION")
]
Compile = Annotated[
    str,
    typer.Option(
        help="Compile the blocks of the image tower: off, blocks, or graphs (and CUDA graphs).",
        envvar="ZSADBENCH_COMPILE",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(help="Threads that read images (default: one a processor, 2 to 16).", envvar="ZSADBENCH_WORKERS"),
]
ImageCache = Annotated[
    str | None,
    typer.Option(
        help="Room for resized images on disk, such as 20GiB (default: none are kept).", envvar="ZSADBENCH_IMAGE_CACHE"
    ),
]
TokenCache = Annotated[
    str | None,
    typer.Option(
        help="Room on disk for the tokens that methods learn from, such as 20GiB; 0 keeps none (default: 4GiB).",
        envvar="ZSADBENCH_TOKEN_CACHE",
    ),
]
TokenPrecision = Annotated[
    str,
    typer.Option(
        help="What methods learn from: fp32, or tokens rounded to fp16 (half the room; the record says so).",
        envvar="ZSADBENCH_TOKEN_PRECISION",
    ),
]
DataRoots = Annotated[
    list[Path] | None,
    typer.Option("--data-root", help="Where data sets lie; repeatable (default: ZSADBENCH_DATA)."),
]
AllowPartial = Annotated[bool, typer.Option("--allow-partial", help="Use an incomplete data set; the record says so.")]
AllowLeak = Annotated[bool, typer.Option("--allow-leak", help="Let --aux be the target itself.")]
Offline = Annotated[bool, typer.Option("--offline", help="Never download.", envvar="ZSADBENCH_OFFLINE")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no warnings.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more on stderr.")]
