"""One short call over a trunk: it rings, is answered, is listened to for a few seconds, and ended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Final

from ivr.config import Config
from ivr.doctor.findings import Finding, fail, ok, printable, skipped, warn
from ivr.doctor.own_sockets import media_hosts, own_sockets
from ivr.doctor.settings import transport_of
from ivr.masking import mask_number
from ivr.trunks import tls_of, trunks_of
from media.leg import Answered, CallLeg, HungUp, Quality, Ringing
from media.plane import RtpPlane
from media.ports import NoPorts, PortPool
from sip.stack import BadNumber, OutboundCall, TrunkBusy
from sip.uri import UriError
from sip.user_agent import UserAgent

RING_S: Final = 30.0
"""How long it may ring; then it is cancelled."""
TALK_S: Final = 5.0
_END_S: Final = 3.0
_SOMEBODY: Final = "Call a number that somebody answers."
_PACKETS: Final = 50
"""Of a second; of a call that was shorter, nothing can be said."""
_POOR_MOS: Final = 3.6
"""Below this many are dissatisfied (ITU-T G.107, table B.1: R 70)."""


@dataclass(frozen=True, slots=True)
class Course:
    """How a call went; times are seconds from the INVITE, None for what did not come."""

    number: str
    rang_s: float | None = None
    early_media: bool = False
    answered_s: float | None = None
    codec: str = ""
    quality: Quality = field(default_factory=Quality)
    ended: HungUp | None = None


async def place(config: Config, name: str, number: str) -> list[Finding]:
    """Calls a number over the trunk, from ports of the doctor's own."""
    trunk = trunks_of(config)[name]
    about = f"call to {mask_number(number)}"
    try:
        proxy = trunk.proxy_uri()
    except UriError:
        return [skipped("call.placed", about, "the proxy is no address")]
    listen, _ = own_sockets(config.sip.listen, None if proxy is None else transport_of(proxy))
    try:
        addresses = media_hosts(config.sip.listen)
        plane = RtpPlane(PortPool(*config.media.ports, 0.0, *addresses), timeout_s=60.0, address=addresses[0])
        agent = UserAgent(
            listen=listen,
            advertise=config.sip.advertise,
            # The server is registered, and probes; one call needs neither.
            trunks={name: replace(trunk, options_s=0.0, registration=None)},
            plane=plane,
            admit=lambda: 60,
            on_incoming=lambda leg: None,
            user_agent="ivr-doctor",
            tls=tls_of(config),
        )
        course = await _call(plane, agent, OutboundCall(number, name, ring_s=RING_S))
    except BadNumber as error:
        mend = "Give a number that destinations allows, in a form that the trunk knows."
        return [fail("call.placed", about, printable(str(error)), mend)]
    except (TrunkBusy, NoPorts, OSError, ValueError) as error:
        return [fail("call.placed", about, printable(str(error)), "Mend what is said above first.")]
    return judged(course)


async def _call(plane: RtpPlane, agent: UserAgent, call: OutboundCall) -> Course:
    """Raises what placing a call does."""
    await plane.start()
    try:
        await agent.start()
        return await _follow(await agent.call(call), call.to)
    finally:
        await agent.close()
        await plane.close()


async def _follow(leg: CallLeg, number: str) -> Course:
    """Until the call is over, at most for ringing, talking, and the time for both ends to say so."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    course = Course(number)
    until = began + RING_S + _END_S
    while course.ended is None:
        try:
            async with asyncio.timeout_at(until):
                event = await leg.next_event()
        except TimeoutError:
            if course.answered_s is None:
                break
            course = replace(course, quality=leg.quality())
            await leg.hang_up()
            until = loop.time() + _END_S
            continue
        match event:
            case Ringing(at, early) if course.rang_s is None:
                course = replace(course, rang_s=at - began, early_media=early)
            case Ringing(_, early):
                course = replace(course, early_media=course.early_media or early)
            case Answered(at):
                course = replace(course, answered_s=at - began, codec=leg.codec.name)
                until = loop.time() + TALK_S
            case HungUp():
                if not course.quality.packets_sent:
                    course = replace(course, quality=leg.quality())
                course = replace(course, ended=event)
            case _:
                pass
    return course


def judged(course: Course) -> list[Finding]:
    """What the course of a call shows."""
    about = f"call to {mask_number(course.number)}"
    found = []
    if course.rang_s is not None:
        early = ", with early media" if course.early_media else ""
        found.append(ok("call.rang", "ringing", f"after {course.rang_s:.1f} s{early}"))
    if course.answered_s is None:
        return [*found, _unanswered(about, course)]
    found.append(ok("call.answered", about, f"answered after {course.answered_s:.1f} s, {course.codec}"))
    return [*found, _audio(course.quality)]


def _unanswered(about: str, course: Course) -> Finding:
    ended = course.ended
    if ended is None or ended.code is None:
        cause = "no answer" if ended is None else ended.cause.value.replace("_", " ")
        if course.rang_s is not None:
            return warn("call.answered", about, cause, _SOMEBODY)
        return fail("call.answered", about, cause, "See what is said above of the targets.")
    words = f"{ended.code}{'' if ended.reason is None else f', {printable(ended.reason)}'}"
    if ended.code in (408, 480, 486, 487, 600):
        return warn("call.answered", about, f"nobody answered: {words}", _SOMEBODY)
    mends = {
        401: "Set credentials: the provider asks calls for a password.",
        403: "Check that caller_id is a number of yours there, and that the number may be called.",
        404: "Check number_format and country_code: the provider does not know the number as it was sent.",
        407: "Check credentials: the provider does not take the password.",
        488: "Check codecs and srtp: the provider takes none of what was offered.",
        503: "Ask the provider whether the trunk is active, and how many calls it may have.",
    }
    mend = mends.get(ended.code, "Ask the provider why it refuses the call.")
    return fail("call.refused", about, f"refused: {words}", mend)


def _audio(quality: Quality) -> Finding:
    about = "audio"
    if not quality.packets_received and quality.packets_sent < _PACKETS:
        return skipped("call.audio", about, "the far end hung up at once")
    if not quality.packets_received:
        mend = "Open media.ports for UDP in the firewall, and set sip.advertise: nothing of theirs arrives."
        return fail("call.audio", about, f"{quality.packets_sent} packets sent, none received", mend)
    mos = "" if quality.mos is None else f", MOS {quality.mos:.1f}"
    seen = (
        f"{quality.packets_sent} packets sent, {quality.packets_received} received, "
        f"{quality.packets_lost} lost, jitter {quality.jitter_ms:.0f} ms{mos}"
    )
    if quality.mos is not None and quality.mos < _POOR_MOS:
        mend = "Find what loses or delays packets on the way: a full line, wireless, or a distant edge."
        return warn("call.audio", about, seen, mend)
    return ok("call.audio", about, seen)
