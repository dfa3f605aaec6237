"""`/ws/voice`, the pure half: what a client sends, and what is made of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webrtc.backlog import Backlog
from webrtc.voice_socket import MAX_FAULTS, Answer, Audio, Fault, HangUp, Key, Start, VoiceSocket


def say(socket: VoiceSocket, now: float = 0.0, **message: Any) -> object:
    return socket.receive(json.dumps(message), now)


def begun(**start: Any) -> VoiceSocket:
    socket = VoiceSocket(0.0)
    assert isinstance(say(socket, type="start", **start), Start)
    return socket


def code(said: object) -> str:
    assert isinstance(said, Fault)
    told = json.loads(said.text)
    assert told["type"] == "error"
    assert told["detail"]
    return said.code


def test_a_whole_call() -> None:
    socket = VoiceSocket(0.0)
    assert say(socket, type="ping", t=7) == Answer('{"type": "pong", "t": 7}')
    assert say(socket, type="start", rate=24000, token="abc") == Start(24000, "pcm", "abc")
    assert socket.receive(b"\x01\x02\x03", 0.0) == Audio(b"\x01\x02\x03")
    assert say(socket, type="key", key="#") == Key("#")
    assert say(socket, type="mute", on=True) is None
    assert socket.receive(b"\x01\x02", 0.0) is None
    assert say(socket, type="mute", on=False) is None
    assert socket.receive(b"\x01\x02", 0.0) == Audio(b"\x01\x02")
    assert say(socket, type="hangup") == HangUp()
    assert not socket.counts


def test_the_defaults_of_a_start() -> None:
    assert begun().start == Start(16000, "pcm", None)
    assert begun(encoding="opus", rate="any").start == Start(48000, "opus", None)


@pytest.mark.parametrize(
    "start",
    [
        {"rate": 44100},
        {"rate": "16000"},
        {"rate": None},
        {"encoding": "mp3"},
        {"token": 5},
        {"token": "x" * 999},
    ],
)
def test_a_start_that_cannot_be(start: dict[str, Any]) -> None:
    socket = VoiceSocket(0.0)
    assert code(say(socket, type="start", **start)) == "bad_start"
    assert isinstance(say(socket, type="start"), Start)


def test_the_order_of_things() -> None:
    socket = VoiceSocket(0.0)
    assert code(socket.receive(b"\x00\x00", 0.0)) == "wrong_order"
    assert code(say(socket, type="key", key="1")) == "wrong_order"
    assert isinstance(say(socket, type="start"), Start)
    assert code(say(socket, type="start")) == "wrong_order"
    assert socket.counts == {"wrong_order": 3}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "no_json"),
        ("[1]", "no_json"),
        ("{}", "unknown_type"),
        ('{"type": "sing"}', "unknown_type"),
        ('{"type": ["key"]}', "unknown_type"),
        ('{"type": "key"}', "bad_key"),
        ('{"type": "key", "key": "12"}', "bad_key"),
        ('"' + "x" * 3000 + '"', "too_long"),
    ],
)
def test_texts_that_are_no_messages(text: str, fault: str) -> None:
    assert code(begun().receive(text, 0.0)) == fault


def test_audio_has_a_length_and_a_pace() -> None:
    socket = begun(rate=8000)
    assert isinstance(socket.receive(bytes(16000), 0.0), Audio)
    assert code(socket.receive(bytes(16001), 0.0)) == "too_long"
    assert isinstance(socket.receive(bytes(16000), 0.0), Audio)
    assert code(socket.receive(bytes(16000), 0.5)) == "too_fast"
    assert isinstance(socket.receive(bytes(16000), 1.0), Audio)


def test_opus_is_a_frame_at_a_time() -> None:
    socket = begun(encoding="opus")
    assert all(isinstance(socket.receive(b"opus", 0.0), Audio) for _ in range(99))
    socket.receive(b"opus", 0.0)
    assert code(socket.receive(b"opus", 0.0)) == "too_fast"
    assert code(socket.receive(bytes(1276), 9.0)) == "too_long"


def test_messages_have_a_pace() -> None:
    socket = begun()
    said = [say(socket, type="key", key="1") for _ in range(60)]
    assert said[:38] == [Key("1")] * 38
    assert code(said[-1]) == "too_many"


def test_who_is_always_wrong_is_closed() -> None:
    socket = begun()
    said = [socket.receive("rubbish", float(at)) for at in range(MAX_FAULTS + 1)]
    assert [fault.final for fault in said if isinstance(fault, Fault)] == [False] * MAX_FAULTS + [True]


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=8), part, max_size=3),
    max_leaves=6,
)
message_like = st.fixed_dictionaries(
    {"type": st.sampled_from(["start", "key", "mute", "ping", "hangup", "x"])},
    optional=dict.fromkeys(("rate", "encoding", "token", "key", "on", "t"), json_like),
)


@settings(max_examples=30)
@given(st.lists(st.text() | st.binary(max_size=50) | message_like.map(json.dumps), max_size=10))
def test_nothing_breaks_it(messages: list[str | bytes]) -> None:
    socket = VoiceSocket(0.0)
    for at, message in enumerate(messages):
        said = socket.receive(message, at / 10)
        if isinstance(said, Fault | Answer):
            json.loads(said.text)


def test_a_slow_reader_loses_the_oldest_audio_and_no_message() -> None:
    backlog = Backlog(most_audio=3, most_messages=2)
    for at in range(3):
        backlog.audio(bytes([at]))
    assert backlog.message("one")
    for at in range(3, 6):
        backlog.audio(bytes([at]))
    assert backlog.message("two")
    assert not backlog.message("three")
    assert backlog.dropped == 3
    taken = [backlog.take() for _ in range(len(backlog))]
    assert taken == ["one", b"\x03", b"\x04", b"\x05", "two"]
    assert backlog.take() is None
    assert backlog.message("three")
