"""pyVoIP calls the server and is called by it. Its SIP is rough; a server has to bear with that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr.local import LocalServer
from tests.interop import needs
from tests.interop.phone_process import PhoneProcess, phone_process
from tests.interop.ports import free_udp


@pytest.fixture
def phone(server: LocalServer, tmp_path: Path) -> Iterator[PhoneProcess]:
    needs.module("pyVoIP", "pyVoIP")
    with phone_process("pyvoip_phone", tmp_path / "phone") as phone:
        phone.say(f"127.0.0.1 {server.port} {free_udp()}")
        yield phone


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


def test_the_server_hangs_up_on_pyvoip(server: LocalServer, stack: str, phone: PhoneProcess) -> None:
    """Its ACK has a wrong To tag; were it not taken, no BYE could be sent."""
    if stack == "pjsip":
        pytest.skip(
            "PJSIP takes no such ACK, and its transactions know no sent-by: pyVoIP has one branch for all"
        )
    phone.wait_for("ready")
    phone.do("call", number="1001")
    phone.wait_for("established")
    phone.wait_for_sound(1.0)
    call_id = server.api.calls()[0]["id"]
    server.api.hang_up(call_id)
    phone.wait_for("closed")
    assert server.api.ended(call_id)["hung_up_by"] == "us"


def test_pyvoip_is_called(server: LocalServer, phone: PhoneProcess) -> None:
    uri = phone.wait_for("ready")["uri"]
    call_id = server.api.initiate(to=uri, flow="order", params={"order": "77"}, trunk="local")
    phone.wait_for("established")
    phone.wait_for_sound(1.0)
    server.api.hang_up(call_id)
    phone.wait_for("closed")
    assert server.api.ended(call_id)["hung_up_by"] == "us"
