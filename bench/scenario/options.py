"""What the command line changes in a scenario: --set, --broker and --repeats first, --only last."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.errors import ScenarioError, UsageError
from bench.grammar import text_of
from bench.model import Cell, Scenario
from bench.scenario.checks import broker_mistakes
from bench.scenario.document import Document, odd_values, parse
from bench.scenario.explain import check_broker, instead
from bench.scenario.keys import HEAD_KEYS, MATRIX_WORDS, TOP_KEYS, PriceKeys
from bench.scenario.mistakes import Mistake, PathError, Steps, did_you_mean, safe
from bench.scenario.paths import canonical, replace, steps, unknown
from bench.scenario.variant_keys import AXIS, of_text
from bench.units import hide_password

BARE = re.compile(r"[\w.-]+")
"""A word that may be a variant of the file: no path, no version."""


class Options:
    """Changes a document in place and remembers the paths that were given: they are no axes any more."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.pins: dict[Steps, Any] = {}

    def set_all(self, sets: Mapping[str, str] | Sequence[str], *, tune: bool = False) -> None:
        """Apply every ``path=value`` of --set that is (or is not) about ``tune``, in order; the later one
        wins.
        """
        texts = [f"{path}={value}" for path, value in sets.items()] if isinstance(sets, Mapping) else sets
        for text in texts:
            path, equals, value = text.partition("=")
            if (path.strip().split(".")[0] == "tune") is not tune:
                continue
            place = safe(f"--set {text}") if len(text) <= 60 else f"--set {path}=…"
            if not equals or not path.strip():
                self._wrong(place, (), "needs a path and a value, as in --set workers.pool=threads")
                continue
            try:
                self._set(path.strip(), parse(value), place)
            except ValueError as error:  # PathError is one
                self._wrong(place, (), str(error))

    def set_variants(self, variants: Mapping[str, str] | None) -> None:
        """Make the file's ``variants`` the first axis of the matrix, or these instead: name → one of the
        file's, or what the command line calls an environment.
        """
        data, marks = self._document.data, self._document.marks
        axis: Steps = ("matrix", AXIS)
        if variants is None and "variants" not in data:
            return
        matrix = data.get("matrix", {})
        if variants is not None:
            found: Any = self._named(data.get("variants") or {}, variants)
            marks.give(axis, found, "the command line")
        else:
            found = data["variants"]
            marks.move(("variants",), axis)
        data.pop("variants", None)
        if variants is None and ((AXIS,) in self._axes() or AXIS in data):
            text = f"the file has {AXIS!r} as well. Keep one of them"
            self._wrong("", axis, text)
        if isinstance(matrix, dict):
            data["matrix"] = {AXIS: found, **{k: v for k, v in matrix.items() if k != AXIS}}

    def _named(self, known: Mapping[str, Any], variants: Mapping[str, str]) -> dict[str, Any]:
        """The environments that the command line calls by these texts; one of the file's keeps its name, so
        that gates can name it.
        """
        found: dict[str, Any] = {}
        for name, text in variants.items():
            if text in known:
                found[text if text not in (*variants, *found) else name] = known[text]
                continue
            found[name] = of_text(text)
            if known and BARE.fullmatch(text):
                near = did_you_mean(text, list(known))
                hint = f"{near} A package is written with its version, as in {text}==1.2"
                self._wrong(f"--{name} {safe(text)}", (), f"is none of the scenario's variants. {hint}")
            elif text.startswith((".", "/", "~")) and "requirements" in found[name]:
                hint = "Name a folder, FOLDER@REVISION of a git repository, or an interpreter"
                what = "is neither folder nor interpreter" if Path(text).exists() else "is not there"
                self._wrong(f"--{name} {safe(text)}", (), f"{what}. {hint}")
        return found

    @property
    def has_variants(self) -> bool:
        """Whether some cells run in an environment of their own."""
        return AXIS in self._document.data or (AXIS,) in self._axes()

    def set_app(self, app: str | None) -> None:
        """Use this app where the file names none."""
        if app and "app" not in self._document.data and ("app",) not in self._axes():
            self._set("app", app, "--app")

    def set_broker(self, broker: str | None) -> None:
        """Use this broker (a kind or a URL) whatever the file says, also where the matrix would vary it."""
        if broker is not None:
            for path in [p for p in self._axes() if p[:1] == ("broker",)]:
                self.pins[path] = broker
            self._set("broker", broker, "--broker")

    def set_repeats(self, repeats: int | None) -> None:
        """Use this number of blocks."""
        if repeats is not None:
            self._set("repeats", repeats, "--repeats")

    def _wrong(self, place: str, path: Steps, text: str) -> None:
        self._document.mistakes.append(Mistake(path=path, text=text, place=place))

    def _set(self, name: str, value: Any, place: str) -> None:
        path = steps(name)
        odd = list(odd_values(value))
        if odd:
            self._wrong(place, path, odd[0].text)
            return
        if path[0] in ("matrix", "tune") and len(path) > 1:
            path = (path[0], name.removeprefix(f"{path[0]}."))
        elif problem := _unknown(path):
            self._wrong(place, (), problem)
            return
        self._pin(path, value)
        data = replace(self._document.data, path, value)
        self._document.data.update(data)
        self._document.marks.give(path, value, place)

    def _pin(self, path: Steps, value: Any) -> None:
        place = canonical(path)
        for axis in self._axes():
            if len(axis) < len(place) and place[: len(axis)] == axis:
                name = ".".join(map(str, axis))
                raise PathError(
                    f"the matrix replaces {name} as a whole, so this would change nothing. Set {name}"
                )
            if axis == place:
                self.pins[place] = value

    def _axes(self) -> list[Steps]:
        """Canonical paths of all axes the file names."""
        matrix = self._document.data.get("matrix")
        if not isinstance(matrix, dict):
            return []
        zipped = matrix.get("zip")
        parts = [matrix, *(zipped if isinstance(zipped, list) else [zipped])]
        keys = [key for part in parts if isinstance(part, dict) for key in part]
        words = MATRIX_WORDS
        return [canonical(steps(key)) for key in keys if isinstance(key, str) and key not in words]


def with_broker(asked: Scenario, broker: str) -> Scenario:
    """The scenario of a stored run with the broker's URL given again, as its password is not stored.

    Ids stay as they are, so that a resumed run finds what is done. Raises ScenarioError for no broker,
    UsageError where the run was asked of another one: a run has one broker from beginning to end.
    """
    given, mistakes = check_broker(broker, broker_mistakes)
    if given is None:
        raise ScenarioError([safe(f"--broker: {mistake.text}") for mistake in mistakes])
    stored = hide_password(given.url or given.kind)
    cells = []
    for cell in asked.cells:
        before = cell.setup.broker
        same = hide_password(before.url or before.kind) == stored
        if not same and (before.url is None or "***" not in before.url):
            cells.append(cell)  # an axis over brokers: only one of them needs its password
        elif same:
            cells.append(dataclasses.replace(cell, setup=dataclasses.replace(cell.setup, broker=given)))
        else:
            raise _other_broker(before.url or "")
    if not any(cell.setup.broker == given for cell in cells):
        raise _other_broker(asked.cells[0].setup.broker.url or asked.cells[0].setup.broker.kind)
    return dataclasses.replace(asked, cells=tuple(cells))


def _other_broker(stored: str) -> UsageError:
    message = f"This run was started with the broker {hide_password(stored)}"
    return UsageError(message, "Give the same one, or start a new run.")


def _unknown(path: Steps) -> str:
    """A sentence about a path that no scenario has, or nothing."""
    if len(path) == 1:
        return "" if path[0] in TOP_KEYS else f"unknown key. {instead(str(path[0]))}"
    if path[0] == "price":
        known = PriceKeys.model_fields
        return "" if path[1:] and path[1] in known else f"no such price. {did_you_mean(str(path[1]), known)}"
    return f"nothing lies below {path[0]}" if path[0] in HEAD_KEYS else unknown(path)


def pick(cells: Sequence[Cell], only: Sequence[str]) -> tuple[Cell, ...]:
    """The cells whose labels match every path that ``only`` names. Raises UsageError."""
    wanted: dict[Steps, set[str]] = {}
    names = list(cells[0].settings) if cells else []
    axes = {canonical(steps(name)): name for name in names}
    for text in only:
        path, equals, label = (part.strip() for part in text.partition("="))
        if not equals:
            raise UsageError(f"--only {text}: needs a path and a value", "As in --only workers.pool=threads")
        place = canonical(steps(path))
        if place not in axes:
            known = did_you_mean(path, names) or "This scenario has no matrix, so there is one cell."
            raise UsageError(f"--only {text}: {path} does not differ between the cells", known)
        labels = dict.fromkeys(text_of(cell.settings[axes[place]]) for cell in cells)
        if label not in labels:
            known = f"There are: {', '.join(labels)}."
            raise UsageError(f"--only {text}: no cell has {path} = {label}", known)
        wanted.setdefault(place, set()).add(label)
    kept = tuple(
        cell
        for cell in cells
        if all(text_of(cell.settings[axes[place]]) in labels for place, labels in wanted.items())
    )
    if not kept:
        raise UsageError(f"--only {' --only '.join(only)}: no cell has all of these", "Name fewer.")
    return kept
