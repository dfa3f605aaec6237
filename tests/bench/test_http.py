"""The client of the benchmarks against servers that answer in pieces, wrongly, or not to the end."""

from __future__ import annotations

import asyncio

import pytest

from ivr.bench.http import Client

PIECES = [
    b"HTTP/1.1 200 OK\r\nX-Engine: espeak\r\nTransfer-Encoding: chun",
    b"ked\r\n\r\n3\r\nabc\r\n",
    b"2\r\nde\r\n0\r\n\r\n",
]


async def serve(answers: list[list[bytes]]) -> tuple[asyncio.Server, str, list[bytes]]:
    """Each request gets the next of the answers; one that ends with b"" is closed after it."""
    asked: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while answers:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            asked.append(head + await reader.readexactly(4))
            for piece in answers.pop(0):
                if not piece:
                    writer.close()
                    return
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/base", asked


async def test_answers_in_pieces_over_one_connection() -> None:
    server, url, asked = await serve([PIECES, [b"HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusy"]])
    client = Client(url, "a key")
    answer = await client.post("/x", b"body", timeout_s=20)
    assert (answer.status, answer.size, answer.begins) == (200, 5, b"abcde")
    assert answer.headers["x-engine"] == "espeak"
    assert 0 < answer.first_ns < answer.last_ns
    assert (await client.post("/x", b"more", timeout_s=20)).begins == b"busy"
    assert asked[0].startswith(b"POST /base/x HTTP/1.1\r\n")
    assert b"Authorization: Bearer a key\r\n" in asked[0]
    assert asked[1].endswith(b"more")
    client.close()
    server.close()


async def test_what_is_no_answer_is_an_error_and_the_next_has_a_connection_of_its_own() -> None:
    server, url, _ = await serve([[b"nonsense\r\n\r\n"], [PIECES[0], b""], [b"HTTP/1.1 200 OK\r\n"], PIECES])
    client = Client(url)
    with pytest.raises(ConnectionError, match="is no HTTP"):
        await client.post("/", b"body", timeout_s=20)
    with pytest.raises(ConnectionError, match="in the middle of an answer"):
        await client.post("/", b"body", timeout_s=20)
    with pytest.raises(TimeoutError):
        await client.post("/", b"body", timeout_s=0.2)
    assert (await client.post("/", b"body", timeout_s=20)).size == 5
    client.close()
    server.close()
