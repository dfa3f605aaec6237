"""linphone calls the server and is called by it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ivr.local import LocalServer
from tests.interop.conftest import Secure
from tests.interop.linphone import Linphone, linphone
from tests.interop.our_phone import press_keys
from tests.interop.watching import Calls, eventually

ORDER = {"flow": "order", "params": {"order": "77"}, "trunk": "local"}


@pytest.mark.shows("linphone", "calls us, hears the prompt", "keys to us", "hold", "we hang up")
def test_linphone_calls_holds_and_presses_keys(server: LocalServer, tmp_path: Path) -> None:
    calls = Calls(server)
    with linphone(tmp_path / "phone", answers=False) as phone:
        phone.say(f"call {server.uri('1001')}")
        phone.wait_for("Media streams established")
        call_id = calls.next()
        calls.event(call_id, "prompt")
        time.sleep(0.6)  # it listens
        phone.say("pause")
        phone.wait_for("now paused")
        calls.event(call_id, "held", on=True)
        phone.say("resume")
        phone.wait_for("Media streams established")
        calls.event(call_id, "held", on=False)
        phone.say("1")
        calls.event(call_id, "key", key="1")
        phone.say("20#")
        phone.wait_for("ended")  # the flow says goodbye and hangs up
        assert phone.heard_s() > 0.3
    call = server.api.ended(call_id)
    assert call["result"] == {"decision": "accepted", "minutes": 20}
    assert call["hung_up_by"] == "us"
    assert calls.keys(call_id) == "120#"


@pytest.mark.shows("linphone", "is called, hears the prompt", "hangs up")
def test_linphone_is_called_and_hangs_up(server: LocalServer, tmp_path: Path) -> None:
    with linphone(tmp_path / "phone", answers=True) as phone:
        call_id = server.api.initiate(to=phone.uri, **ORDER)
        phone.wait_for("Media streams established")
        Calls(server).event(call_id, "prompt")
        time.sleep(0.6)
        phone.say("terminate")
        phone.wait_for("ended")
        assert phone.heard_s() > 0.2
    call = server.api.ended(call_id)
    assert call["direction"] == "outbound"
    assert call["hung_up_by"] == "callee"


@pytest.mark.shows("linphone", "G.722")
def test_linphone_calls_in_wideband(server: LocalServer, tmp_path: Path) -> None:
    calls = Calls(server)
    with linphone(tmp_path / "phone", answers=False, codecs=["G722"]) as phone:
        phone.say(f"call {server.uri('1001')}")
        phone.wait_for("Media streams established")
        call_id = calls.next()
        calls.event(call_id, "answered", codec="G722")
        calls.event(call_id, "prompt")
        time.sleep(0.6)
        phone.say("2")
        phone.wait_for("ended")
        assert phone.heard_s() > 0.3
    assert server.api.ended(call_id)["result"]["decision"] == "rejected"


@pytest.mark.shows("linphone", "transferred by us (REFER)")
def test_we_transfer_linphone(
    server: LocalServer, stack: str, tmp_path: Path, cannot: Callable[[str], None]
) -> None:
    calls = Calls(server)
    with linphone(tmp_path / "phone", answers=False) as phone:
        phone.say(f"call {server.uri('3000')}")
        first, second = calls.next(), calls.next(2)
        calls.event(second, "prompt")
        transferred = server.api.ended(first)["result"]["transferred"]
        phone.say("terminate all")
        assert server.api.ended(second)["hung_up_by"] == "caller"
    if stack == "pjsip" and transferred == "no":
        assert "terminated;reason=reason=noresource" in phone.signalling()
        cannot("it follows, but PJSIP cannot read its last NOTIFY (`reason=reason=noresource`)")
    else:
        assert transferred == "yes"


@pytest.mark.shows("linphone", "transfers us (REFER)")
def test_linphone_transfers_us(
    server: LocalServer, stack: str, bystander: Linphone, tmp_path: Path, cannot: Callable[[str], None]
) -> None:
    calls = Calls(server)
    with linphone(tmp_path / "phone", answers=False) as phone:
        phone.say(f"call {server.uri('1001')}")
        phone.wait_for("Media streams established")
        call_id = calls.next()
        phone.say(f"transfer {bystander.uri}")
        if stack == "pjsip":
            eventually(lambda: "SIP/2.0 603" in phone.signalling() or None, "refusal")
            phone.say("terminate")
            assert server.api.ended(call_id)["hung_up_by"] == "caller"
            cannot("603, no REFER is taken")
            return
        bystander.wait_for("Media streams established")
        phone.wait_for("ended")
        bystander.say("2")  # the flow goes on with it
        bystander.wait_for("ended")
    assert server.api.ended(call_id)["result"]["decision"] == "rejected"


@pytest.mark.shows("linphone", "TLS and SRTP (SDES), calls us")
def test_linphone_calls_encrypted(secure: Secure, tmp_path: Path, cannot: Callable[[str], None]) -> None:
    if secure.server is None:
        cannot("TLS and SRTP are refused at the start")
        return
    calls = Calls(secure.server)
    with linphone(tmp_path / "phone", answers=False, security=secure.identity) as phone:
        phone.say(f"call {secure.uri('1001')}")
        phone.wait_for("Media streams established")
        call_id = calls.next()
        calls.event(call_id, "prompt")
        time.sleep(0.6)
        phone.say("2")
        phone.wait_for("ended")
        assert phone.heard_s() > 0.3
    assert "RTP/SAVP" in phone.signalling()
    assert secure.server.api.ended(call_id)["result"]["decision"] == "rejected"


@pytest.mark.shows("linphone", "TLS and SRTP (SDES), is called")
def test_linphone_is_called_encrypted(secure: Secure, tmp_path: Path, cannot: Callable[[str], None]) -> None:
    if secure.server is None:
        cannot("TLS and SRTP are refused at the start")
        return
    with linphone(tmp_path / "phone", answers=True, security=secure.identity) as phone:
        call_id = secure.server.api.initiate(to=phone.uri, **ORDER)
        assert secure.server.api.ended(call_id)["cause"] == "unavailable"
        assert "New connection arriving on TLS, not handled" in phone.signalling()
        cannot("it takes no TLS connection, it wants to be called on the one by which it registered")


@pytest.mark.shows("linphone", "keys from us")
def test_keys_to_linphone(tmp_path: Path) -> None:
    with linphone(tmp_path / "phone", answers=True) as phone:
        press_keys(phone.uri, "15#", tmp_path)
        for key in "15#":
            phone.wait_for(f"Receiving tone {key} from")


@pytest.mark.shows("linphone", "100rel", "session timer")
def test_linphone_without_100rel_and_session_timer(
    server: LocalServer, tmp_path: Path, cannot: Callable[[str], None]
) -> None:
    """It takes no notice of `Require: 100rel`, and says nothing of the timer; the call stands without."""
    with linphone(tmp_path / "phone", answers=False) as phone:
        call_id = server.api.initiate(to=phone.uri, **{**ORDER, "trunk": "strict"})
        phone.wait_for("Receiving new incoming call")
        Calls(server).event(call_id, "ringing")
        phone.say("answer")
        phone.wait_for("Media streams established")
        phone.say("2")
        phone.wait_for("ended")
    assert server.api.ended(call_id)["result"]["decision"] == "rejected"
    invite, _, answers = phone.signalling().partition("SIP/2.0 100 Trying")
    assert re.search(r"(?m)^(Require|Supported): .*100rel", invite)
    assert re.search(r"(?m)^Session-Expires: ", invite)
    assert not re.search(r"(?m)^(RSeq|Session-Expires): ", answers)
    cannot("it has none; the call stands without")
