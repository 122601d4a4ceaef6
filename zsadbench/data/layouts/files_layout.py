"""A tree → samples, by ordered rules: the first that matches a path decides.

Masks are paired by name, never by position. A label never comes from a mask's content, though it may come from
there being one.
"""

from collections.abc import Iterable, Mapping

from zsadbench.data.cards.card import Card
from zsadbench.data.cards.layout import IMAGE_EXTENSIONS, MASK_EXTENSIONS, FilesLayout, Rule
from zsadbench.data.cards.template import fill, pattern
from zsadbench.data.layouts.file_tree import Tree
from zsadbench.data.layouts.sample import Reading, Sample, kind
from zsadbench.errors import DataError

MASK_ENDS = tuple(f".{extension}" for extension in MASK_EXTENSIONS)


def read_files(card: Card, layout: FilesLayout, tree: Tree) -> Reading:
    """Every image of the tree that a rule speaks of, in the order of the tree.

    Raises:
        DataError: a path names a class that the card does not have.
    """
    rules = [(pattern(rule.match), rule) for rule in layout.rules]
    samples: list[Sample] = []
    passed: list[str] = []
    for path in tree.files:
        if path.rpartition(".")[2].casefold() not in IMAGE_EXTENSIONS:
            continue
        found = next(((match, rule) for regex, rule in rules if (match := regex.fullmatch(path))), None)
        if found is None or found[1].label is None:
            passed.append(path)
        else:
            samples.append(_sample(card, found[1], found[0].groupdict(), path, tree))
    return Reading(samples, [], _unused(passed, samples))


def _unused(passed: Iterable[str], samples: Iterable[Sample]) -> tuple[str, ...]:
    """What is said of images that no rule speaks of, and that are no mask."""
    used = {sample.mask for sample in samples}
    unused = [path for path in passed if path not in used]
    return (f"{len(unused)} image files that the layout does not speak of are passed over",) if unused else ()


def _sample(card: Card, rule: Rule, values: Mapping[str, str], path: str, tree: Tree) -> Sample:
    mask, wanted = _mask(rule, values, tree) if rule.label else ("", "")
    label = int(bool(mask) if rule.label == "from_mask" else rule.label or 0)
    class_name = _class(card, values, path, tree)
    return Sample(
        path, mask, label, class_name, kind(label, values.get("defect", "")), rule.split, wanted if label else ""
    )


def _mask(rule: Rule, values: Mapping[str, str], tree: Tree) -> tuple[str, str]:
    """The mask's path and, when there is none, the first name that was looked for."""
    names = [fill(mask, values) for mask in rule.masks]
    tried = (f"{name.rpartition('.')[0]}{end}" for name in names for end in (name[name.rindex(".") :], *MASK_ENDS))
    found = next((path for name in tried if (path := tree.find(name))), "")
    return found, "" if found else next(iter(names), "")


def _class(card: Card, values: Mapping[str, str], path: str, tree: Tree) -> str:
    text = values.get("class", next(iter(card.classes)))
    name = card.class_named(text)
    if name is None:
        raise unknown_class(card, text, f"{tree.root}/{path}")
    return name


def unknown_class(card: Card, text: str, where: str) -> DataError:
    """The error of a class that the card does not have."""
    return DataError(f"{card.name}: unknown class '{text}' in '{where}'; known: {', '.join(card.classes)}")
