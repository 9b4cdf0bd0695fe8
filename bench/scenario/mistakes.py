"""A mistake in a scenario file, and the words to tell it: what was seen, what was probably meant."""

import difflib
import operator
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Steps = tuple[str | int, ...]
"""A path inside a scenario, one step a key or a list index: ``("workload", 0, "kwargs", "seconds")``."""

_CREDENTIALS = re.compile(r"://\S*@")
_MAYBE_CREDENTIALS = re.compile(r"(://|:).*@", re.DOTALL)
_LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """What is wrong at ``path`` and what to do about it.

    Where two keys only together are impossible, ``also`` names the others: the mistake is told at the
    first of them that the matrix has set. ``place`` is known where no path
    leads to the line (a second key of the same name).
    """

    path: Steps
    text: str
    also: tuple[Steps, ...] = ()
    place: str = ""

    def touches(self, other: Steps) -> bool:
        """Whether ``other`` plays a part in it: one of its paths lies there, or above."""
        return any(all(map(operator.eq, path, other)) for path in (self.path, *self.also))


class PathError(ValueError):
    """A path that leads nowhere in this scenario; the text says why, ``mark`` where the path is written."""

    def __init__(self, text: str, mark: Steps = ()) -> None:
        super().__init__(text)
        self.mark = mark


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A sentence that names the nearest known word, those that it begins (``p99``: ``p99(response)``), or all
    of them where none is near.
    """
    names = list(known)
    longer = [name for name in names if name.lower().startswith(f"{word.lower()}(")]
    if longer:
        return f"Say of what: {one_of(longer)}."
    lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {lower[near[0]]!r}?"
    return f"Known: {', '.join(names)}." if names else ""


def sentence(text: str) -> str:
    """With the full stop that it lacks."""
    return text if text.endswith((".", "?")) else f"{text}."


def one_of(words: Sequence[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def shown(value: Any) -> str:
    """The value as a message may quote it: short, without what could be a password before an ``@``."""
    if value is None:
        return "nothing (null)"
    text = _MAYBE_CREDENTIALS.sub(r"\1***@", repr(value))
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def safe(text: str) -> str:
    """The text without credentials: more is cut than by ``units.hide_password``, as the URL may be wrong."""
    return _CREDENTIALS.sub("://***@", text)
