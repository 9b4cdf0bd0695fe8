"""Many messages at the price of one: Celery and kombu build each distinct task's message once, and copies
with fresh ids go to the broker in batches.

Loaded by the loader by its path; standard library and what the app brings. A copy differs from what
``apply_async`` would have sent in its task id (also as root, correlation and delivery id) and its sequence
number, and in nothing else.
"""

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

BATCH = 500
"""Messages in one command: long enough that the call costs nothing, short enough that a reader may start."""
BATCH_BYTES = 1 << 20
"""Rather fewer messages in a command than more bytes than this."""

A_SEQ = 1_094_861_636
"""Stands for the sequence number in a message that is built to be copied (any number found once in it)."""
_NO_ID = "00000000-0000-4000-8000-"

Call = tuple[Any, Sequence[Any], dict[str, Any]]


def task_id(tag: str, seq: int) -> str:
    """The id of task ``seq``: the trial's 24 characters and the number in twelve hexadecimal digits."""
    return f"{tag}{seq & (1 << 48) - 1:012x}"


class Bulk:
    """Sends numbered tasks of several kinds to one queue. ``most``: how many at once are a batch."""

    def __init__(self, producer: Any, calls: Sequence[Call], queue: str, tag: str) -> None:
        self._tag = tag
        is_amqp = producer.connection.transport.driver_type == "amqp"
        self._kinds, self._send, largest = (_amqp if is_amqp else _redis)(producer, calls, queue)
        self.most = max(1, min(BATCH, BATCH_BYTES // max(1, largest)))

    def send(self, first: int, kinds: Sequence[int]) -> None:
        """Publish tasks ``first``, ``first`` + 1, …; ``kinds`` says which call each one is."""
        tag, make = self._tag, self._kinds
        numbered = enumerate(kinds, start=first)
        self._send([make[kind](f"{tag}{seq:012x}", seq) for seq, kind in numbered])


Make = Callable[[str, int], Any]
"""task id, sequence number → one message as the broker's client wants it."""


def _built(producer: Any, call: Call, queue: str, name: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """How Celery and kombu call the channel's method ``name`` to publish this call; nothing is sent."""
    task, args, kwargs = call
    caught: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    channel = producer.channel

    def catch(*args: Any, **kwargs: Any) -> None:
        caught.append((args, kwargs))

    setattr(channel, name, catch)
    try:
        headers = {"bench_seq": A_SEQ}
        task.apply_async(
            args, kwargs, queue=queue, task_id=task_id(_NO_ID, A_SEQ), headers=headers, producer=producer
        )
    finally:
        delattr(channel, name)
    return caught[0]


def _redis(
    producer: Any, calls: Sequence[Call], queue: str
) -> tuple[list[Make], Callable[[list[Any]], None], int]:
    """Messages are JSON texts with three holes, pushed many at a time onto their list (one a priority)."""
    from kombu.utils.json import dumps

    channel = producer.channel

    def maker(key: str, text: str) -> Make:
        return lambda task_id, seq: (key, text % {"id": task_id, "seq": seq})

    def send(messages: list[Any]) -> None:
        lists: dict[str, list[str]] = {}
        for key, text in messages:
            lists.setdefault(key, []).append(text)
        with channel.conn_or_acquire() as client:
            for key, texts in lists.items():
                client.lpush(key, *texts)

    made: list[Make] = []
    largest = 0
    for call in calls:
        (name, message), _ = _built(producer, call, queue, "_put")
        key = channel._q_for_pri(name, channel._get_message_priority(message, reverse=False))
        text = dumps(message).replace("%", "%%")
        for hole, value in (
            ("%(id)s", task_id(_NO_ID, A_SEQ)),
            ("%(id)s", message["properties"]["delivery_tag"]),
            ("%(seq)d", str(A_SEQ)),
        ):
            text = text.replace(value, hole)
        largest = max(largest, len(text))
        made.append(maker(key, text))

    return made, send, largest


def _amqp(
    producer: Any, calls: Sequence[Call], queue: str
) -> tuple[list[Make], Callable[[list[Any]], None], int]:
    """Messages are kombu's own objects, copied with other ids; the connection's buffer makes the batch."""
    channel = producer.channel
    built = [_built(producer, call, queue, "basic_publish") for call in calls]

    def maker(message: Any, options: dict[str, Any]) -> Make:
        headers = message.properties["application_headers"]
        ids = [name for name, value in headers.items() if value == task_id(_NO_ID, A_SEQ)]

        def make(task_id: str, seq: int) -> tuple[Any, dict[str, Any]]:
            fresh = copy(message)
            own = {**headers, "bench_seq": seq, **dict.fromkeys(ids, task_id)}
            fresh.properties = {**message.properties, "application_headers": own, "correlation_id": task_id}
            return fresh, options

        return make

    def send(messages: list[Any]) -> None:
        for message, options in messages:
            channel.basic_publish(message, **options)

    return [maker(m, options) for (m,), options in built], send, max(len(m.body) for (m,), _ in built)
