"""Handing a caller over: blind, or to an agent who is called first, hears a whisper, and is then connected.

Two ways lead from the whisper to the talk. On a trunk with `transfer: bridge` both legs stay with us, and the
media of one goes to the other; with `transfer: replaces` the caller's far end is asked to call the agent's in
the place of our call with it (RFC 5589 7), and both legs are over. Where that is refused, the bridge is used.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from ivr.callheaders import context_headers
from ivr.flow.protocol import Attended, Transfer, Transferred, Utterance, words_of
from ivr.flow.verbs.transfer import TAKING_S
from ivr.prompts import Prompts
from ivr.switchboard import Found, NoAgent, Note, Search, Switchboard
from ivr.waiting import Waiting
from media.leg import CallLeg, Cause, Digit, Held, HungUp, Played, TransferOutcome

ACCEPT_S: Final = 6.0
"""How long the key of an agent is waited for after the whisper, each time."""

WHISPERS: Final = 2
"""How often an agent who must press a key is told."""

CALL_ID: Final = "X-Call-Id"
"""Of the call to the agent: whoever shows him the caller finds the record by it, with all that was said."""

REFER_S: Final = 10.0
"""How long a far end may take to change over to the agent."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a call hands over with: `call_id` is under which its record is found, `replaces` whether the
    caller's far end is asked to change over; `located` finds the audio files of the flow. `bridges_over` is
    the trunk for agents of a caller who may have no network that could call them: where a blind transfer is
    not possible, the two are bridged."""

    call_id: str
    switchboard: Switchboard
    prompts: Prompts
    replaces: bool
    located: Callable[[Utterance], Utterance]
    bridges_over: str | None = None


class Talk:
    """A caller and an agent over our bridge, until one of them is gone: then the other is hung up on."""

    def __init__(self, leg: CallLeg, found: Found, waiting: Waiting, note: Note) -> None:
        self._leg = leg
        self._found = found
        self._waiting = waiting
        self._agent_waits = waiting.of(found.leg)
        self._note = note
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._over = False
        self.until = self._began + found.longest_s

    @property
    def agent(self) -> CallLeg | None:
        """His leg, until it is over."""
        return None if self._over else self._found.leg

    async def run(self) -> None:
        """Returns when the agent is gone."""
        while True:
            event = await self._found.leg.next_event()
            if isinstance(event, Held):
                self._waiting.hold(event.on)
            elif isinstance(event, HungUp):
                if self.end("agent", event.cause):
                    await self._leg.hang_up()
                return

    def held(self, on: bool) -> None:
        """The caller's far end put us on hold, or took us back: the agent hears music meanwhile."""
        self._agent_waits.hold(on)

    def end(self, by: str, cause: Cause) -> bool:
        """One of the two is gone, or it has lasted as long as it may; False when it was over before. Then the
        other is to be hung up on."""
        if self._over:
            return False
        self._over = True
        quality = asdict(self._found.leg.quality())
        self._note(
            "talk_over",
            {
                "by": by,
                "cause": cause.value,
                "talked_s": round(self._loop.time() - self._began, 3),
                "agent_quality": {
                    name: round(value, 2) if isinstance(value, float) else value
                    for name, value in quality.items()
                },
            },
        )
        self._found.release()
        return True

    async def close(self, cause: Cause) -> None:
        """Hangs up on the agent."""
        self.end("us", cause)
        await self._found.leg.hang_up(cause)


class Handover:
    """The transfers of one call, one at a time. `talk` is there once the caller has been connected to an
    agent over our bridge."""

    def __init__(
        self, leg: CallLeg, waiting: Waiting, means: Means, note: Note, on_place: Callable[[int], None]
    ) -> None:
        self._leg = leg
        self._waiting = waiting
        self._means = means
        self._note = note
        self._on_place = on_place
        self._command: Transfer | None = None
        self.talk: Talk | None = None

    async def transfer(self, command: Transfer) -> Transferred:
        """Returns how it went; cancelling it leaves the caller as he was, and hangs up on the agents."""
        if self._means.replaces and command.attended is not None and command.sound is None:
            command = replace(command, sound="music")  # he is put on hold
        self._command = command
        self._waiting.begin_transfer(command.sound)
        try:
            if command.attended is not None:
                outcome = await self._attended(command, command.attended)
            else:
                outcome = await self._blind(command)
                if outcome is TransferOutcome.FAILED and self._means.bridges_over is not None:
                    outcome = await self._attended(command, Attended())
        finally:
            self._command = None
            self._waiting.end()
        return Transferred(outcome.value)

    def said(self) -> None:
        """What was said to the caller while he waits is over: he hears what he heard before."""
        if self._command is not None:
            self._waiting.begin_transfer(self._command.sound)

    @property
    def agent(self) -> CallLeg | None:
        """The agent whom the caller talks to."""
        return None if self.talk is None else self.talk.agent

    def caller_gone(self, event: HungUp) -> None:
        """The caller's leg is over; `close` is to follow."""
        if self.talk is not None:
            self.talk.end("us" if event.by == "us" else "caller", event.cause)

    async def close(self, cause: Cause = Cause.NORMAL) -> None:
        """Hangs up on the agent whom the caller talks to, if there is one."""
        if self.talk is not None:
            await self.talk.close(cause)

    async def _blind(self, command: Transfer) -> TransferOutcome:
        """The agents of a queue are named in turn, until the caller's far end has reached one."""
        outcome = TransferOutcome.FAILED
        until = asyncio.get_running_loop().time() + command.wait_s
        for agent in self._means.switchboard.queue(command.target).agents:
            left_s = until - asyncio.get_running_loop().time()
            if left_s <= 0:
                break
            outcome = await self._leg.transfer(agent.to, min(left_s, agent.ring_s))
            if outcome is TransferOutcome.DONE:
                break
        return outcome

    async def _attended(self, command: Transfer, attended: Attended) -> TransferOutcome:
        whisper = [self._means.located(utterance) for utterance in attended.whisper]
        with self._means.prompts.making(whisper, self._leg.codec):
            return await self._introduced(command, attended, whisper)

    async def _introduced(
        self, command: Transfer, attended: Attended, whisper: list[Utterance]
    ) -> TransferOutcome:
        means = self._means
        search = Search(
            command.target,
            means.bridges_over or self._leg.info.trunk,
            command.wait_s,
            attended.accept is not None,
            {**context_headers(command.context), CALL_ID: means.call_id},
        )

        async def interview(leg: CallLeg) -> bool:
            return await whispered(leg, means.prompts, whisper, attended.accept)

        found: Found | None = None
        try:
            if means.replaces:
                await self._leg.hold(True)
            found = await means.switchboard.find(search, interview, self._on_place, self._note)
            if means.replaces and await self._changed_over(found):
                return TransferOutcome.DONE
            await self._resume()
            return await self._connect(found)
        except NoAgent as error:
            await self._resume()
            return TransferOutcome(error.outcome)
        except asyncio.CancelledError:
            if found is not None:
                await found.drop()
            await self._resume()
            raise

    async def _resume(self) -> None:
        """The caller is not on hold any more."""
        if self._means.replaces:
            await self._leg.hold(False)

    async def _changed_over(self, found: Found) -> bool:
        """Whether the caller's far end has called the agent's in our place; then both legs are over."""
        self._note("referred", {"to": found.to})
        if await self._leg.transfer_to(found.leg, REFER_S) is not TransferOutcome.DONE:
            return False
        found.release()
        return True

    async def _connect(self, found: Found) -> TransferOutcome:
        """The caller and the agent hear each other from here on."""
        self._waiting.end()
        self._leg.stop()  # whatever he is being told
        if not self._leg.bridge(found.leg):
            await found.drop()
            return TransferOutcome.FAILED
        self._note("connected", {"to": found.to})
        self.talk = Talk(self._leg, found, self._waiting, self._note)
        return TransferOutcome.DONE


def told_of(command: Transfer) -> dict[str, Any]:
    """A transfer as it stands in the record of the call."""
    told: dict[str, Any] = {"target": command.target}
    if command.attended is not None:
        whisper = " ".join(map(words_of, command.attended.whisper))
        told |= {"mode": "attended", "whisper": whisper}
    return told


async def whispered(leg: CallLeg, prompts: Prompts, whisper: Iterable[Utterance], accept: str | None) -> bool:
    """Tells an agent what the call is about; whether he is there at the end, and has pressed `accept` where
    that is asked for."""
    utterances = list(whisper)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(TAKING_S):
            return await _whispered(leg, prompts, utterances, accept)
    return False


async def _whispered(leg: CallLeg, prompts: Prompts, utterances: list[Utterance], accept: str | None) -> bool:
    for _ in range(1 if accept is None else WHISPERS):
        mark = ""
        with prompts.making(utterances, leg.codec, now=True) as said:
            for index, prompt in enumerate(said):
                mark = f"whisper/{index}"
                leg.play(prompt.clip, mark)
            decided = await _until(leg, mark, accept) if said else None
        if decided is not None:
            leg.stop()
            return decided
        if accept is None:
            return True
        try:
            async with asyncio.timeout(ACCEPT_S):
                return await _until(leg, None, accept) or False
        except TimeoutError:
            continue
    return False


async def _until(leg: CallLeg, mark: str | None, accept: str | None) -> bool | None:
    """True for the key, False for a hang-up, None when the clip of this mark has been played."""
    while True:
        match await leg.next_event():
            case Digit(key=key) if key == accept:
                return True
            case HungUp():
                return False
            case Played(mark=played) if played == mark:
                return None
            case _:
                pass
