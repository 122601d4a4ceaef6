"""Call the code of a method so that what it raises fails this method alone, and check what it returns.

Every call into a method goes through `call_method`. An exception of the method becomes a `CellError` that names the
method; a `RuntimeError` or another exception that is raised elsewhere is a bug of zsadbench and stays what it is.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from zsadbench.engine.machine.device import is_shortage
from zsadbench.errors import CellError, ZsadError, described
from zsadbench.types import Scores, Tokens

if TYPE_CHECKING:
    from torch import Tensor, nn

    from zsadbench.types import Losses, Trainable

log = logging.getLogger(__name__)

T = TypeVar("T")

PREPARING = ("build", "network")  # parts whose errors for users keep their own exit codes


def call_method(name: str, part: str, call: Callable[..., T], *arguments: Any, of: str = "") -> T:
    """Call code of a method and return its result.

    Args:
        name: of the method, for the message.
        part: of the method that is called, such as `score`.
        call: the code.
        arguments: of the call.
        of: what the call is about, for the message: begins with a space, or is empty.

    Raises:
        CellError: the code raised an exception of any class but `KeyboardInterrupt`; its traceback is logged at the
            level DEBUG.
        UsageError, WeightsError: `build` or `network` raised one, which says what the user can do.
        MemoryError, RuntimeError: memory was short (`is_shortage`).
    """
    try:
        return call(*arguments)
    except (CellError, KeyboardInterrupt):
        raise
    except ZsadError as failure:
        if part in PREPARING:
            raise
        raise CellError(f"'{name}': {failure}{of}") from failure
    except BaseException as failure:
        if is_shortage(failure):
            raise
        log.debug("'%s': the traceback of %s%s", name, part, of, exc_info=True)
        traceback.clear_frames(failure.__traceback__)  # they refer to the tensors of the batch
        raise CellError(f"'{name}': {part} raised {described(failure)}{of}") from failure


def batch_of(paths: Sequence[str], count: int) -> str:
    """Return the words of a message that say which batch is meant."""
    first = f" that begins with '{paths[0]}'" if len(paths) else ""
    return f" for a batch of {count} image{'' if count == 1 else 's'}{first}"


def what_is(value: Any) -> str:
    """Return type and shape of a value in words, for messages."""
    kind = type(value).__name__
    if isinstance(value, tuple | list):
        return f"a {kind} of {len(value)}"
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        return kind
    shape = ", ".join(map(str, value.shape))
    return f"{kind} {str(value.dtype).removeprefix('torch.')} ({shape})"


def checked_scores(name: str, returned: Any, count: int, of: str) -> Scores:
    """Return what `Method.score` returned for `count` images as `Scores` without gradients.

    Raises:
        CellError: it is no pair of tensors, or a tensor has another shape or type than `Scores` promises.
    """
    from torch import Tensor

    pair = isinstance(returned, tuple) and len(returned) == len(Scores._fields)
    if not pair or not all(isinstance(part, Tensor) for part in returned):
        found = ", ".join(map(what_is, returned)) if pair else what_is(returned)
        raise CellError(f"'{name}' returned {found}{of}; wanted are Scores(image, pixel), two tensors")
    image, pixel = (part.detach() for part in returned)
    if not _is_plain_float(image) or image.shape != (count,):
        raise CellError(
            f"'{name}' returned image scores of {what_is(image)}{of}; wanted are floats of the shape ({count})"
        )
    if not _is_plain_float(pixel) or pixel.ndim != 3 or len(pixel) != count or not all(pixel.shape[1:]):
        raise CellError(
            f"'{name}' returned maps of {what_is(pixel)}{of}; wanted are floats of the shape ({count}, height, width), "
            "as no map is reshaped to fit"
        )
    return Scores(image, pixel)


def checked_parts(name: str, returned: Any, wanted: Sequence[str], count: int, of: str) -> dict[str, Tensor]:
    """Return what `Parted.image_parts` returned for `count` images: the parts of these names, in single precision.

    Raises:
        CellError: a part is missing, or is no tensor of one number per image.
    """
    from torch import Tensor

    parts = {}
    for part in wanted:
        value = returned.get(part) if isinstance(returned, Mapping) else None
        if not isinstance(value, Tensor) or not _is_plain_float(value) or value.shape != (count,):
            found = what_is(value) if isinstance(returned, Mapping) else what_is(returned)
            raise CellError(f"'{name}' returned {found} as the part '{part}'{of}; wanted are floats of ({count})")
        parts[part] = value.detach().float()
    return parts


def checked_tokens(name: str, returned: Any, count: int, of: str) -> Tokens:
    """Return what `OwnEncoding.encode` returned for `count` images, its tensors in single precision.

    Raises:
        CellError: it is no `Tokens`, or the first axis of a tensor is not the batch.
    """
    from torch import Tensor

    if not isinstance(returned, Tokens):
        raise CellError(f"'{name}': encode returned {what_is(returned)}{of}; wanted is a Tokens")

    def checked(part: Any) -> Tensor:
        if not isinstance(part, Tensor) or not _is_plain_float(part) or part.shape[:1] != (count,):
            raise CellError(
                f"'{name}': encode returned {what_is(part)}{of}; wanted are floats of the shape ({count}, …)"
            )
        return part.float()

    return Tokens(
        tuple(map(checked, returned.layers)),
        returned.grid,
        tuple(map(checked, returned.value_layers)),
        None if returned.colours is None else checked(returned.colours),
        {part: checked(tensor) for part, tensor in returned.parts.items()},
    )


def _is_plain_float(tensor: Tensor) -> bool:
    """Return whether a tensor holds real floating numbers in memory, one after the other."""
    import torch

    return tensor.is_floating_point() and tensor.layout is torch.strided and not tensor.is_meta


def checked_network(name: str, method: Trainable) -> nn.Module:
    """Return the trained part of a method.

    Raises:
        CellError: it is no module, or has no parameter that can be trained.
    """
    from torch import nn

    network = call_method(name, "network", lambda: method.network)
    if not isinstance(network, nn.Module):
        raise CellError(f"'{name}': network is {what_is(network)}; wanted is a torch.nn.Module")
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise CellError(f"'{name}': network has no parameter that requires a gradient, so nothing can be trained")
    return network


def checked_losses(name: str, returned: Any, of: str) -> Losses:
    """Return what `Trainable.loss` returned.

    Raises:
        CellError: it is no mapping of names to scalars, or no term depends on the parameters.
    """
    from torch import Tensor

    if not isinstance(returned, Mapping) or not returned:
        raise CellError(f"'{name}' returned {what_is(returned)} as its loss{of}; wanted is a mapping: term → scalar")
    for term, value in returned.items():
        scalar = isinstance(value, Tensor) and value.is_floating_point() and value.numel() == 1
        if not scalar and not isinstance(value, float | int):
            raise CellError(f"'{name}' returned {what_is(value)} as the loss '{term}'{of}; wanted is a float scalar")
    if not any(isinstance(value, Tensor) and value.requires_grad for value in returned.values()):
        raise CellError(f"'{name}' returned a loss{of} that depends on no parameter, so nothing can be learned")
    return returned
