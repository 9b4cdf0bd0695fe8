"""Counterparts of the tasks, on loopback: an HTTP API that is as slow and unreliable, and an SMTP server
that refuses as often, as it is asked to.

Run as a process of its own (``python counterparts.py http|smtp``). It prints its port, and then, for each
line on stdin, what it has counted so far as one line of JSON. One asyncio loop: a thousand open requests
cost it little.
"""

import asyncio
import contextlib
import json
import random
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

HOST = "127.0.0.1"
BACKLOG = 4096
STATUS = {200: "OK", 400: "Bad Request", 503: "Service Unavailable"}

Serve = Callable[["Counter[str]"], Any]


class Wish:
    """What a request asks for: an answer after ``seconds`` and up to ``jitter`` more, that is an error with
    probability ``errors``. The same ``key`` always draws the same. Raises ValueError, KeyError.
    """

    def __init__(self, query: str) -> None:
        asked = dict(parse_qsl(query))
        chance = random.Random(asked.get("key", ""))
        self.delay = float(asked["seconds"]) + float(asked.get("jitter", "0")) * chance.random()
        self.status = 503 if chance.random() < float(asked.get("errors", "0")) else 200


async def http(counts: "Counter[str]") -> asyncio.Server:
    """A server that answers every request as its query wishes, and closes. Counts answers by their status."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            request = await reader.readuntil(b"\r\n\r\n")
            try:
                wish = Wish(urlsplit(request.split(b" ", 2)[1].decode()).query)
            except (IndexError, KeyError, ValueError):
                status = 400
            else:
                await asyncio.sleep(wish.delay)
                status = wish.status
            counts[str(status)] += 1
            body = "ok\n" if status == 200 else ""
            head = f"HTTP/1.1 {status} {STATUS[status]}\r\nContent-Length: {len(body)}\r\nConnection: close"
            writer.write(f"{head}\r\n\r\n{body}".encode())
            await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, HOST, 0, backlog=BACKLOG)


class Mailbox:
    """Takes mail and forgets it; refuses it for now (451) with the probability that its header wishes."""

    def __init__(self, counts: "Counter[str]") -> None:
        self._counts = counts

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        import email

        mail = email.message_from_bytes(envelope.content)
        chance = random.Random(mail["X-Bench-Key"] or "").random()
        if chance < float(mail["X-Bench-Refusals"] or 0):
            self._counts["refused"] += 1
            return "451 Try again later"
        self._counts["accepted"] += 1
        return "250 OK"


async def smtp(counts: "Counter[str]") -> asyncio.Server:
    """An SMTP server in front of a ``Mailbox``. Counts mails ``accepted`` and ``refused``."""
    from aiosmtpd.smtp import SMTP

    loop = asyncio.get_running_loop()
    mailbox = Mailbox(counts)
    # with a name of its own, else each connection asks the name service for one
    return await loop.create_server(
        lambda: SMTP(mailbox, hostname="localhost", loop=loop), HOST, 0, backlog=BACKLOG
    )


async def serve(start: Serve) -> None:
    """Listen on a free loopback port, say which, serve and tell the counts until killed."""
    counts: Counter[str] = Counter()
    server = await start(counts)
    _say(server.sockets[0].getsockname()[1])

    def tell() -> None:
        if sys.stdin.readline():
            _say(counts)
        else:  # whoever started us is gone
            server.close()

    asyncio.get_running_loop().add_reader(sys.stdin, tell)
    with contextlib.suppress(asyncio.CancelledError):
        await server.serve_forever()


def _say(what: object) -> None:
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve({"http": http, "smtp": smtp}[sys.argv[1]]))
