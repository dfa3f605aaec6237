"""One scenario as a call: what its caller does, when he did it, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from engines.contract import EngineError
from ivr.evaluation.talk.improvising import Improviser
from ivr.evaluation.talk.scenario import Cough, Improvise, Interrupt, Manner, Murmur, Scenario
from ivr.evaluation.talk.scoring import GAP_S, Heard, Kind, Said, sounds_of
from ivr.evaluation.talk.voice import Sound, Voice
from ivr.local import Api
from ivr.phone.calling import CallOver, NothingHeard, PhoneCall
from ivr.phone.phone import Phone

ANSWER_S: Final = 30.0
SPEAKS_S: Final = 20.0
"""So long the server may say nothing before the caller gives up."""

SPOKEN_S: Final = 90.0
ENDS_S: Final = 60.0
QUIET_S: Final = 1.2
"""So much silence, and it is the caller's turn: longer than a prompt is held for a cough."""

_POLL_S: Final = 0.02
_RECORD_S: Final = 15.0


class Playing:
    """Plays one scenario; `improviser` is who plays callers that are not scripted, where there is one."""

    def __init__(
        self, scenario: Scenario, manner: Manner, language: str, api: Api, improviser: Improviser | None
    ) -> None:
        self._scenario = scenario
        self._manner = manner
        self._language = language
        self._api = api
        self._improviser = improviser
        self._said: list[Said] = []
        self._acted_at = 0.0
        """Loop time of the last thing that the server is to reply to."""
        self._loop = asyncio.get_running_loop()

    async def play(self, phone: Phone, uri: str, number: str) -> tuple[Heard, str]:
        """Calls `uri`, which the server knows as `number`; gives what was heard, and why the caller gave up
        (empty: he did not)."""
        since = time.time()
        call = await phone.call(uri)
        why = ""
        try:
            await call.until_answered(ANSWER_S)
            voice = Voice(await phone.speaker(), self._manner, self._language, call.leg.codec)
            if (hum := voice.hum()) is not None:
                call.hum(hum)
            for act in self._scenario.caller:
                await self._do(call, voice, act.done, number, act.press is not None)
            await call.until_hung_up(ENDS_S)
        except CallOver:
            why = "the server hung up before the caller was done"
        except (NothingHeard, EngineError) as error:
            why = str(error)
        finally:
            await call.close()
        record = await asyncio.to_thread(self._record, number, since)
        return self._heard(call, record), why

    # --- what the caller does

    async def _do(self, call: PhoneCall, voice: Voice, what: Any, number: str, keys: bool) -> None:
        match what:
            case str() if keys:
                await self._turn(call)
                pressed = time.time()
                self._said.append(Said(Kind.KEYS, pressed, pressed, 0))
                with contextlib.suppress(CallOver):  # a key may be all that the server waited for
                    await call.press(what)
                self._acted_at = self._loop.time()
            case str():
                await self._turn(call)
                await self._say(call, await voice.words(what), Kind.WORDS, what)
            case Interrupt(text=text):
                await self._over(call, what.after, await voice.words(text), Kind.INTERRUPTION, text)
            case Murmur(text=text):
                await self._over(call, what.after, await voice.words(text), Kind.LISTENING, text)
            case Cough(lasts=lasts):
                await self._over(call, what.after, voice.cough(lasts), Kind.LISTENING, "")
            case Improvise():
                await self._improvise(call, voice, what, number)
            case True:
                await self._turn(call)
                await call.hang_up()
            case float() | int() as seconds:
                await call.wait(float(seconds))
                self._acted_at = 0.0

    async def _say(self, call: PhoneCall, sound: Sound, kind: Kind, text: str) -> None:
        first, _ = await call.play(sound.clip)
        behind = time.time() - self._loop.time()
        began = first + behind
        self._said.append(Said(kind, began + sound.begins_s, began + sound.ends_s, len(text.split())))
        if kind is not Kind.LISTENING:
            self._acted_at = first + sound.ends_s

    async def _over(self, call: PhoneCall, after_s: float, sound: Sound, kind: Kind, text: str) -> None:
        """Into what the server says, which began so long ago."""

        def due() -> bool:
            began = self._speaks_since(call)
            return began is not None and time.time() - began >= after_s

        await self._until(
            call, due, SPEAKS_S + after_s, "the server did not speak so long that one could cut in"
        )
        await self._say(call, sound, kind, text)

    async def _turn(self, call: PhoneCall) -> None:
        """Waits until the server has spoken, and is silent."""
        spoken = self._acted_at

        def spoke() -> bool:
            return call.heard_s > 0 and self._loop.time() - call.quiet_s > spoken

        await self._until(call, spoke, SPEAKS_S, f"the server said nothing for {SPEAKS_S:g} s")
        await call.quiet(QUIET_S, SPOKEN_S)

    async def _improvise(self, call: PhoneCall, voice: Voice, role: Improvise, number: str) -> None:
        if self._improviser is None:
            raise NothingHeard("there is no language model to play the caller: llm.providers of --config")
        talk = self._improviser.begin(role, self._language)
        for _ in range(role.turns):
            await self._turn(call)
            record = await asyncio.to_thread(self._live, number)
            words = await talk.next(told_of(record))
            if words is None:
                break
            await self._say(call, await voice.words(words), Kind.WORDS, words)
        await call.hang_up()

    # --- what came of it

    def _heard(self, call: PhoneCall, record: dict[str, Any]) -> Heard:
        events = record["events"]
        cuts = [_unix(event["at"]) for event in events if event["kind"] == "prompt_cut"]
        sounds = sounds_of((audio.at, audio.silent) for audio in call.wire.audio)
        return Heard(self._said, sounds, cuts, record["result"] or {}, record["cause"] or "")

    def _speaks_since(self, call: PhoneCall) -> float | None:
        """Since when, by the time of day, the server has been speaking; None while it is silent."""
        began: float | None = None
        last: float | None = None
        for audio in reversed(call.wire.audio):
            if last is None and time.time() - audio.at > GAP_S:
                return None
            if audio.silent:
                continue
            if last is not None and last - audio.at > GAP_S:
                break
            began = last = audio.at
        return began

    async def _until(
        self, call: PhoneCall, condition: Callable[[], bool], within_s: float, complaint: str
    ) -> None:
        deadline = self._loop.time() + within_s
        while not condition():
            if call.ended is not None:
                raise CallOver(call.ended)
            if self._loop.time() > deadline:
                raise NothingHeard(complaint)
            await asyncio.sleep(_POLL_S)

    def _live(self, number: str) -> dict[str, Any]:
        return self._api.call(self._id(number, 0.0))

    def _record(self, number: str, since: float) -> dict[str, Any]:
        return self._api.ended(self._id(number, since), _RECORD_S)

    def _id(self, number: str, since: float) -> str:
        """Of the newest call to the number."""
        deadline = time.monotonic() + _RECORD_S
        while time.monotonic() < deadline:
            for call in self._api.calls():
                if call["called"] == number and _unix(call["created_at"]) >= since - 1.0:
                    return str(call["id"])
            time.sleep(_POLL_S)
        raise NothingHeard("the server has no record of the call")


def told_of(record: dict[str, Any]) -> list[tuple[str, str]]:
    """Who said what in a call, in order: `server` or `caller`."""
    parts = []
    for event in record["events"]:
        if event["kind"] == "prompt":
            parts.append(("server", str(event["data"]["text"])))
        elif event["kind"] == "heard" and event["data"].get("text"):
            parts.append(("caller", str(event["data"]["text"])))
    return parts


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
