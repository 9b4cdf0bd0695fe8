"""What a check tells a CI service: one verdict, Markdown for a pull request, JUnit XML."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from xml.etree import ElementTree

from bench import compare, doubts, gate, store, units
from bench.compare import Check, Comparison
from bench.report import comparison, labels, markdown

NO_REGRESSION, REGRESSION, UNDECIDED, NOT_MEASURED = (
    "no regression", "regression", "undecided", "could not measure",
)  # fmt: skip
FAILURE, ERROR, SKIPPED = "failure", "error", "skipped"
"""Elements of JUnit's XML."""
SIGNS = {gate.PASS: "✅", gate.FAIL: "❌", gate.UNDECIDED: "❔"}
EMOJI = {NO_REGRESSION: "✅", REGRESSION: "❌", UNDECIDED: "❔", NOT_MEASURED: "⚠️"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``word`` is one of the four above; ``text`` a sentence; ``how`` what was measured for it."""

    word: str
    text: str
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A gate of the scenario, judged: ``name`` is its text with the cell, where it holds in several."""

    name: str
    outcome: str
    text: str


def gates(run: store.Run, cells: Sequence[str]) -> list[Gate]:
    """The scenario's gates on each of these cells."""
    summaries, results = doubts.summarise_run(run), run.results()
    settings = {cell.id: cell.settings for s in run.scenarios for cell in s.cells if cell.id in cells}
    axes = labels.varying(settings.values())
    found = []
    for text, each in gate.of_run(run.scenarios, summaries, results, cells):
        cell = labels.settings_text(settings[each.cell], axes) if each.cell and axes else ""
        where = f" ({cell})" if cell else ""
        found.append(Gate(name=text + where, outcome=each.outcome, text=each.text + where))
    return found


def verdict(found: Comparison, judged: Sequence[Gate], *, blocks: int, seconds: float) -> Verdict:
    """The whole check in one word: a regression that is shown outweighs what could not be measured, that
    outweighs a gate that fails, and that what is open. All of them are told.
    """
    reasons = [*_of_checks(found)]
    place = sum(word != UNDECIDED for word, _ in reasons)
    reasons[place:place] = [(REGRESSION, each.text) for each in judged if each.outcome == gate.FAIL]
    reasons += [(UNDECIDED, each.text) for each in judged if each.outcome == gate.UNDECIDED]
    counted = units.plural(len(found.checks), "check"), units.plural(blocks, "block")
    how = ", ".join([*counted, units.format_duration(seconds)])
    if reasons:
        return Verdict(word=reasons[0][0], text=" ".join(text for _, text in reasons), how=how)
    text = f"Every check is shown to be no worse than the margin of {found.margin * 100:.3g} % allows."
    return Verdict(word=NO_REGRESSION, text=text, how=how)


def _of_checks(found: Comparison) -> Iterator[tuple[str, str]]:
    """What keeps the checks from being well, in order of weight."""
    worse = [c for c in found.checks if c.verdict == compare.WORSE]
    missing = [c for c in found.checks if is_missing(c)]
    left = [c for c in found.checks if c not in missing and c not in worse and not c.passes]
    measured = [c for c in left if c.value is not None]
    if worse:
        yield REGRESSION, f"{_named(found, worse)}."
    for why, cells in _by_reason(found, missing).items():
        where = labels.listed(labels.first_of(cells, comparison.NAMED)) if any(cells) else ""
        yield NOT_MEASURED, f"{where}: {why}" if where else why
    if not found.checks:
        yield NOT_MEASURED, "Nothing was measured on both sides."
    if measured:
        margin = f"{found.margin * 100:.3g} %"
        beyond = f"Neither shown to be worse by more than {margin} nor to be no worse:"
        yield UNDECIDED, f"{beyond} {_named(found, measured)}."
    for why in dict.fromkeys(c.why for c in left if c.value is None):
        yield UNDECIDED, why


def _by_reason(found: Comparison, checks: Sequence[Check]) -> dict[str, list[str]]:
    """The cells in which each reason was given; one empty name where there is only one cell."""
    reasons: dict[str, list[str]] = {}
    for check in checks:
        cells = reasons.setdefault(check.why, [])
        name = comparison.one_of_several(found, check)
        cells += [name] if name not in cells else []
    return reasons


def forced(whole: Verdict, found: Comparison) -> Verdict:
    """The verdict against a baseline that was measured with something else, which it says."""
    told = comparison.differing(found.matched.differences)
    if not told:
        return whole
    return replace(
        whole, text=f"{whole.text} Forced: {found.base} was measured with something else ({told})."
    )


def is_missing(check: Check) -> bool:
    """Whether trials failed, so that there is nothing to compare."""
    return check.value is None and any(check.pair.failed)


def _named(found: Comparison, checks: Sequence[Check]) -> str:
    words = [
        f"{labels.metric_text(c.metric)} of {comparison.cell_name(found, c)} {comparison.change(c)}"
        for c in checks
    ]
    return labels.listed(labels.first_of(words, comparison.NAMED))


def as_markdown(found: Comparison, judged: Sequence[Gate], whole: Verdict) -> str:
    """The verdict and the gates above everything that ``compare`` says."""
    told = [f"- {SIGNS[each.outcome]} {markdown.escape(each.text)}" for each in judged]
    return "\n".join([_head(whole), *told, *([""] if told else []), comparison.as_markdown(found)])


def _head(whole: Verdict) -> str:
    said = f"## {EMOJI[whole.word]} celery-bench: {whole.word}\n\n{markdown.escape(whole.text)}\n"
    return f"{said}\n<sub>{whole.how}</sub>\n" if whole.how else said


def as_json(found: Comparison, judged: Sequence[Gate], whole: Verdict) -> dict[str, Any]:
    """The verdict, the gates and every check."""
    return {
        "verdict": whole.word, "text": whole.text, "how": whole.how,
        "gates": [{"gate": g.name, "outcome": g.outcome, "text": g.text} for g in judged],
        **comparison.as_json(found),
    }  # fmt: skip


def as_junit(found: Comparison, judged: Sequence[Gate], whole: Verdict, *, undecided_passes: bool) -> str:
    """A test case for each check and each gate: worse is a failure, what could not be measured an error, open
    is a failure too, or skipped where ``undecided_passes``.
    """
    is_open = SKIPPED if undecided_passes else FAILURE
    cases = []
    for check in found.checks:
        name = f"{labels.metric_text(check.metric)}: {comparison.cell_name(found, check)}"
        worse = FAILURE if check.verdict == compare.WORSE else ERROR if is_missing(check) else is_open
        kind = "" if check.passes else worse
        message = f"{check.verdict}: {comparison.change(check)} {check.why}".strip()
        cases.append((check.pair.scenario, name, kind, message))
    for each in judged:
        kind = {gate.PASS: "", gate.FAIL: FAILURE}.get(each.outcome, is_open)
        cases.append(("gates", each.name, kind, each.text))
    return _junit(comparison.title(found), cases, whole)


def unmeasured(message: str) -> tuple[str, str, dict[str, Any]]:
    """Markdown, JUnit XML and JSON of a check that could not begin, or not go on."""
    whole = Verdict(word=NOT_MEASURED, text=message, how="")
    as_xml = _junit("check", [("check", "environments", ERROR, message)], whole)
    return _head(whole), as_xml, {"verdict": whole.word, "text": message}


def _junit(title: str, cases: Sequence[tuple[str, str, str, str]], whole: Verdict) -> str:
    """``cases``: class, name, element of one that is not well (empty: it is), message."""
    suite = ElementTree.Element("testsuite", name=f"celery-bench: {title}", tests=str(len(cases)))
    for counter, kind in (("failures", FAILURE), ("errors", ERROR), ("skipped", SKIPPED)):
        suite.set(counter, str(sum(case[2] == kind for case in cases)))
    for classname, name, kind, message in cases:
        case = ElementTree.SubElement(suite, "testcase", classname=classname, name=name)
        if kind:
            ElementTree.SubElement(case, kind, message=message)
    ElementTree.SubElement(suite, "system-out").text = f"{whole.word}: {whole.text}\n{whole.how}"
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"
