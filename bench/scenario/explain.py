"""pydantic's verdict on the keys → mistakes in sentences."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bench import model
from bench.scenario.canvas_keys import CallKeys
from bench.scenario.keys import (
    HEAD_KEYS,
    SETUP_KEYS,
    TOP_KEYS,
    HeadKeys,
    PriceKeys,
    SetupKeys,
    known_paths,
    to_setup,
)
from bench.scenario.load_keys import PHASE_SHAPES, PHASES, keys_of
from bench.scenario.mistakes import Mistake, Steps, did_you_mean, one_of, shown
from bench.scenario.paths import get, replace, without

_TYPES = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping of keys",
    "model_attributes_type": "a mapping of keys",
}
_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than_equal": ("at most", "le"),
}


_ONE_OR_MORE = {
    **dict.fromkeys(("workers", "workload"), "a mapping or a list of mappings"),
    **dict.fromkeys(("expect", "requirements"), "text or a list of texts"),
}
"""What may be written without the list."""
_ARGUMENTS = {"args", "kwargs", "arguments", "payload"}
"""Where a task has its arguments from: with one of them wrong nobody knows which are missing."""
_NO_LOAD = {"shape": "flood", "tasks": 1}
_NO_TASK = {"task": ""}

Check = Callable[[model.Setup], Iterable[Mistake]]


def check_setup(
    data: Mapping[str, Any], check: Check, fill: Callable[[model.Setup], model.Setup] | None = None
) -> tuple[model.Setup | None, list[Mistake]]:
    """The setup that these keys come to, or (None and) what is wrong with each of them.

    ``fill`` adds to the setup what is not in the keys but in a file that they name.
    ``check`` finds what no single key shows. It is asked about the rest, too, where some keys are wrong:
    nobody has to mend one mistake to be told the next.
    """
    keys = {key: data[key] for key in SETUP_KEYS if key in data}
    try:
        setup = to_setup(SetupKeys.model_validate(keys))
    except ValidationError as error:
        mistakes = _explain_all(error)
        return None, [*mistakes, *_check_rest(keys, [m.path for m in mistakes], check)]
    if fill is not None:
        setup = fill(setup)
    mistakes = list(check(setup))
    return (None if mistakes else setup), mistakes


def _check_rest(keys: Mapping[str, Any], wrong: list[Steps], check: Check) -> list[Mistake]:
    """Mistakes that have nothing to do with the ``wrong`` paths, found by putting harmless values there."""
    rest: dict[str, Any] = {"load": _NO_LOAD, "workload": _NO_TASK, **keys}
    wrong = [path[:2] if _is_canvas(get(rest, path[:2])) else path for path in wrong]
    try:
        for path in wrong:
            if path[0] == "load":
                rest["load"] = _NO_LOAD
            elif path[0] == "workload" and (len(path) <= 2 or path[-1] == "task"):
                rest = replace(rest, path, "" if path[-1] == "task" else _NO_TASK)
            else:
                rest = without(rest, path)
        setup = to_setup(SetupKeys.model_validate(rest))
    except ValueError:  # beyond repair; pydantic's and PathError are ValueErrors
        return []
    return [m for m in check(setup) if not any(m.touches(w) or _share_arguments(m.path, w) for w in wrong)]


def _share_arguments(path: Steps, wrong: Steps) -> bool:
    """Whether both are where one task has its arguments from, and ``path`` names none of these."""
    depth = len(wrong) - 1
    key, *below = path[depth:] or ("",)
    is_whole = all(isinstance(step, int) for step in below)
    return path[:depth] == wrong[:depth] and {key, wrong[-1]} <= _ARGUMENTS and is_whole


def check_broker(
    broker: str, check: Callable[[model.Broker], Iterable[Mistake]]
) -> tuple[model.Broker | None, list[Mistake]]:
    """A broker by its kind or URL, as on a command line, or what is wrong with it."""
    keys = {"broker": broker, "load": _NO_LOAD, "workload": _NO_TASK}
    setup, mistakes = check_setup(keys, lambda setup: check(setup.broker))
    return (setup.broker if setup else None), mistakes


def check_head(data: Mapping[str, Any]) -> tuple[HeadKeys | None, list[Mistake]]:
    """Question, metric, repeats and gates, or what is wrong with them; unknown keys of the file as well."""
    mistakes = [
        Mistake(path=(key,), text=f"unknown key. {instead(key)}") for key in data if key not in TOP_KEYS
    ]
    try:
        return HeadKeys.model_validate({k: data[k] for k in HEAD_KEYS if k in data}), mistakes
    except ValidationError as error:
        return None, [*mistakes, *_explain_all(error)]


def instead(key: str) -> str:
    """Which key was meant by an unknown one at the top: ``concurrency`` belongs below ``workers``."""
    below = [path for path in known_paths() if path.rpartition(".")[2] == key]
    if below:
        return f"Did you mean {below[0].replace('.0', '')!r}?"
    return did_you_mean(key, TOP_KEYS)


def _explain_all(error: ValidationError) -> list[Mistake]:
    return [_explain(detail) for detail in error.errors(include_url=False)]


def _explain(detail: ErrorDetails) -> Mistake:
    path = _path(detail["loc"])
    kind, given = detail["type"], detail["input"]
    context = detail.get("ctx", {})
    last = str(path[-1]) if path else ""
    if kind == "extra_forbidden" and _beside_canvas(detail["loc"]):
        return Mistake(path=path, text="a canvas stands in place of a task: this belongs into its parts")
    if kind == "extra_forbidden":
        siblings = _siblings(detail["loc"])
        return Mistake(path=path, text=f"unknown key. {did_you_mean(last, siblings)}")
    if kind in ("missing", "union_tag_not_found"):
        if kind != "missing":
            path = (*path, "shape")
        about = _about(path)
        return Mistake(path=path, text=f"is missing. {about}" if about else "is missing")
    if kind == "union_tag_invalid":
        return Mistake(path=(*path, "shape"), text=_no_shape(context["tag"], PHASES in detail["loc"]))
    if kind in ("literal_error", "enum"):
        known = [word.strip("' ") for word in context["expected"].replace(" or ", ", ").split(",")]
        return Mistake(path=path, text=_none_of(path, given, known))
    return Mistake(path=path, text=_reason(detail, last))


def _none_of(path: Steps, given: Any, known: Sequence[str]) -> str:
    near = did_you_mean(str(given), known)
    if path == ("broker", "kind"):
        return f"{shown(given)} is not a broker. {near}"
    hint = f". {near}" if near.startswith("Did") else ""
    return f"must be {one_of(known)}, not {shown(given)}{hint}"


def _no_shape(given: Any, in_phases: bool) -> str:
    if given == "flood" and in_phases:
        return "a flood fills the queue before the workers are let in, so it is no phase. Use `shape: burst`"
    if given in model.SHAPES:
        return f"{given} stands alone: phases are {', '.join(PHASE_SHAPES)}"
    near = did_you_mean(str(given), PHASE_SHAPES if in_phases else model.SHAPES)
    return f"{shown(given)} is not a shape of load. {near}"


def _reason(detail: ErrorDetails, key: str) -> str:
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind in _TYPES:
        wanted = _ONE_OR_MORE.get(key, _TYPES[kind]) if kind == "list_type" else _TYPES[kind]
        quoted = isinstance(given, str) and kind in ("int_type", "float_type")
        hint = ". Write it without quotes, in digits" if quoted else ""
        return f"must be {wanted}, not {shown(given)}{hint}"
    if kind in _BOUNDS:
        word, key = _BOUNDS[kind]
        return f"must be {word} {context[key]:.15g}, not {shown(given)}"
    if kind == "finite_number":
        return f"must be a finite number, not {shown(given)}"
    if kind in ("too_short", "string_too_short"):
        return "must not be empty"
    return detail["msg"][:1].lower() + detail["msg"][1:]


def _path(loc: tuple[int | str, ...]) -> Steps:
    """The path in the file: pydantic puts the way a load is written and its shape between the keys, and the
    canvas that an entry of the workload is.
    """
    loc = loc[:-1] if loc[-1:] == ("[key]",) else loc
    if len(loc) > 1 and loc[0] == "load":
        return ("load", *loc[2:3], *loc[4:])
    if len(loc) > 2 and loc[0] == "workload":
        return (*loc[:2], *loc[3:])
    return tuple(loc)


def _is_canvas(entry: Any) -> bool:
    return isinstance(entry, Mapping) and any(name in entry for name in model.CANVASES)


def _beside_canvas(loc: tuple[int | str, ...]) -> bool:
    """Whether a key stands beside a canvas that a task would have."""
    return (
        loc[0] == "workload"
        and len(loc) == 4
        and loc[2] in model.CANVASES
        and loc[3] in CallKeys.model_fields
    )


def _siblings(loc: tuple[int | str, ...]) -> list[str]:
    """The keys that are known where an unknown one stands."""
    if loc[0] == "price":
        return list(PriceKeys.model_fields)
    if loc[0] == "load" and len(loc) > 3:
        return keys_of(str(loc[3]))
    above = ".".join("0" if isinstance(step, int) else step for step in _path(loc)[:-1])
    prefix = f"{above}." if above else ""
    below = [path.removeprefix(prefix) for path in known_paths() if path.startswith(prefix)]
    return [name for name in below if "." not in name]


def _about(path: Steps) -> str:
    """What the key at ``path`` is for."""
    if path == ("question",):
        return "Begin with a line `question: …` that says what you want to know"
    name = ".".join("0" if isinstance(step, int) else step for step in path)
    return known_paths().get(name, "").replace("`", "")
