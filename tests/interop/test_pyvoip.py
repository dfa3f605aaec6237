"""pyVoIP calls the server and is called by it. Its SIP is rough; a server has to bear with that."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ivr.local import LocalServer
from tests.interop import needs
from tests.interop.our_phone import press_keys
from tests.interop.phone_process import PhoneProcess, phone_process
from tests.interop.ports import free_udp
from tests.interop.watching import Calls


@pytest.fixture
def phone(server: LocalServer, tmp_path: Path) -> Iterator[PhoneProcess]:
    needs.module("pyVoIP", "pyVoIP")
    with phone_process("pyvoip_phone", tmp_path / "phone") as phone:
        phone.say(f"127.0.0.1 {server.port} {free_udp()}")
        yield phone


@pytest.mark.shows("pyVoIP", "calls us, hears the prompt", "hangs up")
def test_pyvoip_calls_hears_and_hangs_up(server: LocalServer, phone: PhoneProcess) -> None:
    phone.wait_for("ready")
    phone.do("call", number="1001")
    phone.wait_for("established")
    phone.wait_for_sound(1.0)
    phone.do("hang_up")
    phone.wait_for("closed")
    call = server.api.ended(server.api.calls()[0]["id"])
    assert call["hung_up_by"] == "caller"
    assert call["result"]["decision"] == "unreached"


@pytest.mark.shows("pyVoIP", "we hang up")
def test_the_server_hangs_up_on_pyvoip(server: LocalServer, stack: str, phone: PhoneProcess) -> None:
    """Its ACK has a wrong To tag; were it not taken, no BYE could be sent."""
    if stack == "pjsip":
        pytest.skip("its ACK has a wrong To tag, which PJSIP does not take: the call would end after 32 s")
    phone.wait_for("ready")
    phone.do("call", number="1001")
    phone.wait_for("established")
    phone.wait_for_sound(1.0)
    call_id = server.api.calls()[0]["id"]
    server.api.hang_up(call_id)
    phone.wait_for("closed")
    assert server.api.ended(call_id)["hung_up_by"] == "us"


@pytest.mark.shows("pyVoIP", "is called, hears the prompt")
def test_pyvoip_is_called(server: LocalServer, phone: PhoneProcess) -> None:
    uri = phone.wait_for("ready")["uri"]
    call_id = server.api.initiate(to=uri, flow="order", params={"order": "77"}, trunk="local")
    phone.wait_for("established")
    phone.wait_for_sound(1.0)
    server.api.hang_up(call_id)
    phone.wait_for("closed")
    assert server.api.ended(call_id)["hung_up_by"] == "us"


@pytest.mark.shows("pyVoIP", "transferred by us (REFER)")
def test_pyvoip_does_not_answer_a_refer(
    server: LocalServer, phone: PhoneProcess, stack: str, cannot: Callable[[str], None]
) -> None:
    if stack == "pjsip":
        pytest.skip("its ACK has a wrong To tag, which PJSIP does not take")
    calls = Calls(server)
    phone.wait_for("ready")
    phone.do("call", number="3000")
    phone.wait_for("closed")  # the flow's patience is over, not ours
    assert server.api.ended(calls.next())["result"] == {"transferred": "no"}
    assert len(calls.ids()) == 1
    cannot("it does not answer REFER; the flow goes on after its `wait`")


@pytest.mark.shows("pyVoIP", "keys from us")
def test_keys_to_pyvoip(tmp_path: Path) -> None:
    """It sends all its answers to the one server that it was told of."""
    needs.module("pyVoIP", "pyVoIP")
    port = free_udp()
    with phone_process("pyvoip_phone", tmp_path / "phone") as phone:
        phone.say(f"127.0.0.1 {port} {free_udp()}")
        press_keys(phone.wait_for("ready")["uri"], "15#", tmp_path, port)
        for key in "15#":
            assert phone.wait_for("digit")["key"] == key


@pytest.mark.filterwarnings("ignore:.audioop:DeprecationWarning")
@pytest.mark.shows("pyVoIP", "keys to us", "hold", "transfers us (REFER)")
def test_a_call_of_pyvoip_can_do_little(cannot: Callable[[str], None]) -> None:
    needs.module("pyVoIP", "pyVoIP")
    voip = importlib.import_module("pyVoIP.VoIP")
    names = " ".join(dir(voip.VoIPCall)).lower()
    assert not any(word in names for word in ("hold", "transfer", "refer", "send_dtmf", "press"))
    cannot("its calls have no such method")


@pytest.mark.filterwarnings("ignore:.audioop:DeprecationWarning")
@pytest.mark.shows("pyVoIP", "TLS and SRTP (SDES), calls us", "TLS and SRTP (SDES), is called", "G.722")
def test_pyvoip_knows_udp_and_g711(cannot: Callable[[str], None]) -> None:
    needs.module("pyVoIP", "pyVoIP")
    pyvoip, rtp = importlib.import_module("pyVoIP"), importlib.import_module("pyVoIP.RTP")
    assert {str(codec) for codec in pyvoip.RTPCompatibleCodecs} == {"PCMU", "PCMA", "telephone-event"}
    assert pyvoip.SIPCompatibleVersions == ["SIP/2.0"]
    assert not hasattr(rtp, "SRTP")
    cannot("it knows UDP, RTP/AVP and G.711 only")
