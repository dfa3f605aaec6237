"""baresip (libre) calls the server and is called by it."""

from __future__ import annotations

from pathlib import Path

from ivr.local import LocalServer
from tests.interop.baresip import baresip


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


def test_baresip_hangs_up(server: LocalServer, tmp_path: Path) -> None:
    before = {call["id"] for call in server.api.calls()}
    with baresip(tmp_path / "phone", answers=False) as phone:
        phone.command("dial", server.uri("1001"))
        phone.wait_for("CALL_ESTABLISHED")
        phone.wait_for_sound(0.3)
        phone.command("hangup")
        phone.wait_for("CALL_CLOSED")
    (call_id,) = {call["id"] for call in server.api.calls()} - before
    call = server.api.ended(call_id)
    assert call["result"]["decision"] == "unreached"
    assert call["hung_up_by"] == "caller"


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


def test_baresip_is_called(server: LocalServer, tmp_path: Path) -> None:
    with baresip(tmp_path / "phone", answers=True) as phone:
        call_id = server.api.initiate(to=phone.uri, flow="order", params={"order": "77"}, trunk="local")
        phone.wait_for("CALL_ESTABLISHED")
        phone.wait_for_sound(0.5)
        phone.press("2")
        phone.wait_for("CALL_CLOSED")
    call = server.api.ended(call_id)
    assert call["direction"] == "outbound"
    assert call["result"]["decision"] == "rejected"


def test_the_server_hangs_up_a_call_to_baresip(server: LocalServer, tmp_path: Path) -> None:
    with baresip(tmp_path / "phone", answers=True) as phone:
        call_id = server.api.initiate(to=phone.uri, flow="order", params={"order": "77"}, trunk="local")
        phone.wait_for("CALL_ESTABLISHED")
        server.api.hang_up(call_id)
        phone.wait_for("CALL_CLOSED")
    assert server.api.ended(call_id)["hung_up_by"] == "us"
