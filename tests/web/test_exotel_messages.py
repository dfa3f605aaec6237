"""Exotel's messages: what the pages say, and what they say elsewhere."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webrtc.exotel import (
    Connected,
    ExotelError,
    Fault,
    KeyPressed,
    Marked,
    Media,
    Message,
    Start,
    Stop,
    Writer,
    rate_of,
    read,
)
from webrtc.exotel_stream import MAX_FAULTS, MAX_LOST_MS, Audio, ExotelStream

PCM = bytes(range(256)) * 25  # 3,200 samples

START = {
    "event": "start",
    "sequence_number": 1,
    "stream_sid": "s1",
    "start": {
        "stream_sid": "s1",
        "call_sid": "c1",
        "account_sid": "a1",
        "from": "+919876543210",
        "to": "+918047112233",
        "custom_parameters": {"order": "17"},
        "media_format": {"encoding": "raw", "sample_rate": 8000, "bit_rate": "128kbps"},
    },
}


def told(message: object) -> Message:
    return read(json.dumps(message))


def media(pcm: bytes = PCM, **fields: Any) -> dict[str, Any]:
    payload = base64.b64encode(pcm).decode()
    return {"event": "media", "stream_sid": "s1", "media": {"payload": payload, **fields}}


def fault_of(text: str) -> Fault:
    with pytest.raises(ExotelError) as caught:
        read(text)
    return caught.value.fault


def test_the_documented_messages() -> None:
    assert told({"event": "connected"}) == Message(Connected(), None)
    assert told(START) == Message(
        Start("s1", "c1", "a1", "+919876543210", "+918047112233", {"order": "17"}, 8000), 1
    )
    assert told({**media(chunk=2, timestamp="100"), "sequence_number": 3}) == Message(Media(PCM, 2, 100), 3)
    assert told({"event": "dtmf", "dtmf": {"digit": "5", "duration": 120}}).part == KeyPressed("5")
    assert told({"event": "mark", "mark": {"name": "c7"}}).part == Marked("c7")
    assert told({"event": "stop", "stop": {"call_sid": "c1", "reason": "callended"}}).part == Stop(
        "callended"
    )


def test_numbers_as_text_and_names_in_camel_case() -> None:
    start = told(
        {
            "event": "start",
            "sequenceNumber": "1",
            "streamSid": "s1",
            "start": {
                "callSid": "c1",
                "accountSid": "a1",
                "from": 919876543210,
                "to": "08047112233",
                "customParameters": {"order": 17, "none": None, "list": []},
                "mediaFormat": {"encoding": "audio/x-raw", "sampleRate": "16000"},
            },
        }
    )
    assert start == Message(Start("s1", "c1", "a1", "919876543210", "08047112233", {"order": "17"}, 16000), 1)


@pytest.mark.parametrize(
    "encoding", ["raw", "audio/x-raw", "raw/slin", "base64", "audio/L16;rate=8000", "", None]
)
def test_every_name_of_raw_audio(encoding: str | None) -> None:
    start = told({"event": "start", "stream_sid": "s", "start": {"media_format": {"encoding": encoding}}})
    assert isinstance(start.part, Start)
    assert start.part.rate is None


@pytest.mark.parametrize(
    ("digit", "key"),
    [("5", "5"), (5, "5"), ('"5"', "5"), ("*", "*"), ("10", "*"), ("pound", "#"), ("a", "A")],
)
def test_keys(digit: object, key: str) -> None:
    assert told({"event": "dtmf", "dtmf": {"digit": digit}}).part == KeyPressed(key)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", Fault.NO_JSON),
        ("[]", Fault.NO_JSON),
        ("[" * 100_000, Fault.NO_JSON),
        ('"' + "x" * 300_000 + '"', Fault.TOO_LONG),
        ("{}", Fault.UNKNOWN),
        ('{"event": "transcript"}', Fault.UNKNOWN),
        ('{"event": "media", "media": {"payload": "%%%%"}}', Fault.BAD_BASE64),
        ('{"event": "media", "media": {"payload": "AAA"}}', Fault.BAD_BASE64),
        ('{"event": "media", "media": {"payload": "हिन्दी"}}', Fault.BAD_BASE64),
        ('{"event": "media", "media": {"payload": 5}}', Fault.BAD_BASE64),
        ('{"event": "media"}', Fault.BAD_BASE64),
        ('{"event": "dtmf", "dtmf": {"digit": "flash"}}', Fault.BAD_KEY),
        ('{"event": "mark"}', Fault.BAD_MARK),
        ('{"event": "start", "start": {}}', Fault.BAD_START),
    ],
)
def test_what_is_none_of_exotels(text: str, fault: Fault) -> None:
    assert fault_of(text) is fault


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"encoding": "audio/x-mulaw"}, '"audio/x-mulaw" is not spoken here, only 16-bit PCM'),
        ({"sample_rate": 44100}, 'the sample rate is 8000, 16000 or 24000 Hz, not "44100"'),
        ({"sample_rate": "fast"}, 'not "fast"'),
        ({"bit_depth": 8}, "samples have 16 bits"),
    ],
)
def test_a_start_that_cannot_be_says_why(form: dict[str, object], says: str) -> None:
    with pytest.raises(ExotelError, match=says.replace("(", r"\(")):
        told({"event": "start", "stream_sid": "s", "start": {"media_format": form}})


def test_parameters_have_a_bound() -> None:
    for parameters in ({"p": "x" * 257}, {str(n): "x" for n in range(17)}):
        with pytest.raises(ExotelError, match="at most"):
            told({"event": "start", "stream_sid": "s", "start": {"custom_parameters": parameters}})


def test_the_rate_that_an_address_asks_for() -> None:
    assert [rate_of(text) for text in (None, "8000", "16000", " 24000 ")] == [None, 8000, 16000, 24000]
    with pytest.raises(ExotelError):
        rate_of("44100")


def test_what_we_write_is_what_the_pages_show() -> None:
    writer = Writer('s"1')
    assert json.loads(writer.media(PCM)) == {
        "event": "media",
        "stream_sid": 's"1',
        "media": {"payload": base64.b64encode(PCM).decode()},
    }
    assert json.loads(writer.mark("c7")) == {"event": "mark", "stream_sid": 's"1', "mark": {"name": "c7"}}
    assert json.loads(writer.clear) == {"event": "clear", "stream_sid": 's"1'}


# A stream of them


def stream(**start: Any) -> ExotelStream:
    messages = ExotelStream(0.0)
    assert isinstance(messages.receive(json.dumps({**START, **start}), 0.0), Start)
    return messages


def takes(messages: ExotelStream, *told: dict[str, Any]) -> list[Any]:
    """Each comes 200 ms after the one before."""
    return [messages.receive(json.dumps(message), 0.2 * at) for at, message in enumerate(told)]


def test_audio_without_any_numbers() -> None:
    messages = stream()
    assert takes(messages, media(), media()) == [Audio(PCM), Audio(PCM)]
    assert not messages.counts


def test_a_gap_in_the_chunks_is_made_up_by_the_timestamps() -> None:
    messages = stream()
    heard = takes(messages, media(chunk=1, timestamp="0"), media(chunk=4, timestamp="700"))
    assert heard == [Audio(PCM), Audio(PCM, lost_ms=300)]
    assert messages.counts == {"lost_ms": 300}


def test_a_gap_without_timestamps_is_as_long_as_the_chunks_are() -> None:
    messages = stream()
    assert takes(messages, media(chunk=1), media(chunk=3)) == [Audio(PCM), Audio(PCM, lost_ms=400)]


def test_a_hole_among_all_messages_is_none_in_the_audio_when_the_chunks_go_on() -> None:
    messages = stream()
    first, second = media(chunk=1), media(chunk=2)
    assert takes(messages, {**first, "sequence_number": 2}, {**second, "sequence_number": 9})[1] == Audio(PCM)
    assert messages.counts == {"gaps": 1}


def test_a_hole_among_all_messages_is_one_in_the_audio_where_chunks_have_no_count() -> None:
    messages = stream()
    heard = takes(messages, {**media(), "sequence_number": "2"}, {**media(), "sequence_number": "4"})
    assert heard[1] == Audio(PCM, lost_ms=400)


def test_a_long_gap_is_made_up_in_part() -> None:
    messages = stream()
    assert takes(messages, media(chunk=1), media(chunk=9))[1] == Audio(PCM, lost_ms=MAX_LOST_MS)


def test_a_chunk_comes_once() -> None:
    messages = stream()
    assert takes(messages, media(chunk=2), media(chunk=2), media(chunk=1), media(chunk=3)) == [
        Audio(PCM),
        None,
        None,
        Audio(PCM),
    ]
    assert messages.counts == {"repeated_chunk": 2}


def test_half_a_sample_is_left_out() -> None:
    messages = stream()
    assert takes(messages, media(PCM + b"\x00")) == [Audio(PCM)]
    assert messages.counts == {"odd_bytes": 1}


def test_more_than_real_time_is_not_heard() -> None:
    messages = stream()
    heard = [messages.receive(json.dumps(media()), 0.0) for _ in range(6)]
    assert heard == [Audio(PCM)] * 5 + [None]  # two seconds and a bit: 5 of 400 ms
    assert messages.counts == {"too_fast": 1}
    assert messages.receive(json.dumps(media()), 0.4) == Audio(PCM)


def test_the_order_of_things() -> None:
    messages = ExotelStream(0.0, asked_rate=16000)
    assert messages.receive(json.dumps(media()), 0.0) is None
    assert messages.receive('{"event": "connected"}', 0.0) is None
    start = {**START, "start": {**START["start"], "media_format": {}}}  # type: ignore[dict-item]
    assert isinstance(messages.receive(json.dumps(start), 0.0), Start)
    assert messages.rate == 16000  # by its address
    assert messages.receive(json.dumps(START), 0.0) is None
    assert messages.receive('{"event": "stop", "stop": {"reason": "stopped"}}', 0.0) == Stop("stopped")
    assert messages.receive(json.dumps(media()), 0.0) is None
    assert messages.counts == {"before_start": 1, "started_twice": 1, "after_stop": 1}


def test_a_start_that_cannot_be_ends_the_stream() -> None:
    with pytest.raises(ExotelError):
        ExotelStream(0.0).receive('{"event": "start"}', 0.0)


def test_who_is_always_wrong_is_none_of_exotels() -> None:
    messages = stream()
    for _ in range(MAX_FAULTS):
        assert messages.receive("rubbish", 0.0) is None
    with pytest.raises(ExotelError):
        messages.receive("rubbish", 0.0)
    assert messages.counts["no_json"] == MAX_FAULTS + 1


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=12), part, max_size=4),
    max_leaves=12,
)
event_like = st.fixed_dictionaries(
    {"event": st.sampled_from(["connected", "start", "media", "dtmf", "mark", "stop", "MEDIA", ""])},
    optional=dict.fromkeys(
        ("start", "media", "dtmf", "mark", "stop", "stream_sid", "sequence_number", "streamSid"), json_like
    ),
)


@settings(max_examples=30)
@given(st.lists(st.text() | event_like.map(json.dumps) | json_like.map(json.dumps), max_size=8))
def test_nothing_breaks_the_reader(texts: list[str]) -> None:
    messages = ExotelStream(0.0)
    try:
        for at, text in enumerate(texts):
            messages.receive(text, float(at))
    except ExotelError as error:
        assert str(error)  # noqa: PT017


@given(st.binary(max_size=2000), st.integers(0, 2**40), st.integers(0, 2**40))
def test_what_is_said_is_what_is_heard(pcm: bytes, chunk: int, timestamp: int) -> None:
    part = told(media(pcm, chunk=str(chunk), timestamp=str(timestamp))).part
    assert part == Media(pcm[: len(pcm) // 2 * 2], chunk, timestamp, odd=len(pcm) % 2 == 1)
