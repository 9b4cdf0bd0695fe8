"""Which cells belong together: two runs matched by settings, or two values of one axis inside a run."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.compare.checks import Pair
from bench.errors import UsageError
from bench.grammar import text_of
from bench.measured import TrialResult
from bench.model import Cell, Label, Scenario
from bench.scenario.mistakes import did_you_mean
from bench.store import Run

Key = tuple[str, tuple[tuple[str, str], ...]]
"""Scenario, and settings as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something else than the compared axis that is not the same on both sides."""

    path: str
    base: str
    candidate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """Pairs of cells, the cells that only one side has (as their settings), and what differs besides."""

    pairs: tuple[Pair, ...]
    only_base: tuple[Mapping[str, Label], ...] = ()
    only_candidate: tuple[Mapping[str, Label], ...] = ()
    differences: tuple[Difference, ...] = ()


def of_runs(base: Run, candidate: Run) -> Matched:
    """Cells of two runs that have the same settings.

    The scenario counts by its name, unless both runs have only one. Raises UsageError where no cell is in
    both.
    """
    named = len(base.scenarios) > 1 or len(candidate.scenarios) > 1
    ours, theirs = (_cells(run.scenarios, named=named) for run in (base, candidate))
    common = [key for key in ours if key in theirs]
    if not common:
        raise UsageError(
            f"{base.name} and {candidate.name} have no cell in common.",
            f"{_axes_text(base)} {_axes_text(candidate)} Compare runs of one scenario.",
        )
    trials = [run.results() for run in (base, candidate)]
    pairs = tuple(
        _pair((*ours[key], trials[0]), (*theirs[key], trials[1]), candidate.name, theirs[key][1].settings)
        for key in common
    )
    return Matched(
        pairs=pairs,
        only_base=tuple(ours[key][1].settings for key in ours if key not in theirs),
        only_candidate=tuple(theirs[key][1].settings for key in theirs if key not in ours),
        differences=(
            *_meta_differences(base.meta, candidate.meta),
            *_setup_differences([(ours[key][1], theirs[key][1]) for key in common]),
        ),
    )


def within(run: Run, by: str, baseline: str) -> Matched:
    """Cells of one run that differ on the axis ``by``: each of its other values against ``baseline``.

    They agree on every other axis, but for those on which the two values have no label in common: such an
    axis (``zip``) goes with ``by``. The last step of the axis's path is enough. Raises UsageError where there
    is no such axis or value.
    """
    trials = run.results()
    pairs: list[Pair] = []
    lonely: tuple[list[Mapping[str, Label]], ...] = ([], [])
    for scenario in run.scenarios:
        axis = _axis(scenario, by)
        values: dict[str, list[Cell]] = {}
        for cell in scenario.cells:
            if axis in cell.settings:
                values.setdefault(text_of(cell.settings[axis]), []).append(cell)
        base = values.pop(baseline, [])
        for name, cells in values.items() if base else ():
            shared = _shared(base, cells)
            partners = {_on(cell, shared): cell for cell in base}
            for cell in cells:
                partner = partners.pop(_on(cell, shared), None)
                if partner is None:
                    lonely[1].append(cell.settings)
                else:
                    common = {path: cell.settings[path] for path in shared}
                    pairs.append(_pair((scenario, partner, trials), (scenario, cell, trials), name, common))
            lonely[0].extend(cell.settings for cell in partners.values() if cell.settings not in lonely[0])
    if not pairs:
        raise _no_such(run, by, baseline)
    return Matched(pairs=tuple(pairs), only_base=tuple(lonely[0]), only_candidate=tuple(lonely[1]))


def _shared(left: Sequence[Cell], right: Sequence[Cell]) -> tuple[str, ...]:
    """The axes on which the two lots of cells have a label in common, in their order."""
    labels = [
        {(path, text_of(v)) for cell in cells for path, v in cell.settings.items()} for cells in (left, right)
    ]
    common = {path for path, _ in labels[0] & labels[1]}
    return tuple(path for path in right[0].settings if path in common)


def _on(cell: Cell, axes: Sequence[str]) -> tuple[str, ...]:
    return tuple(text_of(cell.settings.get(axis, "")) for axis in axes)


def _cells(scenarios: Iterable[Scenario], *, named: bool) -> dict[Key, tuple[Scenario, Cell]]:
    return {
        (
            scenario.name if named else "",
            tuple(sorted((path, text_of(label)) for path, label in cell.settings.items())),
        ): (scenario, cell)
        for scenario in scenarios
        for cell in scenario.cells
    }


def _pair(
    base: tuple[Scenario, Cell, Sequence[TrialResult]],
    candidate: tuple[Scenario, Cell, Sequence[TrialResult]],
    name: str,
    settings: Mapping[str, Label],
) -> Pair:
    sides = [
        [r for r in trials if r.scenario == scenario.name and r.cell == cell.id]
        for scenario, cell, trials in (base, candidate)
    ]
    return Pair(
        scenario=candidate[0].name,
        settings=settings,
        candidate=name,
        cells=(base[1].id, candidate[1].id),
        trials=(tuple(r for r in sides[0] if r.ok), tuple(r for r in sides[1] if r.ok)),
        failed=(sum(not r.ok for r in sides[0]), sum(not r.ok for r in sides[1])),
        reasons=(_reason(sides[0]), _reason(sides[1])),
    )


def _reason(results: Sequence[TrialResult]) -> str:
    """Why the first trial that failed did; empty where none has."""
    return next((r.reason for r in results if not r.ok), "")


def _axis(scenario: Scenario, by: str) -> str:
    """The scenario's axis of that name, or that ends with it; empty where there is none."""
    ends = [axis for axis in scenario.axes if axis == by or axis.endswith(f".{by}")]
    return by if by in ends else ends[0] if len(ends) == 1 else ""


def _no_such(run: Run, by: str, baseline: str) -> UsageError:
    axes = list(dict.fromkeys(axis for scenario in run.scenarios for axis in scenario.axes))
    found = {axis for scenario in run.scenarios if (axis := _axis(scenario, by))}
    if not found:
        return UsageError(
            f"{run.name} has no axis {by!r}.", did_you_mean(by, axes) if axes else "It has no matrix."
        )
    values = dict.fromkeys(
        text_of(cell.settings[axis])
        for scenario in run.scenarios
        for cell in scenario.cells
        for axis in found
        if axis in cell.settings
    )
    if baseline in values:
        return UsageError(f"{by} has no other value than {baseline} in {run.name}.", "Nothing to compare.")
    return UsageError(
        f"{by} is never {baseline!r} in {run.name}.", f"--baseline is one of {', '.join(values)}."
    )


def _axes_text(run: Run) -> str:
    axes = dict.fromkeys(axis for scenario in run.scenarios for axis in scenario.axes)
    return f"{run.name} varies {', '.join(axes) or 'nothing'}."


MACHINE = ("cpu", "cores", "quota_cores", "memory", "kernel", "python", "machine")


def _meta_differences(base: Mapping[str, Any], candidate: Mapping[str, Any]) -> Iterator[Difference]:
    """Machine and versions that are not the same."""
    for part, names in (("host", MACHINE), ("versions", None)):
        ours, theirs = base.get(part, {}), candidate.get(part, {})
        for name in names or sorted({*ours, *theirs}):
            if ours.get(name) != theirs.get(name):
                yield Difference(
                    path=f"{part}.{name}", base=shown(ours.get(name)), candidate=shown(theirs.get(name))
                )


def _setup_differences(cells: Sequence[tuple[Cell, Cell]]) -> Iterator[Difference]:
    """What the setups of matched cells do not share though their settings do, each once."""
    seen: Counter[Difference] = Counter()
    for base, candidate in cells:
        ours, theirs = (dict(flat(asdict(cell.setup))) for cell in (base, candidate))
        for path in dict.fromkeys([*ours, *theirs]):
            if ours.get(path) != theirs.get(path):
                name = path.replace("fleet.0.", "workers.") if "fleet.1.pool" not in ours else path
                seen[
                    Difference(path=name, base=shown(ours.get(path)), candidate=shown(theirs.get(path)))
                ] += 1
    yield from seen


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of nested mappings and sequences, with their paths."""
    if isinstance(value, Mapping) and value:
        for key, each in value.items():
            yield from flat(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple) and value:
        for number, each in enumerate(value):
            yield from flat(each, f"{path}.{number}")
    else:
        yield path, value


def shown(value: Any) -> str:
    """A leaf's value as text, ``–`` where there is none."""
    return "–" if value is None or value in ((), [], {}) else str(value)
