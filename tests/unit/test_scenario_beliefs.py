"""``belief:`` and ``expect:`` as they are read, and how their mistakes are told."""

import pytest

from bench import scenario
from bench.errors import ScenarioError

ASKED = """\
question: Which?
workload: {task: noop}
load: {shape: flood, tasks: 100}
matrix: {workers.pool: [prefork, gevent], workers.prefetch: [1, 4]}
"""


@pytest.fixture
def write(tmp_path):
    def write(text: str):
        path = tmp_path / "asked.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_belief_and_what_is_expected_of_it(write):
    text = "belief: Green is\n  faster\nexpect: throughput[gevent] / throughput[pool=prefork] > 3\n"
    loaded = scenario.load(write(ASKED + text))
    assert loaded.belief == "Green is faster"
    assert loaded.expect == ("throughput[gevent] / throughput[pool=prefork] > 3",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("belief: x\n", "5: belief: nothing is expected of it"),
        ("belief: x\nexpect: []\n", "5: belief: nothing is expected of it"),
        ("expect: lost > 0\n", "5: expect: of which belief?"),
        ("belief: x\nexpect: 3\n", "6: expect: must be text or a list of texts, not 3"),
        ("belief: x\nexpect:\n  - lost > 0\n  - los > 0\n", "8: expect.1: 'los > 0': there is no metric"),
        ("belief: x\nexpect: lost[kevent] > 0\n", "6: expect: [kevent]: no cell is labelled 'kevent'; did"),
        ("belief: x\nexpect: lost[pol=gevent] > 0\n", "6: expect: [pol=gevent]: pol is not an axis"),
        ("belief: x\nexpect: throughput[1] / throughput[4] > 3%/s\n", "6: expect: 'throughput[1] / thr"),
    ],
)
def test_mistakes_in_beliefs_stand_at_their_line(text, told, write):
    path = write(ASKED + text)
    with pytest.raises(ScenarioError) as caught:
        scenario.load(path)
    (line,) = (line.replace(f"{path}:", "") for line in caught.value.mistakes)
    assert line.startswith(told)


def test_an_option_may_take_cells_from_a_belief(write):
    text = "belief: x\nexpect: throughput[gevent] / throughput[prefork] > 3\n"
    assert scenario.load(write(ASKED + text), sets=["workers.pool=threads"]).expect
    assert scenario.load(write(ASKED + text), only=["workers.pool=gevent"]).expect
