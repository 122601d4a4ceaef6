"""Which folders of a user's data set hold the normal images, by their names.

Of several names for normal images, one folder per class is read as normal and all others as kinds of anomalies. A name
that can be meant either way is never read silently: it is refused, with the flag that says what is meant.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from zsadbench.errors import DataError

NORMAL = frozenset(
    {
        *("good", "ok", "okay", "normal", "normals", "nominal", "healthy", "pass", "passed"),
        *("defectfree", "nodefect", "nodefects", "nondefective", "noanomaly", "anomalyfree"),
    }
)
SHOWN = "good, OK, normal or the like"
WORDS = frozenset({"good", "ok", "okay", "normal", "nominal", "healthy"})  # in a name of several words
NEGATIONS = frozenset({"not", "no", "non", "un", "ab", "nicht", "pas"})


def normal_folders(parent: Path, names: Sequence[str], chosen: Sequence[str] = ()) -> list[str]:
    """Those of the folders `names` in `parent` that hold normal images; empty if there are none.

    Args:
        parent: the folder, for messages.
        names: of the folders in it.
        chosen: what the user says they are called, ignoring case; empty to recognise them by their names.

    Raises:
        DataError: several folders may be meant, or one is named almost like normal images.
    """
    if chosen:
        wanted = {name.casefold() for name in chosen}
        return [name for name in names if name.casefold() in wanted]
    known = [name for name in names if re.sub(r"[\W_]", "", name).casefold() in NORMAL]
    if len(known) > 1:
        listed = " and ".join(f"'{name}'" for name in known)
        raise DataError(f"'{parent}' holds {listed}, and each may be the normal images; --normal NAME says which")
    similar = [name for name in names if _is_similar(name)]
    if not known and similar:
        raise DataError(
            f"'{parent}' holds no folder named {SHOWN}; '{similar[0]}' looks like it: pass --normal "
            f"'{similar[0]}' if it holds normal images, or --normal with the name of another folder"
        )
    return known


def _is_similar(name: str) -> bool:
    words = {word.casefold() for word in re.findall(r"[^\W\d_]+", name)}
    return not words.isdisjoint(WORDS) and words.isdisjoint(NEGATIONS)
