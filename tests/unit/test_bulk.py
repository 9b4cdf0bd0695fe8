"""A batch is confirmed as a whole, however RabbitMQ words its confirmations."""

from typing import Any

import pytest
from amqp.exceptions import MessageNacked

from bench.run.bulk import _confirmed

ACK, NACK = "basic_ack", "basic_nack"
Answer = tuple[str, int, bool]
"""Which answer, of which message, and of all before it."""


class Channel:
    """Answers after so many messages, or when somebody reads; publishing reads too, as amqp's does."""

    def __init__(self, early: dict[int, Answer], *late: Answer) -> None:
        self.early, self.late = early, list(late)
        self.published = 0
        self.events: dict[str, set[Any]] = {ACK: set(), NACK: set()}
        self.connection = self

    def confirm_select(self) -> None:
        assert not self.published

    def _basic_publish(self, _message: str, **_: Any) -> None:
        self.published += 1
        if self.published in self.early:
            self._say(self.early[self.published])

    def drain_events(self) -> None:
        self._say(self.late.pop(0))

    def _say(self, answer: Answer) -> None:
        for listener in self.events[answer[0]]:
            listener(*answer[1:])


def batch(size: int) -> list[tuple[str, dict[str, Any]]]:
    return [(f"m{n}", {}) for n in range(size)]


@pytest.mark.parametrize(
    ("early", "late"),
    [
        ({}, [(ACK, 3, True)]),
        ({}, [(ACK, 1, False), (ACK, 2, False), (ACK, 3, False)]),
        ({}, [(ACK, 3, False), (ACK, 2, True)]),
        ({}, [(ACK, 2, True), (ACK, 3, False)]),
        ({2: (ACK, 1, False)}, [(ACK, 3, True)]),
        ({3: (ACK, 3, True)}, []),
        ({1: (ACK, 1, True), 2: (ACK, 2, True)}, [(ACK, 3, True)]),
    ],
)
def test_all_of_a_batch_is_waited_for(early: dict[int, Answer], late: list[Answer]) -> None:
    channel = Channel(early, *late, (ACK, 5, True))
    send = _confirmed(channel)
    send(batch(3))
    assert channel.published == 3
    assert len(channel.late) == 1, "no more was waited for than was needed"
    send(batch(2))
    assert channel.late == []
    send([])


def test_a_message_that_is_refused_is_an_error() -> None:
    send = _confirmed(Channel({}, (ACK, 1, False), (NACK, 2, False)))
    with pytest.raises(MessageNacked):
        send(batch(2))
