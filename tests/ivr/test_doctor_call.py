"""The doctor's test call, over the wire, and what is made of its course."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ivr.config import Config
from ivr.doctor import trial
from ivr.doctor.findings import Finding, Level
from ivr.doctor.trial import Course, judged, place
from media.leg import Cause, HungUp, Quality
from tests.sip.agents import Agent, agent

NUMBER = "+918047112233"


def config(port: int, **trunk: Any) -> Config:
    return Config.model_validate(
        {
            "sip": {"listen": ["udp:127.0.0.1:0"]},
            "media": {"ports": [0, 0]},
            "trunks": {"far": {"proxy": f"sip:127.0.0.1:{port};transport=udp", **trunk}},
        }
    )


def levels(findings: list[Finding]) -> dict[str, Level]:
    return {one.code: one.level for one in findings}


async def test_a_call_that_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "TALK_S", 0.5)

    async def answers(far: Agent) -> str:
        leg = await far.called()
        await leg.ring()
        await leg.answer()
        return leg.info.called

    async with agent() as far:
        answering = asyncio.create_task(answers(far))
        found = await place(config(far.address().port), "far", NUMBER)
        assert await answering == NUMBER
    assert levels(found) == {"call.rang": Level.OK, "call.answered": Level.OK, "call.audio": Level.OK}
    answered, audio = found[1], found[2]
    assert answered.about == "call to +91******2233"
    assert answered.seen.endswith("s, PCMA")
    assert "packets sent" in audio.seen


async def test_a_call_that_is_refused() -> None:
    async with agent() as far:
        refusing = asyncio.create_task(far.called())
        calling = asyncio.create_task(place(config(far.address().port), "far", NUMBER))
        await (await refusing).reject(Cause.BUSY)
        found = await calling
    assert levels(found) == {"call.answered": Level.WARN}
    assert "486" in found[0].seen


async def test_a_number_that_may_not_be_called() -> None:
    found = await place(config(9, destinations=["+44"]), "far", NUMBER)
    assert levels(found) == {"call.placed": Level.FAIL}


@pytest.mark.parametrize("code", [401, 403, 404, 407, 488, 500, 503])
def test_every_refusal_says_what_to_mend(code: int) -> None:
    course = Course(NUMBER, ended=HungUp(1.0, Cause.REJECTED, "callee", code, "SIP;cause=603"))
    [found] = judged(course)
    assert (found.code, found.level) == ("call.refused", Level.FAIL)
    assert found.seen == f"refused: {code}, SIP;cause=603"


def test_no_audio_from_the_far_end() -> None:
    course = Course(NUMBER, 1.0, True, 2.0, "PCMA", Quality(packets_sent=250))
    found = judged(course)
    assert found[0].seen == "after 1.0 s, with early media"
    assert levels(found)["call.audio"] is Level.FAIL
    assert "media.ports" in found[-1].mend


def test_audio_that_is_hard_to_follow() -> None:
    quality = Quality(packets_sent=250, packets_received=200, packets_lost=50, jitter_ms=80.0, mos=2.1)
    found = judged(Course(NUMBER, None, False, 2.0, "PCMA", quality))
    assert levels(found) == {"call.answered": Level.OK, "call.audio": Level.WARN}
    assert "50 lost, jitter 80 ms, MOS 2.1" in found[-1].seen
