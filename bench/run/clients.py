"""The clients of a closed loop: threads of the loader that call a task, wait for its result, and call again.

Each has a connection and a result backend of its own, as the threads of a web server have. A response is
thus what somebody feels who calls ``result.get()``, the way of the result included.
"""

import resource
import threading
from collections.abc import Sequence
from itertools import count
from typing import Any


class Clients:
    """``number`` clients of a ``loader``; one whose result takes longer than ``patience`` s gives up."""

    def __init__(self, loader: Any, number: int, patience: float) -> None:
        self._loader = loader
        self._patience = patience
        self._errors: list[BaseException] = []
        _soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a client keeps three connections
        self._connections = [loader.app.connection_for_write() for _ in range(number)]
        self._producers = [loader.app.amqp.Producer(c, auto_declare=False) for c in self._connections]

    def run(self, choice: Sequence[int]) -> None:
        """Task after task to whoever is free, until all have returned. Raises what a client ran into."""
        numbers = count().__next__
        threads = [
            threading.Thread(target=self._client, args=(producer, choice, numbers), daemon=True)
            for producer in self._producers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _client(self, producer: Any, choice: Sequence[int], numbers: Any) -> None:
        try:
            while (seq := numbers()) < len(choice) and not self._errors:
                self._call(producer, seq, *self._loader.calls[choice[seq]])
        except BaseException as error:
            self._errors.append(error)

    def _call(self, producer: Any, seq: int, task: Any, args: Any, kwargs: Any) -> None:
        loader, events = self._loader, self._loader.events
        write, spec = loader.log.write, loader.spec
        write(events.INTENDED, seq)
        result = task.apply_async(
            args,
            kwargs,
            queue=spec["queue"],
            task_id=loader.bulk.task_id(spec["tag"], seq),
            headers={"bench_seq": seq},
            producer=producer,
        )
        write(events.SENT, seq)
        result.get(timeout=self._patience, propagate=False)
        write(events.RETURNED, seq)
