"""Two phones call each other: the whole of SIP and media, on loopback."""

import asyncio
import io
import wave
from pathlib import Path

import pytest

from ivr.phone.calling import CallOver, NothingHeard
from ivr.phone.command import Options, run
from ivr.phone.phone import NoPhone, local_address, open_phone
from ivr.phone.script import parse_script
from ivr.phone.timeline import Timeline
from media.leg import Cause


def quiet() -> Timeline:
    return Timeline(io.StringIO())


async def test_a_call_with_keys_speech_and_a_recording(tmp_path: Path) -> None:
    printed = io.StringIO()
    async with (
        open_phone(timeline=Timeline(printed), record=tmp_path / "here.wav") as here,
        open_phone(timeline=quiet()) as there,
    ):
        answering = asyncio.create_task(there.answer(20))
        mine = await here.call(there.address)
        theirs = await answering
        await mine.until_answered()
        await theirs.until_answered()
        async with asyncio.TaskGroup() as group:
            group.create_task(mine.follow(parse_script('- press: "20#"\n- say: "नहीं"\n- hung_up: 20s')))
            await theirs.until_digits("20#")
            await theirs.hear()
            await theirs.quiet()
            await theirs.hang_up()
        assert len(mine.wire.keys) == 3
    assert here.recorded == tmp_path / "here.wav"
    with wave.open(str(here.recorded)) as file:
        assert file.getnchannels() == 2
        assert file.getnframes() / file.getframerate() > 1.0
    lines = printed.getvalue()
    for part in ("calls sip:", "answered, PCM", "presses 20#", "says «नहीं»", "call over: normal, by callee"):
        assert part in lines


async def test_nobody_speaks_and_the_far_end_goes() -> None:
    async with open_phone(timeline=quiet()) as here, open_phone(timeline=quiet()) as there:
        answering = asyncio.create_task(there.answer(20))
        mine = await here.call(there.address)
        theirs = await answering
        await mine.until_answered()
        with pytest.raises(NothingHeard, match="nothing was heard"):
            await mine.hear(0.2)
        await theirs.hang_up()
        with pytest.raises(CallOver):
            await mine.hear(20)


async def test_a_second_caller_finds_it_busy() -> None:
    async with (
        open_phone(timeline=quiet()) as here,
        open_phone(timeline=quiet()) as there,
        open_phone(timeline=quiet()) as late,
    ):
        answering = asyncio.create_task(there.answer(20))
        await here.call(there.address)
        await answering
        ended = await (await late.call(there.address)).until_hung_up(20)
        assert ended.cause is Cause.BUSY


def test_addresses() -> None:
    assert local_address("sip:1001@127.0.0.1:5060") == "127.0.0.1"
    with pytest.raises(NoPhone):
        local_address("not a uri")


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "call.yaml"
    script.write_text("- shout", encoding="utf-8")
    assert run(Options("sip:1001@127.0.0.1:1", script=script)) == 2
    assert "call.yaml:1: shout" in capsys.readouterr().err
