"""How a mistake is worded: what the key may be, in the words of the file, and what to write instead."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench import scenario
from bench.errors import ScenarioError

Refused = Callable[[str], list[str]]


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    def refused(line: str) -> list[str]:
        path = tmp_path / "s.yaml"
        keys = {"question": "q?", "workload": "{task: noop}", "load": "{shape: flood, tasks: 9}"}
        keys[line.partition(":")[0]] = line.partition(":")[2]
        path.write_text("".join(f"{key}: {value}\n" for key, value in keys.items()))
        with pytest.raises(ScenarioError) as caught:
            scenario.load(path)
        return [mistake.partition("s.yaml:")[2].partition(": ")[2] for mistake in caught.value.mistakes]

    return refused


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('workers: {events: "yes"}', "workers.events: must be true or false, not 'yes'"),
        ('broker: {persistent: "no"}', "broker.persistent: must be true or false, not 'no'"),
        (
            "delivery: {acks: late, reject_on_worker_lost: 1}",
            "delivery.reject_on_worker_lost: must be true or false, not 1",
        ),
        (
            "delivery: {acks: ealry}",
            "delivery.acks: must be early or late, not 'ealry'. Did you mean 'early'?",
        ),
        (
            "messages: {serializer: xml}",
            "messages.serializer: must be json, msgpack, pickle or yaml, not 'xml'",
        ),
        (
            "load: {shape: constant, rate: 5/s, for: -3s}",
            "load.for: '-3s' is not a duration above 0 and at most 168h",
        ),
        (
            "load: {shape: constant, rate: 2000000/s, for: 2s}",
            "load.rate: '2000000/s' is not a rate above 0 and at most 1000000/s",
        ),
        (
            "workload: {task: noop, payload: 2TiB}",
            "workload.payload: '2TiB' is not a size from 0 and at most 1TiB",
        ),
        (
            "workload: {task: noop, rate_limit: 10}",
            "workload.rate_limit: 10 has no unit. Write a rate such as 10/s",
        ),
        (
            "workload: {task: noop, rate_limit: fast}",
            "workload.rate_limit: 'fast' is not a rate. Write a number with /s, /m or /h, as in 10/s",
        ),
        ("workers: null", "workers: must be a mapping or a list of mappings, not nothing (null)"),
        ("workers: 4", "workers: must be a mapping or a list of mappings, not 4"),
        ("expect: 3", "expect: must be text or a list of texts, not 3"),
    ],
)
def test_a_mistake_says_what_the_key_may_be(refused: Refused, line: str, told: str) -> None:
    assert refused(line) == [told]


def test_a_name_and_its_value_are_both_told_to_be_wrong(refused: Refused) -> None:
    told = refused("workers: {env: {CELERY_X: 1}}")
    assert [line.split(": ")[0] for line in told] == ["workers.env.CELERY_X"] * 2
    assert "would overrule what the trial sets" in "\n".join(told)
    assert "must be text, not 1" in "\n".join(told)
