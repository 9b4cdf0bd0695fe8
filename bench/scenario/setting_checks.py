"""Celery's settings and kombu's options that a scenario gives by their own names: is there one, is it of the
right kind, and has it no key of its own here.
"""

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from bench import model, settings
from bench.scenario.mistakes import Mistake, Steps, shown

_OLD_PREFIX = "celery_"
"""What names began with in the days of capital letters."""


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


_KINDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "bool": ("true or false", lambda value: value in (0, 1)),
    "int": ("a number", _is_number),
    "float": ("a number", _is_number),
    "string": ("text", lambda value: isinstance(value, str)),
    "dict": ("a mapping", lambda value: isinstance(value, dict)),
    "list": ("a list", lambda value: isinstance(value, list | str)),
    "tuple": ("a list", lambda value: isinstance(value, list | str)),
}
"""Celery's types: what to call them, and what is not plainly something else. A text is a list of one."""


def setting_mistakes(given: Mapping[str, Any], known: Mapping[str, str]) -> Iterator[Mistake]:
    """Settings that Celery does not know, of the wrong type, or that have a key of their own here.

    ``known``: name → type; empty where nobody knows.
    """
    for name, value in given.items():
        if text := _wrong_setting(name, value, known):
            yield Mistake(path=("settings", name), text=text)


def _wrong_setting(name: str, value: Any, known: Mapping[str, str]) -> str:
    if name in settings.OWN:
        return f"has a key of its own here: {settings.OWN[name]!r}"
    if name in settings.HARNESS:
        return "is what the measuring rests on. Leave it out"
    if known and name not in known:
        near = _nearest(name.lower().removeprefix(_OLD_PREFIX), known, settings.OWN)
        return f"Celery has no such setting. {near or 'Names are in its manual, in lower case'}"
    wanted, fits = _KINDS.get(known.get(name, ""), ("", lambda _: True))
    return "" if value is None or fits(value) else f"must be {wanted}, not {shown(value)}"


def option_mistakes(broker: model.Broker, known: Collection[str]) -> Iterator[Mistake]:
    """Options that kombu's transport for this broker does not know, or that would vanish.

    ``known``: their names; empty where nobody knows.
    """
    kind: Steps = ("broker", "kind")
    for name in broker.options:
        path: Steps = ("broker", "transport_options", name)
        if known and name not in known:
            near = _nearest(name, known, settings.OPTIONS_OWN) or "Names are in its manual, by transport"
            text = f"kombu has no such option for {broker.kind}. {near}"
            yield Mistake(path=path, text=text, also=(kind,))
        elif name in settings.OPTIONS_OWN:
            yield Mistake(path=path, text=f"has a key of its own here: {settings.OPTIONS_OWN[name]!r}")
        elif name == "global_keyprefix" and (broker.url or broker.of_app):
            text = "on a broker that is not ours the run has a prefix of its own. Leave it out"
            yield Mistake(path=path, text=text, also=(("broker", "url"), kind))


def _nearest(name: str, known: Collection[str], own: Mapping[str, str]) -> str:
    """A sentence with the known name that is like this one, or with the key that stands for it here."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {own.get(near[0], near[0])!r}?" if near else ""
