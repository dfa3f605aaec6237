"""`ivr phone`: a call from the terminal."""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engines.contract import EngineError
from ivr.phone.calling import CallOver, NothingHeard, PhoneCall
from ivr.phone.keyboard import typed_keys
from ivr.phone.phone import NoPhone, Phone, local_address, open_phone
from ivr.phone.script import Hear, HungUp, PlayFile, Quiet, Say, ScriptError, Step, load_script
from ivr.phone.timeline import Timeline
from media.dtmf import KEYS
from media.leg import Cause

LONGEST_S: Final = 3600.0

_HANG_UP_KEYS: Final = frozenset("qQhH\x04")


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line. `uri` None waits for a call instead of placing one."""

    uri: str | None
    language: str = "hi"
    say: str | None = None
    wav: Path | None = None
    script: Path | None = None
    record: Path | None = None
    listen: str | None = None


def run(options: Options) -> int:
    """The exit status: 0 when the call was answered and the script, if any, went through."""
    try:
        steps = _steps(options)
        return asyncio.run(_run(options, steps))
    except (ScriptError, NoPhone) as error:
        print(f"ivr phone: {error}", file=sys.stderr)
        return 2


def _steps(options: Options) -> tuple[Step, ...]:
    if options.script is not None:
        return load_script(options.script)
    answer: tuple[Step, ...] = ()
    if options.say is not None:
        answer += (Say(options.say),)
    if options.wav is not None:
        answer += (PlayFile(options.wav),)
    return (Hear(), Quiet(), *answer) if answer else ()


async def _run(options: Options, steps: tuple[Step, ...]) -> int:
    listen = options.listen or f"udp:{local_address(options.uri)}:0"
    timeline = Timeline()
    async with open_phone(
        listen=listen, language=options.language, record=options.record, timeline=timeline
    ) as phone:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        work = asyncio.create_task(_call(phone, options.uri, steps))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not work.done():
            work.cancel()
        try:
            return await work
        except asyncio.CancelledError:
            return 130
        finally:
            if phone.recorded:
                print(f"recorded (left: heard, right: said): {phone.recorded}")


async def _call(phone: Phone, uri: str | None, steps: tuple[Step, ...]) -> int:
    try:
        if uri is None:
            print(f"waiting for a call at {phone.address}", flush=True)
            call = await phone.answer(LONGEST_S)
        else:
            call = await phone.call(uri)
    except NothingHeard as error:
        print(f"ivr phone: {error}", file=sys.stderr)
        return 1
    try:
        return await _converse(call, steps)
    finally:
        await call.close()


async def _converse(call: PhoneCall, steps: tuple[Step, ...]) -> int:
    tasks: set[asyncio.Task[None]] = set()

    def take(key: str) -> None:
        if key.upper() in KEYS:
            tasks.add(asyncio.create_task(call.press(key)))
        elif key in _HANG_UP_KEYS:
            tasks.add(asyncio.create_task(call.leg.hang_up(Cause.NORMAL)))

    with typed_keys(take) as typing:
        try:
            await call.until_answered()
            if typing:
                print("keys 0-9 * # are sent; q hangs up", flush=True)
            await call.follow(steps)
            if HungUp() not in steps and call.ended is None:
                await call.until_hung_up(LONGEST_S)
            status = 0
        except CallOver as error:
            print(f"ivr phone: {error}", file=sys.stderr)
            status = 1 if steps or not call.answered else 0
        except (NothingHeard, EngineError, OSError, ValueError) as error:
            print(f"ivr phone: {error}", file=sys.stderr)
            status = 1
    await asyncio.gather(*tasks, return_exceptions=True)
    return status
