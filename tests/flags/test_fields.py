"""Flags as the metadata of fields."""

from dataclasses import dataclass, field

import pytest

from zsadbench.errors import UsageError
from zsadbench.flags.fields import DATA, WHAT, about, check_choices, check_numbers, flag, flags_of, normalise, same_flag
from zsadbench.flags.forms import NAMES, NUMBER


@dataclass(frozen=True)
class Request:
    names: tuple[str, ...] = field(metadata=about("Names.", WHAT, form=NAMES, name="name", short="-n"))
    least_size: int | None = flag("Size.", DATA, default=None, form=NUMBER, at_least=2)
    colour: str = flag("Colour.", DATA, default="red", choices=("red", "blue"), variable=False)

    def __post_init__(self):
        normalise(self)
        check_choices(self)
        check_numbers(self)


@dataclass(frozen=True)
class Other:
    colour: str = same_flag(Request, "colour")
    shade: str = same_flag(Request, "colour", default="blue", name="shade", help="Shade.")


def test_names_and_variables_follow_from_the_fields():
    flags = flags_of(Request)
    assert [(flag.long, flag.short, flag.environment) for flag in flags.values()] == [
        ("--name", "-n", "ZSADBENCH_NAME"),
        ("--least-size", "", "ZSADBENCH_LEAST_SIZE"),
        ("--colour", "", ""),
    ]


def test_another_request_takes_a_flag_with_changes():
    assert (Other().colour, Other().shade) == ("red", "blue")
    assert [(flag.long, flag.help) for flag in flags_of(Other).values()] == [
        ("--colour", "Colour."),
        ("--shade", "Shade."),
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"colour": "green"}, "--colour is 'green'; it takes one of: red, blue"),
        ({"least_size": 1}, "--least-size is 1; it must be at least 2"),
        ({"least_size": 2.5}, "--least-size is 2.5; it must be at least 2"),
    ],
)
def test_choices_and_ranges_are_checked(values, message):
    assert Request("one").names == ("one",)
    with pytest.raises(UsageError, match=message):
        Request("one", **values)
