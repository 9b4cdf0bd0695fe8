"""Each key of ``delivery:`` and of a task's delivery has its effect: in the events, and on the broker."""

import pytest

from bench import analyse
from bench.events import REVOKED, STARTED
from bench.model import Broker, Delivery, Load, TaskCall

pytestmark = pytest.mark.real

LATE = Delivery(acks="late")


def sleeping(seconds, **options):
    return TaskCall(task="io.sleep", kwargs={"seconds": seconds}, **options)


def started(recording):
    """Which entry of the workload started, one after the other."""
    events = recording.events
    return events[events["kind"] == STARTED]["task"].tolist()


@pytest.mark.alone
@pytest.mark.parametrize(
    ("acks", "pool", "most"),
    [("late", "prefork", 2), ("early", "prefork", 4), ("late", "threads", 2)],
)
def test_late_acks_hold_exactly_concurrency(bench, held, acks, pool, most):
    """With prefetch 1; the broker counts what it has handed out and not yet seen acknowledged."""

    def unacked():
        with bench.client() as client:
            return client.hlen("unacked")

    seen = bench.look(unacked, after=3)
    result, recording = bench.measure(sleeping(0.1), pool=pool, prefetch=1, flood=50, on_tick=seen,
                                      delivery=Delivery(acks=acks))  # fmt: skip
    assert result.ok
    assert result.mismatches == ()
    assert held(recording) == most
    assert seen.saw == 2
    assert result.effective[0]["acks_late"] == {"io.sleep": acks == "late"}


@pytest.mark.parametrize("queue", ["classic", "quorum"])
def test_late_acks_hold_exactly_concurrency_on_rabbitmq(bench, held, needs, queue):
    result, recording = bench.measure(sleeping(0.1), prefetch=1, flood=16, delivery=LATE,
                                      broker=needs("rabbitmq", queue=queue))  # fmt: skip
    assert result.ok, result.reason
    assert held(recording) == 2


@pytest.mark.parametrize("again", [True, False])
def test_what_becomes_of_the_task_of_a_lost_child(bench, again):
    kill = bench.kill_child()
    result, recording = bench.measure(
        sleeping(0.3), prefetch=1, flood=8, on_tick=kill,
        delivery=Delivery(acks="late", reject_on_worker_lost=again),
    )  # fmt: skip
    assert result.ok, result.reason
    attempts = analyse.tasks(recording.events)["attempts"]
    assert sorted(attempts)[-1] == (2 if again else 1)
    assert result.counts["failed"] == (0 if again else 1)
    assert result.counts["completed"] == (8 if again else 7)
    assert result.counts["duplicated"] == 0


@pytest.mark.alone
def test_an_unacknowledged_task_comes_back_after_the_visibility_timeout(bench):
    """kombu looks for such every 10 s, and really only the tenth time; its options make it look more often.

    One node runs the long task, the other gets it again after a second, and so on while it runs.
    """
    eager = Broker(options={"unacked_restore_interval": 0.3, "unacked_restore_throttle": 1})
    lengths = ({"seconds": 2.0}, *[{"seconds": 0.1}] * 29)
    result, recording = bench.measure(
        TaskCall(task="io.sleep", arguments=lengths), nodes=2, concurrency=1, prefetch=1, flood=30,
        broker=eager, delivery=Delivery(acks="late", visibility_timeout=1.0),
    )  # fmt: skip
    assert result.ok, result.reason
    finals = analyse.tasks(recording.events)["finals"]
    assert finals[0] >= 2
    assert set(finals[1:]) == {1}
    assert result.counts["completed"] == 30
    assert result.counts["duplicated"] == finals[0] - 1


@pytest.mark.alone
def test_eta_task_limit_caps_what_is_held(bench, held):
    """Tasks that wait for their time bypass the prefetch multiplier, up to this limit."""
    calls = sleeping(0.01, countdown=0.7)
    load = Load(shape="burst", tasks=30)
    _, free = bench.measure(calls, prefetch=1, load=load)
    _, capped = bench.measure(calls, prefetch=1, load=load, delivery=Delivery(eta_task_limit=5))
    assert held(free) == 30
    assert held(capped) <= 5 + 2


@pytest.mark.alone
def test_a_countdown_is_part_of_the_response(bench):
    """Due when it should have been sent, though it may not start before its time."""
    result, recording = bench.measure(sleeping(0.01, countdown=0.5), rate=40.0, duration=1.5)
    assert result.ok
    table = analyse.tasks(recording.events)
    assert (table["started"] - table["sent"]).min() >= 0.49
    assert (table["ended"] - table["intended"]).min() >= 0.5
    assert (table["received"] - table["sent"]).median() < 0.3, "it waits in the worker, not in the queue"


def test_an_expired_task_is_revoked_and_counted_as_failed(bench):
    result, recording = bench.measure(sleeping(0.3, expires=1.0), concurrency=1, prefetch=1, flood=12)
    assert result.ok
    table = analyse.tasks(recording.events)
    assert 0 < result.counts["failed"] < 12
    assert set(table[table["state"] == REVOKED]["attempts"]) == {0}
    assert (table["state"] == REVOKED).sum() == result.counts["failed"]
    assert result.counts["lost"] == 0


def test_a_rate_limit_holds_in_each_worker(bench):
    result, recording = bench.measure(sleeping(0.001, rate_limit="10/s"), nodes=2, concurrency=2, flood=30)
    assert result.ok
    table = analyse.tasks(recording.events)
    for _, own in table.groupby("node"):
        starts = sorted(own["started"])
        assert starts[-1] - starts[0] >= 0.9 * (len(starts) - 2) / 10
    assert result.effective[0]["rate_limits"] == {"io.sleep": "10/s"}


def test_priorities_on_redis_go_by_their_lists(bench):
    """0 is first; what the worker has prefetched keeps its place."""
    waiting = bench.look(bench.waiting)
    _, recording = bench.measure(
        sleeping(0.05, priority=9), sleeping(0.05, priority=0), concurrency=1, prefetch=1, flood=30,
        on_tick=waiting, delivery=LATE,
    )  # fmt: skip
    assert started(recording) == [1] * 15 + [0] * 15
    assert {key[-3:] for key in waiting.saw} >= {"\x06\x169"}


def test_priorities_on_rabbitmq_need_a_queue_that_knows_them(bench, needs):
    _, recording = bench.measure(
        sleeping(0.05, priority=0), sleeping(0.05, priority=9), concurrency=1, prefetch=1, flood=30,
        broker=needs("rabbitmq"), delivery=Delivery(acks="late", max_priority=10),
    )  # fmt: skip
    assert started(recording) == [1] * 15 + [0] * 15
