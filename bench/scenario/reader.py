"""Scenario file → Scenario: found, read, changed by options, expanded, checked; every mistake told at once.

find → document.read → Options (--set, --broker, --repeats) → matrix.expand
     → for each point: explain.check_setup, checks.Checker → cells
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypedDict, Unpack

from bench import model, units
from bench.errors import ScenarioError, UsageError
from bench.scenario import matrix, space, tune_keys, variant_keys
from bench.scenario.axes import Override
from bench.scenario.checks import Checker
from bench.scenario.conditions import condition_mistakes
from bench.scenario.document import Document, Marks, read
from bench.scenario.explain import check_head, check_setup
from bench.scenario.matrix import Point
from bench.scenario.mistakes import Mistake, PathError, did_you_mean, safe
from bench.scenario.options import Options, pick
from bench.scenario.outside import Outside
from bench.scenario.paths import canonical
from bench.scenario.quick import quicken
from bench.scenario.replay import Traces


def shipped() -> list[Path]:
    """The scenario files that come with the program, by name."""
    package = Path(__file__).parents[1]
    inside = package / "scenarios"  # in the wheel
    folder = inside if inside.is_dir() else package.parent / "scenarios"
    return sorted(folder.glob("*.yaml"))


def find(name_or_path: str) -> Path:
    """A file by its path, or a shipped scenario by its name. Raises UsageError."""
    path = Path(name_or_path)
    if path.is_file():
        return path
    known = {file.stem: file for file in shipped()}
    name = name_or_path.removesuffix(".yaml")
    if name in known:
        return known[name]
    if path.is_dir():
        raise UsageError(f"{name_or_path} is a folder, not a scenario file", "Name a file in it.")
    names = f"Shipped: {', '.join(known)}."
    near = did_you_mean(name, known)
    raise UsageError(
        f"There is no scenario {name_or_path!r}: neither a file nor a shipped one",
        f"{near} {names}" if near.startswith("Did") else names,
    )


class _Changes(TypedDict, total=False):
    """What the command line changes: see ``load``."""

    sets: Mapping[str, str] | Sequence[str]
    only: Sequence[str]
    repeats: int | None
    broker: str | None
    app: str | None
    variants: Mapping[str, str] | None


def load(
    path: Path, *, quick: bool = False, outside: Outside | None = None, **changes: Unpack[_Changes]
) -> model.Scenario:
    """Read and check one scenario file.

    ``sets``: "path=value", values in YAML, instead of what the file says; the path of an axis
    replaces the whole axis. ``only``: "path=label" keeps the cells with that label; of several labels any.
    ``broker``: a kind or a URL. ``app``: whose tasks these are where the file does not say. ``variants``:
    environments by name instead of the file's, as the command line calls them.
    ``outside`` knows Celery's settings and the user's app.
    Raises ScenarioError with every mistake of the file and of ``sets``, UsageError for ``only``.
    """
    asked, _ = _read(path, outside, changes, tuning=False)
    if not quick:
        return asked
    cells = tuple(replace(cell, setup=quicken(cell.setup)) for cell in asked.cells)
    return replace(asked, cells=cells, repeats=changes.get("repeats") or 1)


def load_space(path: Path, *, outside: Outside | None = None, **changes: Unpack[_Changes]) -> space.Space:
    """The same for what the file wants to be searched: the candidates of its ``tune``, else of its matrix.

    Raises the same, and UsageError where there is no choice.
    """
    return space.of(*_read(path, outside, changes, tuning=True))


def _read(
    path: Path, outside: Outside | None, changes: _Changes, *, tuning: bool
) -> tuple[model.Scenario, list[model.Cell]]:
    """The scenario, and for tuning the cells with Celery's defaults."""
    document = read(path)
    options = Options(document)
    options.set_all(changes.get("sets", ()), tune=True)
    mistakes = _take_tune(document, tuning=tuning)
    options.set_variants(changes.get("variants"))
    options.set_app(changes.get("app"))
    options.set_all(changes.get("sets", ()))
    options.set_broker(changes.get("broker"))
    options.set_repeats(changes.get("repeats"))
    head, head_mistakes = check_head(document.data)
    points, matrix_mistakes = matrix.expand(document.data, options.pins)
    elsewhere = matrix_mistakes or options.pins or tuning
    mistakes += [*head_mistakes, *condition_mistakes(document.data, None if elsewhere else points)]
    beside = space.default_points(points) if tuning else []
    if outside and options.has_variants:
        outside = outside.of_elsewhere()
    checker = Checker(outside, path.parent)
    traces = Traces(path.parent, checker.call)
    lenient = bool(matrix_mistakes)
    setups, cell_mistakes = _setups(document.data, points, checker, traces, lenient=lenient)
    if not cell_mistakes:  # what is wrong with the default is told where nothing else is
        more, cell_mistakes = _setups(document.data, beside, checker, traces, lenient=lenient)
        setups += more
    mistakes = [*document.mistakes, *mistakes, *matrix_mistakes, *cell_mistakes]
    if mistakes or head is None:
        told = _tell(mistakes, document.marks, first=len(document.mistakes))
        raise ScenarioError(told, "\n\n".join(text for text in checker.tracebacks.values() if text))
    cells = _cells([*points, *beside], setups)
    asked = model.Scenario(
        name=path.stem,
        question=" ".join(head.question.split()),
        metric=head.metric or _metric(setups),
        repeats=head.repeats,
        gates=tuple(head.gates),
        belief=" ".join((head.belief or "").split()),
        expect=tuple(head.expect),
        cells=pick(cells[: len(points)], changes.get("only", ())),
        source=document.source,
        price=head.price.model_dump(),
    )
    return asked, cells[len(points) :]


def _take_tune(document: Document, *, tuning: bool) -> list[Mistake]:
    """Take ``tune`` out of the document, and what is wrong with it; for tuning it becomes the matrix."""
    if "tune" not in document.data:
        return []
    found, mistakes = tune_keys.spread(document.data, document.marks if tuning else None)
    del document.data["tune"]
    if tuning:
        document.data["matrix"] = found
    return mistakes


def _metric(setups: Sequence[model.Setup]) -> str:
    """What answers when the file does not say: a flood's response times are only positions in the backlog,
    and nobody waits for the results of an open load.
    """
    shapes = {setup.load.shape for setup in setups}
    if shapes == {"saturate"}:
        return "capacity"
    if shapes & {"flood", "saturate"}:
        return "throughput"
    return "p95(roundtrip)" if shapes == {"closed"} else "p95(response)"


def _setups(
    data: Mapping[str, Any], points: Sequence[Point], checker: Checker, traces: Traces, *, lenient: bool
) -> tuple[list[model.Setup], list[Mistake]]:
    """The setup of each point, and each mistake once, moved to where the file causes it.

    ``lenient``: the matrix has mistakes of its own, so what is missing may belong there.
    """
    setups: list[model.Setup] = []
    mistakes: dict[Mistake, None] = {}
    for point in points:
        try:
            applied = matrix.apply(data, point.overrides)
        except PathError as error:
            mistakes.setdefault(Mistake(path=error.mark, text=str(error)))
            continue
        completed, trace, wrong_trace = traces.complete(applied)
        fill = partial(traces.fill, trace=trace) if trace is not None else None
        setup, wrong = check_setup(completed, checker.check, fill)
        if wrong_trace and "workload" not in applied:  # which tasks run is not known
            wrong = [mistake for mistake in wrong if not mistake.touches(("workload",))]
        wrong = [*wrong_trace, *wrong]
        if setup is not None and not wrong:
            setups.append(_beside(checker.folder, checker.placed(setup)))
        for mistake in wrong:
            if not (lenient and mistake.text.startswith("is missing")):
                mistakes.setdefault(_blame(mistake, point.overrides))
    return setups, list(mistakes)


def _beside(folder: Path, setup: model.Setup) -> model.Setup:
    """The setup with the files that its tasks name where they are, whatever the current folder."""

    def found(value: Any) -> Any:
        if isinstance(value, dict) and set(value) == {"file"}:
            return {"file": str((folder / value["file"]).resolve())}
        return str((folder / value).resolve()) if _is_file(value) else value

    variant = setup.variant if setup.variant.is_here else variant_keys.beside(folder, setup.variant)
    return replace(setup, workload=_with_files(setup, found), variant=variant)


def _with_files(setup: model.Setup, change: Callable[[Any], Any]) -> tuple[model.TaskCall, ...]:
    """The workload with ``change`` made to what may name a file: sources and amounts of shipped tasks."""

    def changed(call: model.TaskCall) -> model.TaskCall:
        return replace(
            call,
            arguments=change(call.arguments),
            kwargs=call.kwargs if setup.app else {name: change(value) for name, value in call.kwargs.items()},
            parts=tuple(map(changed, call.parts)),
        )

    return tuple(map(changed, setup.workload))


def _only_name(value: Any) -> Any:
    """The same for every folder it may lie in."""
    if isinstance(value, dict) and set(value) == {"file"}:
        return {"file": Path(value["file"]).name}
    return Path(value).name if _is_file(value) else value


def _is_file(source: Any) -> bool:
    return isinstance(source, str) and source.endswith(".csv")


def _blame(mistake: Mistake, overrides: Sequence[Override]) -> Mistake:
    """The mistake at the value of the matrix that caused it, where one did."""
    for path in (mistake.path, *mistake.also):
        causes = [o for o in overrides if canonical(path)[: len(canonical(o.path))] == canonical(o.path)]
        if causes:
            cause = max(causes, key=lambda o: len(canonical(o.path)))
            below = canonical(path)[len(canonical(cause.path)) :]
            return Mistake(path=(*cause.mark, *below), text=mistake.text, place=mistake.place)
    return Mistake(path=mistake.path, text=mistake.text, place=mistake.place)


def _tell(mistakes: Sequence[Mistake], marks: Marks, first: int) -> list[str]:
    """One line for each mistake, in the order of the file.

    What the ``first`` ones say of a value (it is no data at all) makes other remarks on it superfluous. Of
    the values of a range one is told, the largest: they differ in a number that the file does not have.
    """
    no_data = {marks.locate(mistake.path) for mistake in mistakes[:first] if mistake.path}
    lines: dict[str, tuple[str, bool, int]] = {}
    for index, mistake in enumerate(mistakes):
        if index >= first and marks.locate(mistake.path) in no_data:
            continue
        place, path = marks.locate(mistake.path)
        place = mistake.place or place
        name = ".".join(map(str, path))
        file, _, line = place.rpartition(":")
        in_file = file == marks.file and line.isdecimal()
        text = f"{place}: {name}: {mistake.text}" if name else f"{place}: {mistake.text}"
        said = re.sub(r"\d+", "#", mistake.text) if path[:1] == ("tune",) else mistake.text
        lines[f"{place}: {name}: {said}"] = (safe(text), not in_file, int(line) if in_file else 0)
    return [text for text, *_ in sorted(lines.values(), key=lambda told: told[1:])]


def _cells(points: Sequence[Point], setups: Sequence[model.Setup]) -> list[model.Cell]:
    cells: list[model.Cell] = []
    taken: set[str] = set()
    for point, setup in zip(points, setups, strict=True):
        text = json.dumps([list(point.settings.items()), _canonical_setup(setup)], sort_keys=True)
        cell_id = _hash(text)
        while cell_id in taken:  # 32 bits: likely among 100 000 cells
            text += "+"
            cell_id = _hash(text)
        taken.add(cell_id)
        cells.append(model.Cell(id=cell_id, settings=dict(point.settings), setup=setup))
    return cells


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _canonical_setup(setup: model.Setup) -> Any:
    """What makes a setup this one: no passwords, no place of a file but its content, and no defaults, so
    that a new field changes no cell's id.
    """

    def prune(value: Any) -> Any:
        if is_dataclass(value) and not isinstance(value, type):
            pruned = {}
            for each in fields(value):
                default = each.default_factory() if each.default_factory is not MISSING else each.default
                if getattr(value, each.name) != default:
                    pruned[each.name] = prune(getattr(value, each.name))
            return pruned
        if isinstance(value, tuple):
            return [prune(item) for item in value]
        return value

    url = setup.broker.url
    if url:
        setup = replace(setup, broker=replace(setup.broker, url=units.hide_password(url)))
    setup = replace(setup, workload=_with_files(setup, _only_name))
    if setup.variant.source:
        setup = replace(setup, variant=replace(setup.variant, source=Path(setup.variant.source).name))
    if setup.load.digest:
        setup = replace(setup, load=replace(setup.load, file=""))
    return prune(setup)
