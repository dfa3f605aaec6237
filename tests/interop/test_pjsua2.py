"""PJSIP calls the server and is called by it."""

from __future__ import annotations

import io
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from ivr.local import LocalServer
from tests.interop import needs
from tests.interop.phone_process import PhoneProcess, phone_process
from tests.interop.sounds import sounding_s


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[PhoneProcess]:
    needs.module("pjsua2", "pjsua2-python")
    with phone_process("pjsua2_phone", tmp_path / "phone") as phone:
        yield phone


def test_pjsua2_calls_hears_and_presses_keys(server: LocalServer, phone: PhoneProcess) -> None:
    phone.wait_for("ready")
    phone.do("call", uri=server.uri("1001"))
    phone.wait_for("established")
    phone.wait_for_sound(0.5)
    phone.do("press", keys="1")
    phone.wait_for_sound(2.0)
    phone.do("press", keys="35#")
    phone.wait_for("closed")
    call = server.api.ended(server.api.calls()[0]["id"])
    assert call["result"] == {"decision": "accepted", "minutes": 35}
    assert call["hung_up_by"] == "us"


def test_pjsua2_holds_comes_back_and_hangs_up(server: LocalServer, phone: PhoneProcess) -> None:
    phone.wait_for("ready")
    phone.do("call", uri=server.uri("1001"))
    phone.wait_for("established")
    phone.wait_for_sound(0.3)
    phone.do("hold")
    call_id = server.api.calls()[0]["id"]
    _wait_for_event(server, call_id, "held", {"on": True})
    phone.do("resume")
    _wait_for_event(server, call_id, "held", {"on": False})
    phone.do("press", keys="2")
    phone.wait_for("closed")
    assert server.api.ended(call_id)["result"]["decision"] == "rejected"


def test_pjsua2_is_called_and_hangs_up(server: LocalServer, phone: PhoneProcess) -> None:
    uri = phone.wait_for("ready")["uri"]
    call_id = server.api.initiate(to=uri, flow="order", params={"order": "77"}, trunk="local")
    phone.wait_for("established")
    phone.wait_for_sound(0.5)
    phone.do("hang_up")
    phone.wait_for("closed")
    call = server.api.ended(call_id)
    assert call["direction"] == "outbound"
    assert call["hung_up_by"] == "callee"
    assert call["result"]["decision"] == "unreached"


def test_the_recording_has_both_sides(server: LocalServer, phone: PhoneProcess, tmp_path: Path) -> None:
    phone.wait_for("ready")
    phone.do("call", uri=server.uri("1001"))
    phone.wait_for("established")
    phone.wait_for_sound(1.0)
    phone.do("hang_up")
    phone.wait_for("closed")
    call_id = server.api.calls()[0]["id"]
    server.api.ended(call_id)
    caller, us = _channels(_recording(server, call_id))
    assert sounding_s(caller) > 0.5  # the tone
    assert sounding_s(us) > 0.5  # the prompt


def _recording(server: LocalServer, call_id: str) -> bytes:
    deadline = time.monotonic() + 10
    while True:
        try:
            return server.api.recording(call_id)
        except httpx.HTTPStatusError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def _channels(recording: bytes) -> tuple[bytes, bytes]:
    with wave.open(io.BytesIO(recording)) as file:
        assert file.getnchannels() == 2
        both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    return both[:, 0].tobytes(), both[:, 1].tobytes()


def _wait_for_event(server: LocalServer, call_id: str, kind: str, data: dict[str, object]) -> None:
    deadline = time.monotonic() + 10
    while not any(e["kind"] == kind and e["data"] == data for e in server.api.call(call_id)["events"]):
        assert time.monotonic() < deadline, f"no {kind} {data}"
        time.sleep(0.05)
