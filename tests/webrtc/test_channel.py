from __future__ import annotations

import json

import pytest

from webrtc.channel import MAX_MESSAGE, ChannelGuard, key_in


class Misuse:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.mark.parametrize("key", list("0123456789*#ABCD"))
def test_a_key_is_one_of_sixteen(key: str) -> None:
    assert key_in(json.dumps({"type": "key", "key": key})) == key


@pytest.mark.parametrize(
    "text", ['{"type":"key","key":"12"}', '{"type":"key","key":5}', '{"type":"key"}', "[]", "x"]
)
def test_what_is_no_key_is_none(text: str) -> None:
    assert key_in(text) is None


def test_a_ping_is_answered_with_its_own_time() -> None:
    guard = ChannelGuard(Misuse())
    assert guard.reply('{"type":"ping","t":12.5}') == '{"type": "pong", "t": 12.5}'
    assert guard.reply('{"type":"ping","t":{"a":1}}') == '{"type": "pong", "t": null}'
    assert guard.reply('{"type":"ping","t":1e999}') == '{"type": "pong", "t": null}'  # JSON has no infinity
    huge = "9" * 400
    assert guard.reply(f'{{"type":"ping","t":{huge}}}') == f'{{"type": "pong", "t": {huge}}}'
    assert guard.reply('{"type":"key","key":"1"}') is None


@pytest.mark.parametrize(
    "text", ["", "hello", "[1]", '{"a":' * 500, '{"type":"ping","t":"' + "x" * MAX_MESSAGE + '"}']
)
def test_what_is_no_message_is_counted(text: str) -> None:
    misuse = Misuse()
    assert not ChannelGuard(misuse).admits(text, 1.0)
    assert misuse.count == 1


def test_a_flood_is_cut_to_a_pace_and_ends_with_it() -> None:
    misuse = Misuse()
    guard = ChannelGuard(misuse)
    admitted = sum(guard.admits('{"type":"ping"}', 100.0) for _ in range(1000))
    assert admitted == 40
    assert misuse.count == 960
    assert sum(guard.admits('{"type":"ping"}', 101.0) for _ in range(1000)) == 20
