"""Counterparts of the tasks: a loopback HTTP server that answers after the delay it is asked for.

Run as a process of its own (``python services.py``); prints its port. One asyncio loop: a thousand open
requests cost it little.
"""

import asyncio
import contextlib
import sys
from urllib.parse import parse_qs, urlsplit

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
REFUSAL = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request: wait as long as ``?seconds=`` says, answer, close."""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        request = await reader.readuntil(b"\r\n\r\n")
        try:
            query = parse_qs(urlsplit(request.split(b" ", 2)[1].decode()).query)
            delay = float(query["seconds"][0])
        except (IndexError, KeyError, ValueError):
            writer.write(REFUSAL)
        else:
            await asyncio.sleep(delay)
            writer.write(ANSWER)
        await writer.drain()
    writer.close()


async def serve() -> None:
    """Listen on a free loopback port, say which, serve until killed."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
