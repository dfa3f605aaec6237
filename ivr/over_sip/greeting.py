"""How a phone is answered in a scenario: what a human, a machine, or a switchboard lets be heard."""

from __future__ import annotations

import contextlib
from typing import Final

from ivr.flow.scenario_acts import AnsweredBy, WhoAnswered
from ivr.flow.scenarios import Scenario
from ivr.phone.calling import CallOver, PhoneCall
from media.tones import Partial, beep, silence, tone

RATE: Final = 8000
MACHINE_S: Final = 4.0
BEFORE_BEEP_MS: Final = 600
SWITCHBOARD_MS: Final = 6000
SWITCHBOARD_HZ: Final = 350
"""No beep's frequency: a packet that came late within it gives nothing away."""
_HELLO: Final = {"hi": "हेलो", "mr": "हॅलो", "en": "hello"}


def who_answers(scenario: Scenario) -> WhoAnswered | None:
    """Who is to answer; None where the scenario does not say, and the phone calls."""
    told = (step.act.who for step in scenario.steps if isinstance(step.act, AnsweredBy))
    return next(told, None)


async def greet(call: PhoneCall, who: WhoAnswered, language: str) -> None:
    """Lets it be heard who answered: one word, a long greeting and a beep, or a tone that tells nothing.
    Returns early when the call is over."""
    with contextlib.suppress(CallOver):
        if who == "human":
            await call.say(_HELLO[language])
        elif who == "machine":
            await call.dictate(MACHINE_S)
            await call.play_pcm(silence(BEFORE_BEEP_MS, RATE) + beep(RATE), RATE)
        else:
            await call.play_pcm(tone((Partial(SWITCHBOARD_HZ),), SWITCHBOARD_MS, RATE), RATE)
