"""The loader: a process of its own that publishes on schedule and notes intended and actual times.

Started by path like the worker, with the user's app. It obeys one JSON line a time on stdin and answers with
one on stdout: ``warm`` (a few tasks to each node's own queue), ``flood``, ``paced`` and ``closed`` (the tasks
of the trial, or of one step of it). A schedule is fixed beforehand; a late loader is late, it never moves
the schedule. SIGUSR1 cuts a paced load short.
"""

import gc
import importlib.util
import json
import os
import signal
import sys
import time
import traceback
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

TIMEOUT_S = 10.0
LEAD_NS = 50_000_000
"""A paced load begins this long after its consumers were let in."""


def _sibling(name: str) -> Any:
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"celery_bench_{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Loader:
    """Publishes numbered tasks of a mix to the trial's queues."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.app = _sibling("userapp").load(spec["app"], spec["settings"], spec["added"], spec["queues"])
        self.events = _sibling("eventlog")
        self.bulk = _sibling("bulk")
        self.log = self.events.EventLog(spec["folder"], -1)
        calls = _sibling("calls")
        self.tasks = [calls.Kind(self.app, call, spec["seed"]) for call in spec["calls"]]
        self.kinds = [self._kind(entry) for entry in spec["entries"]]
        # of its own: with `pool_limit: 1` the app's pool has none left for a canvas
        self.producer = self.app.amqp.Producer(self.app.connection_for_write(), auto_declare=False)
        self.cut = self.is_open = False
        signal.signal(signal.SIGUSR1, self._cut_short)

    def _kind(self, entry: dict[str, Any]) -> Any:
        """What publishes this entry of the workload."""
        if not entry["canvas"]:
            return self.tasks[entry["messages"][0][0]]
        return _sibling("canvases").Canvas(entry, self.tasks, self.marks, self.events.number_of)

    def _cut_short(self, *_: Any) -> None:
        self.cut = True

    def warm(self) -> dict[str, Any]:
        """Send each node its warm-up tasks, every kind in turn that it will get; they count down from −1."""
        seq = 0
        for queue, wanted in zip(self.spec["warm_queues"], self.spec["warmups"], strict=True):
            for kind in wanted:
                seq -= 1
                self.tasks[kind].publish(seq, self.marks(seq), self.producer, queue=queue)
        return {"warmed": -seq}

    def marks(self, number: int) -> dict[str, Any]:
        """The options of a message by which it is known."""
        return {"task_id": self.bulk.task_id(self.spec["tag"], number), "headers": {"bench_seq": number}}

    def flood(self, order: dict[str, Any]) -> dict[str, Any]:
        """Fill the queue, then let the workers in: that moment is every task's intended time."""
        choice, sender = _numbers("h", order["choice"]), Sender(self)
        n, write, sent = len(choice), self.log.write, self.events.SENT
        for first in range(0, n, sender.most):
            sender.send(first, choice[first : first + sender.most])
            for seq in range(first, min(first + sender.most, n)):
                write(sent, seq)
        start = self.open_gate()
        for seq in range(n):
            write(self.events.INTENDED, seq, t_ns=start)
        return {"loaded": n}

    def paced(self, order: dict[str, Any]) -> dict[str, Any]:
        """Let the workers in, then publish each task when it is due; what is late goes out together."""
        choice, sender = _numbers("h", order["choice"]), Sender(self)
        due = array("q", (round(seconds * 1e9) for seconds in _numbers("d", order["due"])))
        n, first, at = len(due), order["first"], 0
        write, intended, sent = self.log.write, self.events.INTENDED, self.events.SENT
        self.cut = False
        start = self.open_gate() + LEAD_NS
        while at < n and not self.cut:
            now = time.monotonic_ns() - start
            if due[at] > now:
                time.sleep((due[at] - now) / 1e9)
                continue
            end = bisect_right(due, now, at, min(at + sender.most, n))
            for i in range(at, end):
                write(intended, first + i, t_ns=start + due[i])
            sender.send(first + at, choice[at:end])
            t_ns = time.monotonic_ns()
            for i in range(at, end):
                write(sent, first + i, t_ns=t_ns)
            at = end
        return {"loaded": at}

    def closed(self, order: dict[str, Any]) -> dict[str, Any]:
        """Connect the clients, let the workers in, let the clients call and wait until all is done."""
        choice = _numbers("h", order["choice"])
        _sibling("clients").Clients(self, order["clients"]).run(choice, self.open_gate)
        return {"loaded": len(choice)}

    def open_gate(self) -> int:
        """Let every node consume the trial's queue; when (ns), or TimeoutError when one does not answer.

        A Redis consumer learns of a new queue only when its blocking pop on the old ones returns, up to a
        second later: so each gets one message more on its own queue, a task of Celery's that does nothing.
        """
        if self.is_open:
            return time.monotonic_ns()
        self.is_open = True
        gc.collect()
        gc.freeze()  # what is there already need not be looked through again, which would make tasks late
        told = time.monotonic_ns()
        for wanted in self.spec["consumers"]:
            self._let_in(wanted["queue"], wanted["nodes"], wanted["arguments"])
        if self.app.connection_for_write().transport.driver_type == "amqp":
            return told  # there the first node begins before the last has answered
        opened = time.monotonic_ns()
        for queue in self.spec["warm_queues"]:
            self.app.tasks["celery.accumulate"].apply_async(queue=queue, producer=self.producer)
        return opened

    def _let_in(self, queue: str, nodes: list[str], queue_arguments: dict[str, Any]) -> None:
        more = {"queue_arguments": queue_arguments} if queue_arguments else {}
        replies = self.app.control.broadcast(
            "add_consumer",
            arguments={"queue": queue, **more},
            destination=nodes,
            reply=True,
            limit=len(nodes),
            timeout=TIMEOUT_S,
        )
        answered = {name for reply in replies or [] for name in reply}
        if answered != set(nodes):
            raise TimeoutError(f"not let in after {TIMEOUT_S:.0f} s: {', '.join(set(nodes) - answered)}")

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        match order["do"]:
            case "warm":
                return self.warm()
            case "flood":
                return self.flood(order)
            case "closed":
                return self.closed(order)
            case _:
                return self.paced(order)


class Sender:
    """Publishes tasks by their kinds: in bulk, but one by one what must be made at its own moment."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._bulk = loader.bulk.Bulk(loader.producer, loader.spec["tag"])
        self._kinds = loader.kinds
        self._all_in_bulk = not any(kind.single for kind in loader.kinds)
        self.most: int = 1 if all(kind.single for kind in loader.kinds) else self._bulk.most

    def send(self, first: int, choice: Sequence[int]) -> None:
        """Publish tasks ``first``, ``first`` + 1, …; ``choice`` says of which kind each one is."""
        kinds = self._kinds
        if self._all_in_bulk:
            self._bulk.send(first, [kinds[k].call(seq) for seq, k in enumerate(choice, first)])
            return
        for single, run in groupby(enumerate(choice, first), key=lambda numbered: kinds[numbered[1]].single):
            tasks = list(run)
            if not single:
                self._bulk.send(tasks[0][0], [kinds[k].call(seq) for seq, k in tasks])
                continue
            for seq, k in tasks:
                kinds[k].publish(seq, self._loader.marks(seq), self._loader.producer)


def _numbers(kind: str, path: str) -> array:  # type: ignore[type-arg]  # array is generic from 3.12
    values = array(kind)
    values.frombytes(Path(path).read_bytes())
    return values


def _answer(stream: Any, data: dict[str, Any]) -> None:
    stream.write(json.dumps(data) + "\n")
    stream.flush()


def main() -> None:
    """Answer ``ready``, then each order until stdin closes."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the app prints, and what its import starts, goes to the log
    loader = Loader(json.loads(Path(sys.argv[1]).read_text()))
    _answer(answers, {"ready": True})
    try:
        for line in sys.stdin:
            _answer(answers, loader.obey(json.loads(line)))
    except Exception:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)  # clients that still wait would talk over what went wrong


if __name__ == "__main__":
    main()
