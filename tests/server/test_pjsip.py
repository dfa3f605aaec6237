"""The whole server with PJSIP's signalling, in a process of its own."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import types
from pathlib import Path

import pytest

from ivr.config import Config, ConfigError
from ivr.local import local_server
from ivr.phone.phone import open_phone
from ivr.phone.timeline import Timeline
from ivr.stacks import stack_of
from ivr.trunks import trunks_of
from media.plane import RtpPlane
from media.ports import PortPool
from sip.pjsip.library import Library, NoPjsip
from tests.server.conftest import PARAMS, ROOT
from tests.server.talkers import Talker

SIP = {"stack": "pjsip", "listen": ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"]}

needs_pjsua2 = pytest.mark.skipif(
    importlib.util.find_spec("pjsua2") is None,
    reason="pjsua2-python is not installed (scripts/setup test installs it)",
)


def settings() -> dict[str, object]:
    return {
        "sip": SIP,
        "numbers": {"1001": {"flow": "vendor-order", "params": PARAMS}},
        "flows": str(ROOT / "flows"),
        "queues": {"vendor-desk": "sip:desk@127.0.0.1:9"},
        "endpoints": {"order-webhook": {"url": "http://127.0.0.1:9/orders"}},
    }


@needs_pjsua2
async def test_the_vendor_order_by_a_call_in_and_a_call_out(tmp_path: Path) -> None:
    with local_server(tmp_path, settings()) as server:
        async with open_phone(language="en", timeline=Timeline()) as phone:
            call = await phone.call(server.uri("1001"))
            await call.until_answered()
            await call.hear()
            await call.press("1")
            await call.hear()
            await call.quiet()
            await call.press("20#")
            await call.until_hung_up()
            record = server.api.ended(server.api.calls()[0]["id"])
            assert record["result"]["decision"] == "accepted"
            assert record["result"]["eta"] == 20
            assert record["hung_up_by"] == "us"

            assert "calls at once at most" in (tmp_path / "server.log").read_text()
            call_id = server.api.initiate(to=phone.address, trunk="local", flow="vendor-order", params=PARAMS)
            call = await phone.answer(within_s=10)
            await call.hear()
            await call.press("2")
            await call.hear()
            await call.hang_up()
            record = server.api.ended(call_id)
            assert record["result"]["decision"] == "rejected"
            assert (record["cause"], record["hung_up_by"]) == ("normal", "callee")


DESK = """
flow: desk
languages: [en]
start: desk
steps:
  desk:
    transfer: {to: support, mode: attended, whisper: {en: A call.}, sound: silence}
    next: bye
    otherwise: bye
  bye: {end: normal}
"""


@needs_pjsua2
async def test_a_caller_and_an_agent_are_bridged(tmp_path: Path) -> None:
    flows = tmp_path / "flows"
    flows.mkdir()
    (flows / "desk.yaml").write_text(DESK, encoding="utf-8")
    async with (
        open_phone(language="en", timeline=Timeline()) as desk,
        open_phone(language="en", timeline=Timeline()) as phone,
    ):
        config = {
            "sip": SIP,
            "numbers": {"1001": {"flow": "desk"}},
            "flows": str(flows),
            "queues": {"support": {"agents": [desk.address]}},
        }
        with local_server(tmp_path, config) as server:
            call = await phone.call(server.uri("1001"))
            await call.until_answered()
            answered = await desk.answer(within_s=20)
            await answered.until_answered()
            caller, agent = Talker(call), Talker(answered)
            caller.hum(500)
            agent.hum(700)
            await asyncio.gather(caller.hears(700), agent.hears(500))
            await answered.press("5")
            await call.until_digits("5")
            await answered.hang_up()
            await call.until_hung_up()
            record = await asyncio.to_thread(server.api.ended, server.api.calls()[0]["id"])
            assert record["cause"] == "transferred"


async def test_what_pjsip_cannot_do_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    plane = RtpPlane(PortPool(0, 0, 0.0, "127.0.0.1"), timeout_s=60, address="127.0.0.1")

    def made(**changes: object) -> None:
        config = Config.model_validate({"sip": SIP} | changes)
        stack_of(config, trunks_of(config), plane, lambda: None, lambda leg: None, lambda reason: None)

    nothing = Library(types.ModuleType("pjsua2"), lambda: 4, "0")
    monkeypatch.setattr("sip.pjsip.stack.load", lambda: nothing)
    monkeypatch.setattr("sip.pjsip.engine.call_class", lambda library: None)
    monkeypatch.setattr("sip.pjsip.engine._account_class", lambda pj: None)
    made()
    trunk = {
        "allow": ["127.0.0.1"],
        "srtp": "required",
        "refer_to": ["sip:*"],
        "proxy": "a.example;transport=tls",
    }
    with pytest.raises(ConfigError, match=r"trunk t: srtp, refer_to, proxy by TLS: not with sip\.stack"):
        made(trunks={"t": trunk})
    with pytest.raises(ConfigError, match="IPv4 only"):
        made(sip=SIP | {"listen": ["udp:[::1]:0"]})
    with pytest.raises(ConfigError, match="udp and tcp only"):
        made(sip=SIP | {"listen": ["tls:127.0.0.1:0"], "tls": {"certificate": "a.pem", "key": "b.pem"}})


async def test_without_pjsua2_the_text_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    plane = RtpPlane(PortPool(0, 0, 0.0, "127.0.0.1"), timeout_s=60, address="127.0.0.1")
    monkeypatch.setitem(sys.modules, "pjsua2", None)
    config = Config.model_validate({"sip": SIP})
    with pytest.raises(NoPjsip, match=r"install ivr-server\[pjsip\]"):
        stack_of(config, {}, plane, lambda: None, lambda leg: None, lambda reason: None)
