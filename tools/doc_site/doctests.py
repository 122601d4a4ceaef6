"""An extension of the reader of docstrings: examples of the interpreter become blocks of code."""

import re

import griffe

EXAMPLE = re.compile(r"(?:^ *>>> .*\n?(?:^(?! *$) *.*\n?)*)+", re.MULTILINE)


class Doctests(griffe.Extension):
    """Puts `>>>` lines and their output between fences."""

    def on_object(self, *, obj, **_):
        """Change the docstring of an object that was read."""
        if obj.docstring and ">>> " in obj.docstring.value:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(text):
    """The text with every example as a block of code."""
    return EXAMPLE.sub(lambda found: f"```pycon\n{found[0].rstrip()}\n```\n", text)
