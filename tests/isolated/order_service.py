"""A service that hashes and parses what it is sent, for a meter to look at from outside.

`uvicorn order_service:app` serves it. Run as a script it serves itself, with nothing but asyncio;
either way the port is the last argument. The hash releases the GIL, and the parser holds it.
"""

import asyncio
import hashlib
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import let_be_read  # noqa: F401

ROUNDS = 2_000


def sign(body: bytes) -> str:
    return hashlib.pbkdf2_hmac("sha256", body, b"salt", ROUNDS).hex()


def count_items(body: bytes) -> int:
    return sum(order["items"] for order in json.loads(body))


async def answer(body: bytes) -> bytes:
    signature = await asyncio.to_thread(sign, body[:64])
    return json.dumps({"items": count_items(body), "signature": signature}).encode()


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Answer a request, as ASGI has it."""
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    payload = await answer(body)
    length = str(len(payload)).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]}
    )
    await send({"type": "http.response.body", "body": payload})


async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split()[0])
            payload = await answer(await reader.readexactly(length))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(payload) + payload)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main(port: int) -> None:
    server = await asyncio.start_server(serve_one, "127.0.0.1", port, limit=2**24)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[-1])))
