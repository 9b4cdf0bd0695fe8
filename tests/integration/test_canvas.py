"""Canvases on real workers: every part runs exactly once, told by the tasks themselves, not by our events."""

from collections import Counter

import pytest

from bench import analyse
from bench.canvas import TaskCall
from bench.events import FAILURE, SUCCESS, parts_of
from bench.model import Load, Messages, Workers
from bench.run import agent, eventlog

pytestmark = pytest.mark.real

APP = """
import os, time
from celery import Celery

app = Celery("tally")

@app.task(name="tally", bind=True, max_retries=1)
def tally(self, word="", seconds=0.0, how="ends"):
    begun = time.monotonic_ns()
    time.sleep(seconds)
    with open(os.environ["TALLY"], "a") as file:
        file.write(f"{self.request.id} {word} {begun} {time.monotonic_ns()}\\n")
    if how == "fails":
        raise ValueError(word)
    if how == "retries" and not self.request.retries:
        raise self.retry(countdown=0.01)
"""


class Left:
    """What the tasks left behind: for each unit its words in the order in which they ended, without warm-ups;
    for those without an id of their own (items of a map) only the words.
    """

    def __init__(self, text):
        self.units, self.items, self.times = {}, [], {}
        for line in text.splitlines():
            task_id, word, begun, ended = line.split()
            if task_id == "None":
                self.items.append(word)
                continue
            number = agent.sequence_number(task_id)
            if number >= 0:
                unit, part = eventlog.split(number)
                self.units.setdefault(unit, []).append(word)
                self.times.setdefault((unit, part), []).append((int(begun), int(ended)))


@pytest.fixture
def run(bench, tmp_path, monkeypatch):
    (tmp_path / "tallyapp.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    left = tmp_path / "left"

    def run(canvas, count=6, rate=20.0, **more):
        left.write_text("")
        workers = Workers(concurrency=2, env={"TALLY": str(left)})
        more.setdefault("load", Load(shape="constant", rate=rate, duration=count / rate))
        result, recording = bench.measure(canvas, fleet=(workers,), app="tallyapp:app", **more)
        assert result.ok, result.reason + result.log_tail
        assert result.counts["published"] == count
        assert result.counts["duplicated"] == 0
        return result, recording, Left(left.read_text())

    return run


def tally(word, times=1, **more):
    return TaskCall(task="tally", kwargs={"word": word, **more}, times=times)


@pytest.mark.alone
def test_a_chain_runs_its_parts_in_turn_and_costs_little_more(run, fresh):
    chain = TaskCall(canvas="chain", parts=tuple(tally(word, seconds=0.05) for word in "abc"))

    def check():
        result, recording, left = run(chain, rate=4.0)
        assert left.units == {unit: ["a", "b", "c"] for unit in range(6)}
        spans = analyse.durations(analyse.tasks(recording.events, (chain,)))
        assert spans["response"].min() >= 0.15
        assert 0 < spans["overhead"].min() < 0.03, "three messages of some milliseconds each"
        assert spans["service"].mean() == pytest.approx(0.15, abs=0.02)
        assert [part["name"] for part in result.parts] == [f"chain of 3: {n} tally" for n in (1, 2, 3)]
        assert result.metrics["items"] == pytest.approx(3 * result.metrics["throughput"])

    fresh(check)


def test_a_group_runs_each_part_once(run):
    group = TaskCall(canvas="group", parts=(tally("a", times=5), tally("b")))
    result, _, left = run(group)
    assert {unit: Counter(words) for unit, words in left.units.items()} == {
        unit: Counter(a=5, b=1) for unit in range(6)
    }
    assert result.counts["completed"] == 6


def callback_once_after_the_header(recording, left, chord):
    """By what the tasks left behind, and by our events."""
    header = chord.parts[0].times
    for unit, words in left.units.items():
        assert words == ["head"] * header + ["body"], "the callback last, and once"
        last = max(left.times[unit, part][0][1] for part in range(1, header + 1))
        ((begun, _),) = left.times[unit, header + 1]
        assert begun > last
    table = analyse.tasks(recording.events, (chord,))
    bodies = parts_of(recording.events, table, (chord,)).query("stage == 1")
    assert (bodies["attempts"] == 1).all()
    # Celery publishes the callback before it says that the last of the header has ended
    assert (bodies["started"] >= bodies["begin"] - 0.02).all()


@pytest.mark.parametrize("load", ["constant", "closed", "flood"])
def test_a_chords_callback_runs_once(run, load):
    chord = TaskCall(canvas="chord", parts=(tally("head", times=4, seconds=0.01), tally("body")))
    more = {
        "constant": {},
        "closed": {"load": Load(shape="closed", clients=2, tasks=6)},
        "flood": {"load": Load(shape="flood", tasks=6)},
    }[load]
    result, recording, left = run(chord, **more)
    assert sorted(left.units) == list(range(6))
    callback_once_after_the_header(recording, left, chord)
    if load == "closed":
        table = analyse.tasks(recording.events, (chord,))
        assert (table["returned"] >= table["ended"] - 0.02).all(), "nobody has the result of half a chord"
    assert result.counts["completed"] == 6


def test_a_chord_on_rabbitmq_keeps_its_results_on_a_server(run, needs):
    chord = TaskCall(canvas="chord", parts=(tally("head", times=3), tally("body")))
    result, recording, left = run(chord, broker=needs("rabbitmq"), messages=Messages(results="server"))
    assert sorted(left.units) == list(range(6))
    callback_once_after_the_header(recording, left, chord)
    assert result.effective[0]["backend"] == "RedisBackend"


def test_a_map_is_one_message_and_chunks_are_several(run):
    call = TaskCall(task="tally", arguments=tuple([f"w{n}"] for n in range(10)))
    result, recording, left = run(TaskCall(canvas="map", parts=(call,), items=10))
    assert Counter(left.items) == {f"w{n}": 6 for n in range(10)}
    assert (
        analyse.tasks(recording.events, (TaskCall(canvas="map", parts=(call,), items=10),)).attempts == 1
    ).all()
    assert result.metrics["items"] == pytest.approx(10 * result.metrics["throughput"])
    chunks = TaskCall(canvas="chunks", parts=(call,), items=10, size=4)
    result, recording, left = run(chunks)
    assert Counter(left.items) == {f"w{n}": 6 for n in range(10)}
    assert (analyse.tasks(recording.events, (chunks,))["attempts"] == 3).all(), "of 4, 4 and 2"
    assert result.metrics["items"] == pytest.approx(10 * result.metrics["throughput"])


def test_a_part_that_fails_ends_its_chain(run):
    chain = TaskCall(canvas="chain", parts=(tally("a"), tally("b", how="fails"), tally("c")))
    result, recording, left = run(chain)
    assert left.units == {unit: ["a", "b"] for unit in range(6)}, "what comes after never runs"
    assert (result.counts["failed"], result.counts["lost"]) == (6, 0)
    assert (analyse.tasks(recording.events, (chain,))["state"] == FAILURE).all()


def test_a_header_that_fails_ends_its_chord_when_all_of_it_has_ended(run):
    chord = TaskCall(canvas="chord", parts=(tally("a", how="fails"), tally("b", seconds=0.05), tally("body")))
    result, recording, left = run(chord, load=Load(shape="closed", clients=2, tasks=6))
    assert {unit: sorted(words) for unit, words in left.units.items()} == {
        unit: ["a", "b"] for unit in range(6)
    }
    assert result.counts["failed"] == 6
    assert analyse.durations(analyse.tasks(recording.events, (chord,)))["response"].min() >= 0.05


def test_attempts_of_a_part_are_told_apart(run):
    chain = TaskCall(canvas="chain", parts=(tally("a", how="retries", seconds=0.02), tally("b")))
    result, recording, left = run(chain)
    assert left.units == {unit: ["a", "a", "b"] for unit in range(6)}
    table = analyse.tasks(recording.events, (chain,))
    assert (table["state"] == SUCCESS).all() and (table["service"] >= 0.04).all(), "both attempts are work"
    first, second = ({k: v for k, v in a["metrics"].items() if "(" not in k} for a in result.attempts)
    assert first == {"started": 12, "succeeded": 6, "retried": 6, "failed": 0}, "a's first attempts, and b"
    assert second == {"started": 6, "succeeded": 6, "retried": 0, "failed": 0}
