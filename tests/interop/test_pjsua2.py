"""PJSIP calls the server and is called by it."""

from __future__ import annotations

import io
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from ivr.local import LocalServer
from tests.interop import needs
from tests.interop.conftest import Secure
from tests.interop.linphone import Linphone
from tests.interop.our_phone import press_keys
from tests.interop.phone_process import PhoneProcess, phone_process
from tests.interop.sounds import sounding_s
from tests.interop.watching import Calls


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[PhoneProcess]:
    needs.module("pjsua2", "pjsua2-python")
    with phone_process("pjsua2_phone", tmp_path / "phone", "PCM") as phone:
        yield phone


@pytest.mark.shows("pjsua2", "calls us, hears the prompt", "keys to us", "we hang up")
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


@pytest.mark.shows("pjsua2", "hold")
def test_pjsua2_holds_comes_back_and_hangs_up(server: LocalServer, phone: PhoneProcess) -> None:
    phone.wait_for("ready")
    phone.do("call", uri=server.uri("1001"))
    phone.wait_for("established")
    phone.wait_for_sound(0.3)
    phone.do("hold")
    call_id = server.api.calls()[0]["id"]
    Calls(server).event(call_id, "held", on=True)
    phone.do("resume")
    Calls(server).event(call_id, "held", on=False)
    phone.do("press", keys="2")
    phone.wait_for("closed")
    assert server.api.ended(call_id)["result"]["decision"] == "rejected"


@pytest.mark.shows("pjsua2", "is called, hears the prompt", "hangs up")
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


@pytest.mark.shows("pjsua2", "G.722")
def test_pjsua2_calls_in_wideband(server: LocalServer, tmp_path: Path) -> None:
    calls = Calls(server)
    with phone_process("pjsua2_phone", tmp_path / "phone", "G722") as phone:
        phone.wait_for("ready")
        phone.do("call", uri=server.uri("1001"))
        phone.wait_for("established")
        calls.event(calls.next(), "answered", codec="G722")
        phone.wait_for_sound(0.5)
        phone.do("press", keys="2")
        phone.wait_for("closed")
    assert server.api.ended(calls.next())["result"]["decision"] == "rejected"


@pytest.mark.shows("pjsua2", "transferred by us (REFER)")
def test_we_transfer_pjsua2(server: LocalServer, phone: PhoneProcess) -> None:
    calls = Calls(server)
    phone.wait_for("ready")
    phone.do("call", uri=server.uri("3000"))
    first, second = calls.next(), calls.next(2)
    assert server.api.ended(first)["result"] == {"transferred": "yes"}
    calls.event(second, "prompt")
    server.api.hang_up(second)
    server.api.ended(second)


@pytest.mark.shows("pjsua2", "transfers us (REFER)")
def test_pjsua2_transfers_us(
    server: LocalServer,
    stack: str,
    phone: PhoneProcess,
    bystander: Linphone,
    cannot: Callable[[str], None],
) -> None:
    calls = Calls(server)
    phone.wait_for("ready")
    phone.do("call", uri=server.uri("1001"))
    phone.wait_for("established")
    call_id = calls.next()
    phone.do("transfer", uri=bystander.uri)
    if stack == "pjsip":
        assert phone.wait_for("transfer")["status"] == 603
        phone.do("hang_up")
        cannot("603, no REFER is taken")
    else:
        bystander.wait_for("Media streams established")
        phone.wait_for("closed")
        bystander.say("terminate")
    assert server.api.ended(call_id)["hung_up_by"] == "caller"


@pytest.mark.shows("pjsua2", "TLS and SRTP (SDES), calls us", "TLS and SRTP (SDES), is called")
def test_pjsua2_encrypted(secure: Secure, tmp_path: Path, cannot: Callable[[str], None]) -> None:
    needs.module("pjsua2", "pjsua2-python")
    if secure.server is None:
        cannot("TLS and SRTP are refused at the start")
        return
    one, calls = secure.identity, Calls(secure.server)
    files = one.ca, one.certificate, one.key
    with phone_process("pjsua2_phone", tmp_path / "phone", "PCM", *files) as phone:
        phone.wait_for("ready")
        phone.do("call", uri=secure.uri("1001"))
        phone.wait_for("established")
        phone.wait_for_sound(0.5)
        phone.do("press", keys="2")
        phone.wait_for("closed")
        assert secure.server.api.ended(calls.next())["result"]["decision"] == "rejected"
    with phone_process("pjsua2_phone", tmp_path / "called", "PCM", *files) as phone:
        uri = phone.wait_for("ready")["uri"]
        call_id = secure.server.api.initiate(to=uri, flow="order", params={"order": "77"}, trunk="local")
        phone.wait_for("established")
        phone.wait_for_sound(0.5)
        phone.do("hang_up")
        assert secure.server.api.ended(call_id)["hung_up_by"] == "callee"


@pytest.mark.shows("pjsua2", "keys from us")
def test_keys_to_pjsua2(phone: PhoneProcess, tmp_path: Path) -> None:
    press_keys(phone.wait_for("ready")["uri"], "15#", tmp_path)
    for key in "15#":
        assert phone.wait_for("digit")["key"] == key


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
