"""The way to one far end, over loopback: a plain aioice connection is the far end."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from aioice import Candidate, Connection

from webrtc.candidates import parse_candidate
from webrtc.description import Ice
from webrtc.ice import IceTerms, NoIcePorts, Path

MEDIA = b"\x80" + bytes(20)
HERE = IceTerms(("127.0.0.1",))
WAIT_S = 20.0


class FarEnd(Connection):
    """Offers, and is the controlling side; on loopback alone."""

    def __init__(self) -> None:
        super().__init__(ice_controlling=True)

    async def get_component_candidates(
        self, component: int, addresses: list[str], timeout: int = 5
    ) -> list[Candidate]:
        return await super().get_component_candidates(component, ["127.0.0.1"], timeout)

    @property
    def credentials(self) -> Ice:
        return Ice(self.local_username, self.local_password)


class Heard:
    def __init__(self) -> None:
        self.media: list[bytes] = []
        self.gone: list[str] = []
        self.news = asyncio.Event()

    def take(self, data: bytes) -> None:
        self.media.append(data)
        self.news.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(WAIT_S):
            while len(self.media) < count:
                self.news.clear()
                await self.news.wait()


async def joined(path: Path, stack: AsyncExitStack) -> FarEnd:
    """A new ICE session between the two, with candidates that trickle."""
    far = FarEnd()
    stack.push_async_callback(far.close)
    await far.gather_candidates()
    session = await path.begin(far.credentials)
    far.remote_username, far.remote_password = session.credentials.ufrag, session.credentials.password
    connecting = asyncio.gather(far.connect(), path.connect())
    found = [parse_candidate(f"candidate:{c.to_sdp()}") for c in far.local_candidates]
    path.add([candidate for candidate in found if candidate is not None], ended=True)
    for line in session.told():
        await far.add_remote_candidate(Candidate.from_sdp(line.removeprefix("candidate:")))
    await far.add_remote_candidate(None)
    async with asyncio.timeout(WAIT_S):
        await connecting
    return far


@pytest.fixture
async def heard() -> Heard:
    return Heard()


async def test_media_passes_both_ways_and_dtls_waits_to_be_asked_for(heard: Heard) -> None:
    path = Path(HERE, heard.take, heard.gone.append)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(path.close)
        far = await joined(path, stack)
        await far.send(MEDIA)
        await far.send(b"\x16hello")
        await heard.until(1)
        assert heard.media == [MEDIA]
        assert await path._recv() == b"\x16hello"
        path.send(MEDIA)
        async with asyncio.timeout(WAIT_S):
            assert await far.recv() == MEDIA


async def test_a_restart_finds_another_way_while_the_old_one_carries_on(heard: Heard) -> None:
    path = Path(HERE, heard.take, heard.gone.append)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(path.close)
        first = await joined(path, stack)
        second = await joined(path, stack)
        path.send(MEDIA)
        async with asyncio.timeout(WAIT_S):
            assert await second.recv() == MEDIA
        await second.send(MEDIA)
        await heard.until(1)
        assert heard.gone == []
        assert second.local_username != first.local_username


async def test_a_flood_before_the_handshake_is_bounded(heard: Heard) -> None:
    path = Path(HERE, heard.take, heard.gone.append)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(path.close)
        far = await joined(path, stack)
        for _ in range(500):
            await far.send(b"\x16" + bytes(100))
        await far.send(MEDIA)
        await heard.until(1)
        assert path._datagrams.qsize() <= 64


async def test_ports_are_those_of_the_range_and_told_when_there_are_none() -> None:
    (port,) = await free_ports(1)
    path = Path(IceTerms(("127.0.0.1",), (port, port)), lambda data: None, lambda why: None)
    session = await path.begin(Ice("abcd", "p" * 22))
    assert f" 127.0.0.1 {port} typ host" in session.told()[0]
    other = Path(IceTerms(("127.0.0.1",), (port, port)), lambda data: None, lambda why: None)
    with pytest.raises(NoIcePorts):
        await other.begin(Ice("abcd", "p" * 22))
    await other.close()
    await path.close()
    again = Path(IceTerms(("127.0.0.1",), (port, port)), lambda data: None, lambda why: None)
    await again.begin(Ice("abcd", "p" * 22))
    await again.close()


async def test_the_address_of_a_nat_is_told_beside_our_own() -> None:
    path = Path(IceTerms(("127.0.0.1",), advertised="198.51.100.9"), lambda data: None, lambda why: None)
    session = await path.begin(Ice("abcd", "p" * 22))
    assert [line.split()[4] for line in session.told()] == ["198.51.100.9", "127.0.0.1"]
    await path.close()


async def free_ports(count: int) -> list[int]:
    loop = asyncio.get_running_loop()
    made = [
        (await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)))[0]
        for _ in range(count)
    ]
    numbers = [transport.get_extra_info("sockname")[1] for transport in made]
    for transport in made:
        transport.close()
    await asyncio.sleep(0)
    return numbers
