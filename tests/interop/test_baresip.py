"""baresip (libre) calls the server and is called by it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ivr.local import LocalServer
from tests.interop.baresip import baresip
from tests.interop.conftest import Secure
from tests.interop.linphone import Linphone
from tests.interop.our_phone import press_keys
from tests.interop.watching import Calls

ORDER = {"flow": "order", "params": {"order": "77"}, "trunk": "local"}


@pytest.mark.shows("baresip", "calls us, hears the prompt", "keys to us", "we hang up")
def test_baresip_calls_hears_and_presses_keys(server: LocalServer, tmp_path: Path) -> None:
    before = {call["id"] for call in server.api.calls()}
    with baresip(tmp_path / "phone", answers=False) as phone:
        phone.command("dial", server.uri("1001"))
        phone.wait_for("CALL_ESTABLISHED")
        phone.wait_for_sound(0.5)
        phone.press("1")
        phone.press("20#")
        phone.wait_for("CALL_CLOSED")  # the flow says goodbye and hangs up
        assert phone.heard_s() > 1.5
    (call_id,) = {call["id"] for call in server.api.calls()} - before
    call = server.api.ended(call_id)
    assert call["result"] == {"decision": "accepted", "minutes": 20}
    assert call["direction"] == "inbound"
    assert call["hung_up_by"] == "us"
    assert [event["data"]["key"] for event in call["events"] if event["kind"] == "key"] == list("120#")


@pytest.mark.shows("baresip", "hold", "hangs up")
def test_baresip_holds_comes_back_and_hangs_up(server: LocalServer, tmp_path: Path) -> None:
    calls = Calls(server)
    with baresip(tmp_path / "phone", answers=False) as phone:
        phone.command("dial", server.uri("1001"))
        phone.wait_for("CALL_ESTABLISHED")
        phone.wait_for_sound(0.3)
        call_id = calls.next()
        phone.command("hold")
        calls.event(call_id, "held", on=True)
        phone.command("resume")
        calls.event(call_id, "held", on=False)
        phone.command("hangup")
        phone.wait_for("CALL_CLOSED")
    call = server.api.ended(call_id)
    assert call["result"]["decision"] == "unreached"
    assert call["hung_up_by"] == "caller"


@pytest.mark.shows("baresip", "calls over TCP")
def test_baresip_calls_over_tcp(server: LocalServer, tmp_path: Path) -> None:
    before = {call["id"] for call in server.api.calls()}
    port = next(address.rpartition(":")[2] for address in server.sip if address.startswith("tcp:"))
    with baresip(tmp_path / "phone", answers=False) as phone:
        phone.command("dial", f"sip:1001@127.0.0.1:{port};transport=tcp")
        phone.wait_for("CALL_ESTABLISHED")
        phone.wait_for_sound(0.5)
        phone.press("2")
        phone.wait_for("CALL_CLOSED")
    (call_id,) = {call["id"] for call in server.api.calls()} - before
    assert server.api.ended(call_id)["result"]["decision"] == "rejected"


@pytest.mark.shows("baresip", "is called, hears the prompt", "keys to us")
def test_baresip_is_called(server: LocalServer, tmp_path: Path) -> None:
    with baresip(tmp_path / "phone", answers=True) as phone:
        call_id = server.api.initiate(to=phone.uri, **ORDER)
        phone.wait_for("CALL_ESTABLISHED")
        phone.wait_for_sound(0.5)
        phone.press("2")
        phone.wait_for("CALL_CLOSED")
    call = server.api.ended(call_id)
    assert call["direction"] == "outbound"
    assert call["result"]["decision"] == "rejected"


def test_the_server_hangs_up_a_call_to_baresip(server: LocalServer, tmp_path: Path) -> None:
    with baresip(tmp_path / "phone", answers=True) as phone:
        call_id = server.api.initiate(to=phone.uri, **ORDER)
        phone.wait_for("CALL_ESTABLISHED")
        server.api.hang_up(call_id)
        phone.wait_for("CALL_CLOSED")
    assert server.api.ended(call_id)["hung_up_by"] == "us"


@pytest.mark.shows("baresip", "G.722")
def test_baresip_calls_in_wideband(server: LocalServer, tmp_path: Path) -> None:
    calls = Calls(server)
    with baresip(tmp_path / "phone", answers=False, codecs="G722/16000") as phone:
        phone.command("dial", server.uri("1001"))
        phone.wait_for("CALL_ESTABLISHED")
        calls.event(calls.next(), "answered", codec="G722")
        phone.wait_for_sound(0.5)
        phone.press("2")
        phone.wait_for("CALL_CLOSED")
    assert server.api.ended(calls.next())["result"]["decision"] == "rejected"


@pytest.mark.shows("baresip", "transferred by us (REFER)")
def test_we_transfer_baresip(server: LocalServer, tmp_path: Path) -> None:
    calls = Calls(server)
    with baresip(tmp_path / "phone", answers=False) as phone:
        phone.command("dial", server.uri("3000"))
        first, second = calls.next(), calls.next(2)
        assert server.api.ended(first)["result"] == {"transferred": "yes"}
        calls.event(second, "prompt")
    assert server.api.ended(second)["hung_up_by"] == "caller"  # it hangs up as it ends


@pytest.mark.shows("baresip", "bridged to another by an attended transfer")
def test_baresip_is_bridged_to_baresip(server: LocalServer, tmp_path: Path) -> None:
    calls = Calls(server)
    with (
        baresip(tmp_path / "caller", answers=True) as caller,
        baresip(tmp_path / "agent", answers=True) as agent,
    ):
        call_id = server.api.initiate(
            to=caller.uri, flow="attended", params={"agent": agent.uri}, trunk="local"
        )
        agent.wait_for("CALL_ESTABLISHED")
        agent.wait_for_sound(0.5)  # the whisper
        assert caller.heard_s() == 0
        agent.press("1")
        calls.event(call_id, "connected")
        caller.wait_for_sound(1.0)
        agent.wait_for_tone(440)
        caller.wait_for_tone(440)
        agent.press("7")
        assert caller.wait_for("CALL_DTMF_START")["param"] == "7"
        agent.command("hangup")
        caller.wait_for("CALL_CLOSED")
    call = server.api.ended(call_id)
    assert (call["result"], call["cause"]) == ({"connected": "yes"}, "transferred")


@pytest.mark.shows("baresip", "transfers us (REFER)")
def test_baresip_transfers_us(
    server: LocalServer, stack: str, bystander: Linphone, tmp_path: Path, cannot: Callable[[str], None]
) -> None:
    calls = Calls(server)
    with baresip(tmp_path / "phone", answers=False) as phone:
        phone.command("dial", server.uri("1001"))
        phone.wait_for("CALL_ESTABLISHED")
        call_id = calls.next()
        phone.command("transfer", bystander.uri)
        if stack == "pjsip":
            phone.wait_for("TRANSFER_FAILED")
            phone.command("hangup")
            cannot("603, no REFER is taken")
        else:
            bystander.wait_for("Media streams established")
            phone.wait_for("CALL_CLOSED")
            bystander.say("terminate")
    assert server.api.ended(call_id)["hung_up_by"] == "caller"


@pytest.mark.shows("baresip", "TLS and SRTP (SDES), calls us")
def test_baresip_calls_encrypted(secure: Secure, tmp_path: Path, cannot: Callable[[str], None]) -> None:
    if secure.server is None:
        cannot("TLS and SRTP are refused at the start")
        return
    calls = Calls(secure.server)
    with baresip(tmp_path / "phone", answers=False, security=secure.identity) as phone:
        phone.command("dial", secure.uri("1001"))
        phone.wait_for("CALL_ESTABLISHED")
        phone.wait_for_sound(0.5)
        phone.press("2")
        phone.wait_for("CALL_CLOSED")
    assert secure.server.api.ended(calls.next())["result"]["decision"] == "rejected"


@pytest.mark.shows("baresip", "TLS and SRTP (SDES), is called")
def test_baresip_is_called_encrypted(secure: Secure, tmp_path: Path, cannot: Callable[[str], None]) -> None:
    if secure.server is None:
        cannot("TLS and SRTP are refused at the start")
        return
    with baresip(tmp_path / "phone", answers=True, security=secure.identity) as phone:
        call_id = secure.server.api.initiate(to=phone.uri, **ORDER)
        phone.wait_for("CALL_ESTABLISHED")
        phone.wait_for_sound(0.5)
        phone.press("2")
        phone.wait_for("CALL_CLOSED")
    assert secure.server.api.ended(call_id)["result"]["decision"] == "rejected"


@pytest.mark.shows("baresip", "keys from us")
def test_keys_to_baresip(tmp_path: Path) -> None:
    with baresip(tmp_path / "phone", answers=True) as phone:
        press_keys(phone.uri, "15#", tmp_path)
        for key in "15#":
            assert phone.wait_for("CALL_DTMF_START")["param"] == key
