"""Kamailio between a phone (linphone) and the server, in the way of all their requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ivr.local import LocalServer, local_server
from tests.interop.conftest import FLOWS
from tests.interop.kamailio import Kamailio, kamailio, stop
from tests.interop.linphone import Linphone, linphone
from tests.interop.ports import free_udp
from tests.interop.security import Identity
from tests.interop.watching import Calls, eventually

ORDER = {"flow": "order", "params": {"order": "77"}}


class Site(NamedTuple):
    proxy: Kamailio
    server: LocalServer


@pytest.fixture(scope="module")
def site(stack: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    identity = Identity.made(folder)
    port, tls_port, server_port = free_udp(), free_udp(), free_udp()
    trunk: dict[str, Any] = {
        "allow": ["127.0.0.0/8"],
        "caller_id": "1000",
        "options_s": 0 if stack == "pjsip" else 0.5,
    }
    trunks = {
        "local": {**trunk, "proxy": f"sip:127.0.0.1:{port}"},
        "tcp": {**trunk, "proxy": f"sip:127.0.0.1:{port};transport=tcp"},
    }
    if stack == "own":
        trunks["local"]["refer_to"] = ["sip:127.0.0.1"]
        trunks["tls"] = {
            **trunk,
            "proxy": f"sip:127.0.0.1:{tls_port};transport=tls",
            "tls": {"ca": identity.ca},
        }
    config = {
        "sip": {
            "stack": stack,
            "listen": [f"udp:127.0.0.1:{server_port}", f"tcp:127.0.0.1:{server_port}"],
        },
        "flows": str(FLOWS),
        "trunks": trunks,
        "queues": {"desk": f"sip:2002@127.0.0.1:{port}"},
        "numbers": {"3000": {"flow": "handover"}, "*": {"flow": "order", "params": {"order": "48213"}}},
    }
    with (
        kamailio(folder / "kamailio", port, tls_port, server_port, identity) as proxy,
        local_server(folder / "server", config) as server,
    ):
        proxy.wait_for("the server is up")
        yield Site(proxy, server)


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[Linphone]:
    with linphone(tmp_path / "phone", answers=False) as phone:
        yield phone


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Linphone]:
    with linphone(tmp_path / "phone", answers=True) as phone:
        yield phone


@pytest.mark.shows(
    "Kamailio", "OPTIONS of its dispatcher", "calls through it to us, keys", "hold", "we hang up"
)
def test_a_call_to_us(site: Site, phone: Linphone) -> None:
    calls = Calls(site.server)
    phone.say(f"call {site.proxy.uri('1001')}")
    phone.wait_for("Media streams established")
    call_id = calls.next()
    calls.event(call_id, "prompt")
    phone.say("pause")
    calls.event(call_id, "held", on=True)
    phone.say("resume")
    phone.wait_for("Media streams established")
    calls.event(call_id, "held", on=False)
    phone.say("2")
    phone.wait_for("ended")
    call = site.server.api.ended(call_id)
    assert call["result"]["decision"] == "rejected"
    assert call["hung_up_by"] == "us"
    port = f"{site.server.port}"
    assert "within: ACK from " in site.proxy.log()
    assert f"within: BYE from {port}" in site.proxy.log()


@pytest.mark.shows("Kamailio", "calls through it to a phone, keys", "the phone hangs up")
@pytest.mark.parametrize("trunk", ["local", "tcp"])
def test_a_call_to_a_phone(site: Site, answering: Linphone, trunk: str) -> None:
    call_id = site.server.api.initiate(to=answering.uri, trunk=trunk, **ORDER)
    answering.wait_for("Media streams established")
    answering.say("1")
    Calls(site.server).event(call_id, "key", key="1")
    answering.say("terminate")
    call = site.server.api.ended(call_id)
    assert call["hung_up_by"] == "callee"
    assert call["result"]["decision"] == "accepted"


@pytest.mark.shows("Kamailio", "TCP on our side, UDP on the phone's (two Record-Routes)")
def test_a_call_to_us_over_tcp(site: Site, phone: Linphone) -> None:
    calls = Calls(site.server)
    phone.say(f"call {site.proxy.uri('7001')}")
    phone.wait_for("Media streams established")
    call_id = calls.next()
    site.server.api.hang_up(call_id)
    phone.wait_for("ended")
    assert site.server.api.ended(call_id)["hung_up_by"] == "us"


@pytest.mark.shows("Kamailio", "TLS on our side")
def test_a_call_over_tls(site: Site, stack: str, answering: Linphone, cannot: Callable[[str], None]) -> None:
    if stack == "pjsip":
        cannot("TLS is refused at the start")
        return
    call_id = site.server.api.initiate(to=answering.uri, trunk="tls", **ORDER)
    answering.wait_for("Media streams established")
    answering.say("2")
    answering.wait_for("ended")
    call = site.server.api.ended(call_id)
    assert call["hung_up_by"] == "us"
    assert call["result"]["decision"] == "rejected"


@pytest.mark.shows("Kamailio", "CANCEL")
def test_we_give_up_before_the_phone_answers(site: Site, phone: Linphone) -> None:
    call_id = site.server.api.initiate(to=phone.uri, trunk="local", **ORDER)
    phone.wait_for("Receiving new incoming call")
    site.server.api.hang_up(call_id)
    phone.wait_for("ended")
    assert site.server.api.ended(call_id)["hung_up_by"] == "us"
    assert "CANCEL sip:" in phone.signalling()


@pytest.mark.shows("Kamailio", "transferred by us (REFER)")
def test_we_transfer_the_phone(
    site: Site, stack: str, phone: Linphone, cannot: Callable[[str], None]
) -> None:
    calls = Calls(site.server)
    phone.say(f"call {site.proxy.uri('3000')}")
    first, second = calls.next(), calls.next(2)
    transferred = site.server.api.ended(first)["result"]["transferred"]
    phone.say("terminate all")
    assert site.server.api.ended(second)["hung_up_by"] == "caller"
    assert f"within: REFER from {site.server.port}" in site.proxy.log()
    if stack == "pjsip" and transferred == "no":
        cannot("it follows, but PJSIP cannot read linphone's last NOTIFY")
    else:
        assert transferred == "yes"


@pytest.mark.shows("Kamailio", "transfers us (REFER)")
def test_the_phone_transfers_us(
    site: Site, stack: str, phone: Linphone, bystander: Linphone, cannot: Callable[[str], None]
) -> None:
    calls = Calls(site.server)
    phone.say(f"call {site.proxy.uri('1001')}")
    phone.wait_for("Media streams established")
    call_id = calls.next()
    phone.say(f"transfer {bystander.uri}")
    if stack == "pjsip":
        eventually(lambda: "SIP/2.0 603" in phone.signalling() or None, "refusal")
        phone.say("terminate")
        cannot("603, no REFER is taken")
    else:
        bystander.wait_for("Media streams established")
        phone.wait_for("ended")
        bystander.say("terminate")
    site.server.api.ended(call_id)


@pytest.mark.shows("Kamailio", "the trunk is down when it is gone")
def test_the_trunk_goes_down_with_it(stack: str, tmp_path: Path, cannot: Callable[[str], None]) -> None:
    if stack == "pjsip":
        cannot("the state of trunks is unknown")
        return
    identity = Identity.made(tmp_path)
    port = free_udp()
    trunk = {"allow": ["127.0.0.0/8"], "options_s": 0.5, "proxy": f"sip:127.0.0.1:{port};transport=tcp"}
    with (
        kamailio(tmp_path / "kamailio", port, free_udp(), free_udp(), identity) as proxy,
        local_server(tmp_path / "server", {"trunks": {"local": trunk}}) as server,
    ):
        eventually(lambda: server.api.trunk("local")["up"] is True or None, "trunk that is up")
        stop(proxy.process)
        eventually(lambda: server.api.trunk("local")["up"] is False or None, "trunk that is down")
        assert server.api.trunk("local")["reason"]
