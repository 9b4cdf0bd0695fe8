"""Sentences about trials whose numbers are given: never more than the intervals allow."""

from collections.abc import Callable
from typing import Any

import pytest

from bench.report import answer, commands
from bench.report.view import ScenarioView

View = Callable[..., ScenarioView]
CLOSE = [100.0, 101.0, 99.0, 100.5, 99.5]
SAME = [100.5, 100.0, 99.5, 99.8, 100.4]


def times(values: list[float], factor: float) -> list[float]:
    return [v * factor * (1 + 0.001 * i) for i, v in enumerate(values)]


@pytest.fixture
def four(make_scenario: Any) -> Any:
    return make_scenario(work=["cpu"])


def only(view: ScenarioView) -> answer.Finding:
    (finding,) = answer.findings(view)
    return finding


def test_one_clear_winner(four: Any, given: View) -> None:
    view = given(
        four,
        {
            "cpu-prefork-1": CLOSE,
            "cpu-prefork-16": times(CLOSE, 0.8),
            "cpu-threads-1": times(CLOSE, 0.5),
            "cpu-threads-16": times(CLOSE, 0.4),
        },
    )
    finding = only(view)
    assert finding.decided
    assert finding.advised is not None
    assert finding.advised.id == "cpu-prefork-1"
    assert finding.sentences[0].startswith(
        "prefork · prefetch 1 has the highest throughput, 100/s (95 % interval 99–101/s): 1.25 × ("
    )
    assert " that of the next, prefork · prefetch 16, and 2.50 × (" in finding.sentences[0]
    assert finding.sentences[0].endswith(" that of the last, threads · prefetch 16.")
    assert "cannot be told apart" not in finding.text


def test_level_settings_are_named_and_the_cheapest_is_advised(four: Any, given: View) -> None:
    view = given(
        four,
        {
            "cpu-prefork-1": CLOSE,
            "cpu-prefork-16": SAME,
            "cpu-threads-1": times(CLOSE, 0.5),
            "cpu-threads-16": times(CLOSE, 0.4),
        },
        **{"cpu-prefork-1": {"memory": 2e8}, "cpu-prefork-16": {"memory": 1e8}},
    )
    finding = only(view)
    assert finding.advised is not None
    assert finding.advised.id == "cpu-prefork-16"
    assert (
        "Of the 2 that may be best take prefork · prefetch 16: none costs clearly less (95.4 MiB)."
        in finding.text
    )
    assert "cannot be told apart from it." in finding.text
    assert "of those surely behind, threads · prefetch 1" in finding.text


def test_nobody_is_ahead(four: Any, given: View) -> None:
    cells = ("cpu-prefork-1", "cpu-prefork-16", "cpu-threads-1", "cpu-threads-16")
    view = given(
        four,
        {
            c: [v * (1 + 0.01 * ((i * 7 + n * 3) % 5)) for n, v in enumerate(CLOSE)]
            for i, c in enumerate(cells)
        },
    )
    finding = only(view)
    assert not finding.decided
    assert "but none of the other 3 settings can be told apart from it" in finding.sentences[0]


def test_a_cheap_setting_that_may_be_far_behind_is_not_advised(make_scenario: Any, given: View) -> None:
    view = given(
        make_scenario(work=["cpu"], prefetch=[1]),
        {"cpu-prefork-1": [100.0, 130.0, 110.0], "cpu-threads-1": [105.0, 60.0, 120.0]},
        **{"cpu-prefork-1": {"memory": 2e8}, "cpu-threads-1": {"memory": 1e8}},
    )
    finding = only(view)
    assert finding.advised is not None
    assert finding.advised.id == "cpu-prefork-1"
    assert "more repeats may show that a cheaper one is as good" in finding.text


def test_one_trial_decides_nothing(four: Any, given: View) -> None:
    finding = only(given(four, {"cpu-prefork-1": [200.0], "cpu-threads-1": [100.0]}))
    assert finding.sentences[0].startswith("Undecided")
    assert "perhaps by chance" in finding.text
    assert "Not run yet: prefork · prefetch 16 and threads · prefetch 16." in finding.text
    assert finding.advised is None


def test_only_one_setting_measured(four: Any, given: View) -> None:
    finding = only(given(four, {"cpu-prefork-1": CLOSE, "cpu-threads-1": [None, None]}))
    assert finding.sentences[0] == (
        "Undecided: only one setting was measured, prefork · prefetch 1, with throughput 100/s."
    )
    assert "Failed: threads · prefetch 1 (2 of 2 trials)." in finding.text


def test_all_failed_and_nothing_run(four: Any, given: View) -> None:
    assert (
        only(given(four, {"cpu-prefork-1": [None, None]})).text
        == "Undecided: 2 trials ran and none succeeded."
    )
    assert only(given(four, {})).text == "Undecided: no trial was run."


def test_one_cell_is_a_number(make_scenario: Any, given: View) -> None:
    asked = make_scenario(work=["cpu"], pools=["solo"], prefetch=[1])
    assert only(given(asked, {"cpu-solo-1": CLOSE})).text == "Throughput 100/s (95 % interval 99–101/s)."
    assert "how far it varies is not known" in only(given(asked, {"cpu-solo-1": [100.0]})).text


def test_less_is_better_for_a_makespan(make_scenario: Any, given: View) -> None:
    view = given(
        make_scenario(work=["cpu"], prefetch=[1], metric="makespan"),
        {"cpu-prefork-1": CLOSE, "cpu-threads-1": times(CLOSE, 1.5)},
    )
    text = only(view).text
    assert text.startswith(
        "prefork has the lowest makespan, 100 s (95 % interval 99–101 s); the next, threads, has"
    )
    assert "1.50 × (1.50–1.51) that." in text


def test_each_circumstance_has_its_own_answer(make_scenario: Any, given: View) -> None:
    view = given(
        make_scenario(prefetch=[1]),
        {
            "cpu-prefork-1": CLOSE,
            "cpu-threads-1": times(CLOSE, 0.5),
            "io-prefork-1": times(CLOSE, 0.5),
            "io-threads-1": CLOSE,
        },
    )
    cpu, io = answer.findings(view)
    assert cpu.text.startswith("For cpu: prefork has the highest")
    assert io.text.startswith("For io: threads has the highest")
    titles = [command.title for command in commands.of(view)]
    assert titles == ["For cpu: prefork", "For io: threads"]


def test_probably_behind_is_not_surely(make_scenario: Any, given: View) -> None:
    """With many comparisons an interval that leaves out 1 is not enough."""
    asked = make_scenario(work=["cpu"], pools=["prefork", "threads", "gevent"], prefetch=[1, 2, 4, 8])
    noisy = {cell.id: times(CLOSE, 0.5) for cell in asked.cells}
    noisy["cpu-prefork-1"] = [100.0, 100.0, 100.0]
    noisy |= {f"cpu-threads-{n}": [90.0, 95.0, 93.0] for n in (1, 2, 4, 8)}
    text = only(given(asked, {c: v[:3] for c, v in noisy.items()})).text
    assert "Probably behind, but with 11 comparisons not surely: threads · prefetch 1 (0.87–0.99 ×)," in text
    assert "cannot be told apart from it" not in text


def test_the_command_to_paste(make_scenario: Any, given: View) -> None:
    view = given(
        make_scenario(work=["cpu"], prefetch=[0, 1], pools=["gevent"], nodes=3),
        {"cpu-gevent-0": CLOSE, "cpu-gevent-1": times(CLOSE, 0.5)},
    )
    (command,) = commands.of(view)
    assert command.text.splitlines()[0] == 'celery -A yourapp worker -P gevent -c 2 -n "worker1@%h"'
    assert "worker_prefetch_multiplier = 0" in command.text
    assert "Start 3 of these" in command.note
    assert "Celery ignores --prefetch-multiplier 0" in command.note
