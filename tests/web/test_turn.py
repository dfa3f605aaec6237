"""A page that reaches the server by TURN alone, through a real coturn, with credentials of its session."""

from __future__ import annotations

from pathlib import Path

from tests.web.browser_server import sockets, until_gone, web_bench
from tests.web.coturn import SECRET, coturn
from tests.web.web_phone import WebPhone


async def test_a_page_behind_a_firewall_calls_through_coturn(tmp_path: Path) -> None:
    async with coturn(tmp_path) as turn:
        ice = {"addresses": ["127.0.0.1"], "servers": [{"urls": [turn.url], "secret": SECRET}]}
        async with web_bench(tmp_path, {"ice": ice}) as b:
            open_before = sockets()
            session = await b.session()
            (server,) = session["ice_servers"]
            assert server["username"].endswith(f":{session['session_id']}")
            async with WebPhone(b.api, session["ice_servers"], relay=True) as page:
                await page.start(session["token"])
                await page.until_heard()
                await page.until_open()
                assert turn.relayed()
                page.press("2")
                assert (await page.until("ended"))["result"] == {"choice": "two"}
            await until_gone(open_before)


async def test_the_server_itself_may_be_behind_a_nat_and_tells_its_relayed_candidate_later(
    tmp_path: Path,
) -> None:
    async with coturn(tmp_path) as turn:
        servers = [{"urls": [turn.url], "secret": SECRET}, {"urls": [f"stun:127.0.0.1:{turn.port}"]}]
        ice = {"addresses": ["127.0.0.1"], "servers": servers, "ask_servers": True}
        async with web_bench(tmp_path, {"ice": ice}) as b:
            open_before = sockets()
            async with WebPhone(b.api) as page:
                await page.start((await b.session())["token"])
                assert "typ relay" not in page.begun["sdp"]
                told: list[str] = []
                while None not in (fresh := await page.ask()):
                    told += [line for line in fresh if line is not None]
                told += [line for line in fresh if line is not None]
                assert any("typ relay" in line for line in told)
                await page.until_heard()
                assert await page.hang_up() == 204
            await until_gone(open_before)
