"""Keys of a peer that knows no telephone-events: in the audio, by INFO, and by both."""

from __future__ import annotations

import asyncio

from media.codecs import PCMA
from media.inband import InbandReceiver
from media.leg import Answered, Digit, HungUp
from media.rtp import RtpPacket
from media.tones import key_tone, silence
from sip.leg import SipLeg
from tests.media.loopback import FarEnd
from tests.sip.agents import Agent, Peer, agent, connected, event, peer, until

TONE_S = 0.02


class Caller:
    """A call of a peer by hand, with its own RTP."""

    def __init__(self, p: Peer, b: Agent, leg: SipLeg, tag: str, sound: FarEnd) -> None:
        self.p, self.b, self.leg, self.tag, self.sound = p, b, leg, tag, sound
        self.sent = 0
        self.cseq = 1

    async def speak(self, pcm: bytes) -> None:
        """In packets of 20 ms, as fast as they are played."""
        assert self.leg._media is not None
        stream = self.leg._media.stream
        payload = PCMA.new_encoder()(pcm)
        for at in range(0, len(payload), 160):
            packet = RtpPacket(8, self.sent, self.sent * 160, 7, payload[at : at + 160])
            self.sound.send(stream, packet)
            self.sent += 1
            await asyncio.sleep(TONE_S)

    async def inform(self, key: str) -> None:
        self.cseq += 1
        self.p.send(
            self.p.message(
                "INFO",
                self.b.address(),
                branch=f"z9hG4bK-i{self.cseq}",
                cseq=self.cseq,
                to_tag=self.tag,
                extra="Content-Type: application/dtmf-relay\r\n",
                body=f"Signal={key}\r\nDuration=100\r\n",
            ),
            self.b.address(),
        )
        await self.p.response(200)

    async def keys(self) -> str:
        """All that were taken, once the call is over."""
        await self.leg.hang_up()
        keys = ""
        async with asyncio.timeout(10):
            while not isinstance(found := await self.leg.next_event(), HungUp):
                keys += found.key if isinstance(found, Digit) else ""
        return keys


async def called(p: Peer, b: Agent, sound: FarEnd) -> Caller:
    lines = p.sdp(port=sound.address[1]).replace(" 8 96", " 8").splitlines()
    offer = "".join(line + "\r\n" for line in lines if "telephone-event" not in line)
    p.send(p.message("INVITE", b.address(), body=offer), b.address())
    leg = await b.called()
    await leg.answer()
    ok = await p.response(200)
    assert b"telephone-event" not in ok.body
    assert ok.to.tag is not None
    text = p.message("ACK", b.address(), branch="z9hG4bK-a", cseq=1, to_tag=ok.to.tag)
    p.send(text, b.address())
    await event(leg, Answered)
    return Caller(p, b, leg, ok.to.tag, sound)


async def test_tones_are_keys_though_nobody_listens() -> None:
    sound = FarEnd()
    async with agent() as b, peer() as p:
        caller = await called(p, b, sound)
        await caller.speak(b"".join(key_tone(key, 8000) for key in "42#") + silence(200, 8000))
        assert await caller.keys() == "42#"
    sound.close()


async def test_a_key_that_is_told_by_info_too_is_taken_once() -> None:
    sound = FarEnd()
    async with agent() as b, peer() as p:
        caller = await called(p, b, sound)
        for key in "558":
            await caller.speak(key_tone(key, 8000) + silence(100, 8000))
            await caller.inform(key)
        await caller.inform("9")
        await caller.speak(key_tone("9", 8000) + silence(200, 8000))
        assert await caller.keys() == "5589"
    sound.close()


async def test_keys_cross_a_bridge_in_the_form_that_each_side_knows() -> None:
    sound = FarEnd()
    async with agent() as b, agent() as c, peer() as p:
        caller = await called(p, b, sound)
        ours, theirs = await connected(b, c)
        assert caller.leg.bridge(ours)
        await caller.speak(b"".join(key_tone(key, 8000) for key in "42") + silence(200, 8000))
        assert [(await until(theirs, Digit)).key for _ in "42"] == ["4", "2"]
        theirs.send_digits("7")
        assert (await until(ours, Digit)).key == "7"
        heard = InbandReceiver(8000)
        decode, found = PCMA.new_decoder(), ""
        async with asyncio.timeout(20):
            while "7" not in found:
                (packet,) = await sound.receive(1)
                found += heard.take(decode(packet.payload)) or ""
        assert found == "7"
        caller.leg.part()
        await caller.speak(key_tone("5", 8000) + silence(200, 8000))
        await ours.hang_up()
        assert isinstance(await theirs.next_event(), HungUp)
    sound.close()


async def test_tones_that_pass_in_the_audio_are_not_sent_once_more() -> None:
    one, two = FarEnd(), FarEnd()
    async with agent() as b, agent() as c, peer() as p, peer() as q:
        caller, other = await called(p, b, one), await called(q, c, two)
        assert caller.leg.bridge(other.leg)
        await caller.speak(b"".join(key_tone(key, 8000) for key in "42") + silence(600, 8000))
        heard, decode, found = InbandReceiver(8000), PCMA.new_decoder(), ""
        async with asyncio.timeout(20):
            while len(found) < 2:
                (packet,) = await two.receive(1)
                found += heard.take(decode(packet.payload)) or ""
        for packet in await two.receive(30):
            found += heard.take(decode(packet.payload)) or ""
        assert found == "42"
        assert await caller.keys() == "42"
    for end in (one, two):
        end.close()
