"""Calls that ask who answered, to a phone that speaks like a person, or like a machine."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path
from typing import Any

import pytest

from ivr.phone.calling import PhoneCall
from media.tones import Partial, silence, tone
from tests.fakes.speech import spoken
from tests.server.conftest import PARAMS, Bench, OpenBench

MAILBOX = "You have reached the mail box of Sharma restaurant. Please leave a message after the tone."


def wav(path: Path, pcm: bytes) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(pcm)
    return path


async def called(b: Bench, **machine: Any) -> tuple[str, PhoneCall]:
    """Where the record is, and the phone's side of the call, just answered."""
    order = {"to": b.phone.address, "trunk": "local", "flow": "vendor-order", "params": PARAMS}
    accepted = await b.api.post(
        "/api/voice/call/initiate", json={**order, "answering_machine": {"action": "hang_up"} | machine}
    )
    assert accepted.status_code == 202, accepted.text
    call = await b.phone.answer(within_s=10)
    await call.until_answered()
    return accepted.json()["href"], call


async def test_a_person_hears_the_flow_after_the_first_word(bench: OpenBench, tmp_path: Path) -> None:
    hello = wav(tmp_path / "hello.wav", silence(300, 8000) + spoken("Hello?", "en"))
    async with bench() as b:
        href, call = await called(b)
        await call.play_file(hello)
        await call.hear()
        await call.press("2")
        await call.hear()
        await call.hang_up()
        record = await b.ended(href)
        assert record["answered_by"]["who"] == "human"
        assert record["answered_by"]["reason"] == "short_greeting"
        assert record["result"]["decision"] == "rejected"
        kinds = b.kinds(record)
        assert kinds.index("answered") < kinds.index("answered_by") < kinds.index("prompt")
        metrics = (await b.api.get("/metrics")).text
        assert 'ivr_answered_by_total{reason="short_greeting",who="human"} 1.0' in metrics


async def test_a_machine_is_hung_up_on_and_the_flow_never_begins(bench: OpenBench, tmp_path: Path) -> None:
    greeting = wav(tmp_path / "mailbox.wav", spoken(MAILBOX, "en"))
    async with bench() as b:
        href, call = await called(b)
        playing = asyncio.create_task(call.play_file(greeting))
        record = await b.ended(href)
        await asyncio.gather(playing, return_exceptions=True)
        assert (record["cause"], record["hung_up_by"]) == ("answering_machine", "us")
        assert record["answered_by"]["who"] == "machine"
        assert record["answered_by"]["reason"] in ("long_greeting", "many_words")
        assert record["result"]["decision"] == "unreached"
        assert not {"step", "prompt"} & set(b.kinds(record))


async def test_a_message_begins_after_the_beep(bench: OpenBench, tmp_path: Path) -> None:
    beep = silence(600, 8000) + tone((Partial(1000, -15),), 300, 8000)
    greeting = wav(tmp_path / "mailbox.wav", spoken(MAILBOX, "en", speed=1.3) + beep)
    async with bench() as b:
        href, call = await called(b, action="wait_for_beep", greeting_end_ms=5000)
        assert call._meter.heard_s == 0
        await call.play_file(greeting)
        assert call._meter.heard_s == 0, "it spoke before the beep was over"
        await call.hear()
        await call.hang_up()
        record = await b.ended(href)
        assert record["answered_by"]["who"] == "machine"
        events = {event["kind"]: event["data"] for event in record["events"]}
        assert events["greeting_over"] == {"by": "beep"}
        kinds = b.kinds(record)
        assert kinds.index("answered_by") < kinds.index("greeting_over") < kinds.index("prompt")


async def test_a_key_means_a_person_and_is_not_lost(bench: OpenBench) -> None:
    async with bench() as b:
        href, call = await called(b, action="wait_for_beep", initial_silence_ms=10_000, total_ms=10_000)
        await call.press("2")
        await call.hear()
        await call.hang_up()
        record = await b.ended(href)
        assert record["answered_by"]["who"] == "human"
        assert record["answered_by"]["reason"] == "key"
        assert record["result"]["decision"] == "rejected"


async def test_continue_begins_the_flow_for_a_machine_too(bench: OpenBench) -> None:
    async with bench() as b:
        href, call = await called(b, action="continue", initial_silence_ms=500)
        await call.hear()
        await call.hang_up()
        record = await b.ended(href)
        assert record["answered_by"] == {
            "who": "machine", "reason": "initial_silence", "after_ms": record["answered_by"]["after_ms"],
        }  # fmt: skip
        assert record["answered_by"]["after_ms"] >= 500


async def test_who_hangs_up_while_it_is_found_out_ends_the_flow_as_ever(bench: OpenBench) -> None:
    async with bench() as b:
        href, call = await called(b)
        await call.hang_up()
        record = await b.ended(href)
        assert (record["cause"], record["hung_up_by"]) == ("normal", "callee")
        assert record["answered_by"] is None
        assert record["result"]["decision"] == "unreached"


@pytest.mark.parametrize(
    "wrong",
    [{"action": "shout"}, {"action": "hang_up", "total_ms": 10}, {"action": "hang_up", "beep": True}, {}],
)
async def test_settings_that_make_no_sense_are_refused_by_name(bench: OpenBench, wrong: Any) -> None:
    async with bench() as b:
        order = {"to": b.phone.address, "trunk": "local", "flow": "vendor-order", "params": PARAMS}
        answer = await b.api.post("/api/voice/call/initiate", json={**order, "answering_machine": wrong})
        assert answer.status_code == 422
        assert "answering_machine" in answer.text


VOICEMAIL_FLOW = """
flow: callback
languages: [en]
params: {shop: text}
result:
  answered_by: {one_of: [human, machine, unknown], default: unknown}
  reported: {type: yes_no, default: false}
limits: {call: 3m, visits: 3}
events: {hangup: note}
start: who
steps:
  who:
    voicemail:
      machine: MACHINE
      into: answered_by
      timings: {greeting_end: 5s}
    next: offer
  offer:
    menu:
      prompt: {en: "Press 1 for the offer."}
      choices: {good: {key: "1", next: thanks}}
      otherwise: bye
  thanks: {say: {en: "Thank you, it is on its way to you."}, next: bye}
  note: {set: {reported: true}, next: bye}
  bye: {end: normal}
"""


def with_voicemail(folder: Path, machine: str) -> dict[str, Any]:
    """Settings of a server with this one flow."""
    text = VOICEMAIL_FLOW.replace("MACHINE", machine)
    if machine == "leave_message":
        text = text.replace("      into:", '      message: {en: "Please call us back."}\n      into:')
    flows = folder / "flows"
    flows.mkdir()
    (flows / "callback.yaml").write_text(text, encoding="utf-8")
    number = {"flow": "callback", "params": {"shop": "Sharma"}}
    return {"flows": str(flows), "numbers": {"1001": number}}


async def called_back(b: Bench, **extra: Any) -> tuple[str, PhoneCall]:
    order = {"to": b.phone.address, "trunk": "local", "flow": "callback", "params": {"shop": "Sharma"}}
    accepted = await b.api.post("/api/voice/call/initiate", json=order | extra)
    assert accepted.status_code == 202, accepted.text
    call = await b.phone.answer(within_s=10)
    await call.until_answered()
    return accepted.json()["href"], call


def mailbox(folder: Path) -> Path:
    beep = silence(600, 8000) + tone((Partial(1000, -15),), 300, 8000)
    return wav(folder / "mailbox.wav", spoken(MAILBOX, "en", speed=1.3) + beep)


async def test_a_flow_leaves_its_message_after_the_beep_and_reports(bench: OpenBench, tmp_path: Path) -> None:
    async with bench(**with_voicemail(tmp_path, "leave_message")) as b:
        href, call = await called_back(b)
        await call.play_file(mailbox(tmp_path))
        assert call.heard_s == 0, "it spoke before the beep was over"
        await call.hear()
        ended = await call.until_hung_up(20)
        record = await b.ended(href)
        assert record["result"] == {"answered_by": "machine", "reported": True}
        assert (record["cause"], record["hung_up_by"], ended.by) == ("normal", "us", "caller")
        assert record["answered_by"]["who"] == "machine"
        events = [(event["kind"], event["data"]) for event in record["events"]]
        assert ("greeting_over", {"by": "beep"}) in events
        (said,) = [data["text"] for kind, data in events if kind == "prompt"]
        assert said == "Please call us back."
        outcomes = [data["outcome"] for kind, data in events if kind == "outcome"]
        assert outcomes[0] == "hangup"
        metrics = (await b.api.get("/metrics")).text
        assert 'who="machine"} 1.0' in metrics


async def test_a_flow_hangs_up_on_a_machine(bench: OpenBench, tmp_path: Path) -> None:
    async with bench(**with_voicemail(tmp_path, "hang_up")) as b:
        href, call = await called_back(b)
        playing = asyncio.create_task(call.play_file(mailbox(tmp_path)))
        record = await b.ended(href)
        await asyncio.gather(playing, return_exceptions=True)
        assert (record["cause"], record["hung_up_by"]) == ("answering_machine", "us")
        assert record["result"] == {"answered_by": "machine", "reported": True}
        assert "prompt" not in b.kinds(record)


async def test_a_person_hears_the_flow_and_a_key_is_not_lost(bench: OpenBench, tmp_path: Path) -> None:
    async with bench(**with_voicemail(tmp_path, "leave_message")) as b:
        href, call = await called_back(b)
        await call.press("1")
        record = await b.ended(href)
        assert record["answered_by"]["reason"] == "key"
        assert record["result"]["answered_by"] == "human"
        outcomes = [event["data"] for event in record["events"] if event["kind"] == "outcome"]
        assert [(one["outcome"], one["via"]) for one in outcomes] == [
            ("next", "human"),
            ("good", "1"),
            ("next", ""),
        ]


async def test_what_was_found_out_before_the_flow_is_not_asked_again(
    bench: OpenBench, tmp_path: Path
) -> None:
    async with bench(**with_voicemail(tmp_path, "leave_message")) as b:
        screening = {"action": "wait_for_beep", "greeting_end_ms": 5000}
        href, call = await called_back(b, answering_machine=screening)
        await call.play_file(mailbox(tmp_path))
        await call.hear()
        record = await b.ended(href)
        kinds = b.kinds(record)
        assert (kinds.count("answered_by"), kinds.count("greeting_over")) == (1, 1)
        assert kinds.index("greeting_over") < kinds.index("step") < kinds.index("prompt")
        assert record["result"] == {"answered_by": "machine", "reported": True}


async def test_who_calls_us_is_a_human_at_once(bench: OpenBench, tmp_path: Path) -> None:
    async with bench(**with_voicemail(tmp_path, "hang_up")) as b:
        call = await b.phone.call(b.uri)
        await call.until_answered()
        await call.hear()
        await call.press("1")
        record = await b.ended()
        assert record["answered_by"] is None
        assert record["result"]["answered_by"] == "human"
