"""`ivr campaign`, over the API's own routes."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from ivr.campaigns.command import DONE, REFUSED, USAGE, import_contacts, press, run, show
from tests.api.conftest import bearer
from tests.api.test_campaigns import ASKED, URL


async def test_a_campaign_by_hand(
    api: httpx.AsyncClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api.headers.update(bearer("marketing"))
    assert await show(api) == DONE
    assert capsys.readouterr().out == "no campaigns\n"
    id = (await api.post(URL, json=ASKED)).json()["id"]
    table = tmp_path / "guests.csv"
    table.write_text("to,amount\n+919876543210,5\nnobody,6\n")
    assert await import_contacts(api, id, table, skip_bad=False) == REFUSED
    told = capsys.readouterr().err
    assert f"{table}:3: to: is not a number" in told
    assert "ivr: The table has mistakes: 1 of the rows cannot be used" in told
    assert await import_contacts(api, id, table, skip_bad=True) == DONE
    assert capsys.readouterr().out == "1 added, 0 suppressed, 1 rows left out\n"
    assert await press(api, id, "start") == DONE
    assert f"{id}  running    0 answered, 1 waiting of 1  Vendors" in capsys.readouterr().out
    assert await press(api, "nobody", "pause") == REFUSED
    assert "There is no such campaign" in capsys.readouterr().err


async def _never(_: httpx.AsyncClient) -> int:
    raise AssertionError("nothing is to be asked")


async def _asked(client: httpx.AsyncClient) -> int:
    return await show(client)


def test_what_keeps_it_from_asking(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "ivr.yaml"
    assert run(config, "campaigns:read", _never) == USAGE
    config.write_text("api: {port: 9}")
    assert run(config, "campaigns:read", _never) == USAGE
    assert "no key of api.keys has the scope campaigns:read" in capsys.readouterr().err
    config.write_text("api: {port: 9, keys: {a: {key: 0123456789abcdef, scopes: ['campaigns:read']}}}")
    assert run(config, "campaigns:read", _asked) == USAGE
    assert "the server at http://127.0.0.1:9 cannot be asked" in capsys.readouterr().err
