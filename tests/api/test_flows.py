"""Flows over the API: seen, checked, put in place, and none of anybody's changes lost."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import httpx
import pytest

from engines.contract import EngineUnavailable
from ivr.api.flow_models import FlowDetail, FlowList
from ivr.flow.composing import MAX_BYTES
from ivr.shelf.keeper import FlowKeeper
from tests.api.conftest import bearer
from tests.api.fake_gateway import FakeGateway
from tests.shelf.flows import HereReader, flow, write

SHOP = "params: {shop: text}\n"
BAD = flow().replace("next: bye", "next: by").replace("[en]", "[en, xx]")


@pytest.fixture
def folder(keeper: FlowKeeper) -> Path:
    return keeper.folder


@pytest.fixture(autouse=True)
def as_author(api: httpx.AsyncClient) -> None:
    api.headers.update(bearer("author"))


async def reload(api: httpx.AsyncClient) -> list[str]:
    answer = await api.post("/api/flows/reload")
    assert answer.status_code == 200
    return [f"{change['what']} {change['name']}" for change in answer.json()["changes"]]


async def put(
    api: httpx.AsyncClient, text: str, etag: str | None = None, name: str = "hello", **query: str
) -> httpx.Response:
    headers = {} if etag is None else {"If-Match": etag}
    return await api.put(f"/api/flows/{name}", content=text, headers=headers, params=query)


async def test_a_new_flow_is_put_seen_and_kept_as_a_file(api: httpx.AsyncClient, folder: Path) -> None:
    answer = await put(api, flow())
    assert (answer.status_code, answer.headers["location"]) == (201, "/api/flows/hello")
    told = answer.json()
    assert (told["name"], told["created"], told["dry_run"]) == ("hello", True, False)
    assert (folder / "hello.yaml").read_text(encoding="utf-8") == flow()
    assert os.listdir(folder) == ["hello.yaml"]
    shown = await api.get("/api/flows/hello")
    assert shown.headers["etag"] == answer.headers["etag"] == f'"{told["etag"]}"'
    detail = shown.json()
    FlowDetail.model_validate(detail)
    assert detail["text"] == flow()
    assert (detail["state"], detail["hash"], detail["by"]) == ("current", told["hash"], "author")
    assert (detail["languages"], detail["steps"], detail["problems"]) == (["en"], 2, [])


async def test_the_text_alone(api: httpx.AsyncClient) -> None:
    await put(api, flow())
    answer = await api.get("/api/flows/hello", headers={"Accept": "application/yaml;q=1, */*"})
    assert answer.headers["content-type"].startswith("application/yaml")
    assert answer.headers["vary"] == "Accept"
    assert answer.text == flow()


async def test_a_change_needs_the_text_it_was_made_of(api: httpx.AsyncClient, folder: Path) -> None:
    first = (await put(api, flow())).headers["etag"]
    assert (await put(api, flow(says="Well."))).status_code == 428
    second = await put(api, flow(says="Well."), first)
    assert second.status_code == 200
    late = await put(api, flow(says="Lost?"), first)
    assert late.status_code == 412
    assert late.json()["etag"] == second.json()["etag"]
    assert (folder / "hello.yaml").read_text(encoding="utf-8") == flow(says="Well.")
    assert (await put(api, flow(says="Any."), "*")).status_code == 200
    assert (await put(api, flow(says="Weak."), f"W/{second.headers['etag']}")).status_code == 412


async def test_a_comment_is_a_change_of_the_text_and_no_new_version(api: httpx.AsyncClient) -> None:
    first = await put(api, flow())
    second = await put(api, "# Says hello.\n" + flow(), first.headers["etag"])
    assert second.json()["hash"] == first.json()["hash"]
    assert second.headers["etag"] != first.headers["etag"]
    assert (await put(api, "# Greets.\n" + flow(), first.headers["etag"])).status_code == 412


async def test_a_file_that_was_edited_meanwhile_is_not_overwritten(
    api: httpx.AsyncClient, folder: Path
) -> None:
    etag = (await put(api, flow())).headers["etag"]
    write(folder, "hello.yaml", flow(says="Edited."))
    assert (await put(api, flow(says="Put."), etag)).status_code == 412
    assert await reload(api) == ["replaced hello"]


async def test_conditions_for_new_flows(api: httpx.AsyncClient) -> None:
    assert (await put(api, flow(), '"0"')).status_code == 412
    new = {"If-None-Match": "*"}
    assert (await api.put("/api/flows/hello", content=flow(), headers=new)).status_code == 201
    assert (await api.put("/api/flows/hello", content=flow(), headers=new)).status_code == 412


async def test_every_mistake_is_told_and_nothing_is_changed(api: httpx.AsyncClient, folder: Path) -> None:
    answer = await put(api, BAD)
    assert answer.status_code == 422
    told = answer.json()
    assert (told["type"], told["detail"]) == ("/problems/flow-refused", "the flow has 2 problems")
    first, second = told["problems"]
    assert (first["line"], first["column"], first["rule"], first["file"]) == (2, 17, 3, "hello.yaml")
    assert second["message"] == 'next of step hello leads to "by", and there is no such step'
    assert second["hint"] == 'did you mean "bye"?'
    assert os.listdir(folder) == []
    assert (await api.get("/api/flows")).json() == {"flows": []}


async def test_a_try_changes_nothing(api: httpx.AsyncClient, folder: Path) -> None:
    answer = await put(api, flow(), dry_run="true")
    assert (answer.status_code, answer.json()["dry_run"]) == (200, True)
    assert os.listdir(folder) == []
    await put(api, flow())
    tried = await put(api, flow(says="Well."), dry_run="true")
    assert (tried.status_code, tried.json()["created"]) == (200, False)
    assert (await put(api, BAD, dry_run="true")).status_code == 422
    assert (folder / "hello.yaml").read_text(encoding="utf-8") == flow()


async def test_the_name_in_the_text_must_be_that_of_the_address(api: httpx.AsyncClient) -> None:
    (told,) = (await put(api, "# A flow.\nflow:  other\n" + flow().partition("\n")[2])).json()["problems"]
    assert (told["line"], told["column"], told["hint"]) == (2, 8, "write flow: hello")


async def test_a_flow_must_fit_the_numbers_that_it_answers(api: httpx.AsyncClient) -> None:
    assert (await put(api, flow("greeting", more=SHOP), name="greeting")).status_code == 201
    (told,) = (await put(api, flow("greeting"), "*", "greeting")).json()["problems"]
    assert told["message"] == "numbers: 100: shop: is not a parameter of greeting"


@pytest.mark.parametrize("name", ["..%2Fevil", "a%2Fb", ".hidden", "a.scenarios", "%00", "ä", "x" * 61, "1a"])
async def test_names_cannot_leave_the_folder(api: httpx.AsyncClient, folder: Path, name: str) -> None:
    answer = await api.put(f"/api/flows/{name}", content=flow())
    assert answer.status_code in (404, 405, 422)
    assert os.listdir(folder) == []


async def test_a_flow_of_a_deeper_folder_is_put_where_it_lies(api: httpx.AsyncClient, folder: Path) -> None:
    write(folder, "shops/first.yaml", flow())
    assert await reload(api) == ["added hello"]
    assert (await put(api, flow(says="Well."), "*")).status_code == 200
    assert (folder / "shops" / "first.yaml").read_text(encoding="utf-8") == flow(says="Well.")
    assert not (folder / "hello.yaml").exists()


async def test_a_file_that_holds_another_flow_is_left_alone(api: httpx.AsyncClient, folder: Path) -> None:
    write(folder, "hello.yaml", flow("other"))
    await reload(api)
    assert (await put(api, flow(), "*")).status_code == 409
    assert (folder / "hello.yaml").read_text(encoding="utf-8") == flow("other")


async def test_a_text_that_is_too_large_is_refused(api: httpx.AsyncClient) -> None:
    padded = flow() + "#" * (MAX_BYTES - len(flow()))
    assert (await put(api, padded)).status_code == 201
    assert (await put(api, padded + "#", "*")).status_code == 413


async def test_odd_bytes_are_a_problem_with_a_place(api: httpx.AsyncClient) -> None:
    answer = await api.put("/api/flows/hello", content=b"flow: hello\n\xff\n")
    assert (answer.status_code, answer.json()["problems"][0]["line"]) == (422, 2)


async def test_a_folder_that_cannot_be_written(api: httpx.AsyncClient, keeper: FlowKeeper) -> None:
    keeper.folder.rmdir()
    keeper.folder.write_text("a file")
    answer = await put(api, flow())
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/flow-not-written")


async def test_while_nothing_can_be_read(api: httpx.AsyncClient, keeper: FlowKeeper) -> None:
    reader = keeper._reader
    assert isinstance(reader, HereReader)
    reader.failure = EngineUnavailable("flows is down")
    for answer in (await put(api, flow()), await api.post("/api/flows/reload")):
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/flows-unreadable")
        assert answer.headers["retry-after"] == "2"


async def test_a_broken_file_is_shown_with_its_problems_until_it_is_mended(
    api: httpx.AsyncClient, folder: Path
) -> None:
    good = (await put(api, flow())).json()
    write(folder, "hello.yaml", BAD)
    assert await reload(api) == ["refused hello"]
    listed = (await api.get("/api/flows")).json()
    FlowList.model_validate(listed)
    (shown,) = listed["flows"]
    assert (shown["state"], shown["hash"], len(shown["problems"])) == ("behind", good["hash"], 2)
    detail = await api.get("/api/flows/hello")
    assert detail.json()["text"] == BAD
    mended = await put(api, flow(says="Well."), detail.headers["etag"])
    assert mended.status_code == 200
    assert (await api.get("/api/flows/hello")).json()["state"] == "current"


async def test_a_flow_whose_file_is_gone_is_shown_and_can_be_put_back(
    api: httpx.AsyncClient, folder: Path
) -> None:
    text = flow("greeting", more=SHOP)
    await put(api, text, name="greeting")
    (folder / "greeting.yaml").unlink()
    assert await reload(api) == ["kept greeting"]
    while (shown := await api.get("/api/flows/greeting")).status_code == 404:
        await asyncio.sleep(0)  # the history is written a moment later
    assert (shown.json()["state"], shown.json()["text"]) == ("behind", text)
    assert (await put(api, text, '"0"', "greeting")).status_code == 412
    back = await put(api, text, shown.headers["etag"], "greeting")
    assert (back.status_code, back.json()["created"]) == (200, False)
    assert (await api.get("/api/flows/greeting")).json()["state"] == "current"
    assert (folder / "greeting.yaml").read_text(encoding="utf-8") == text


async def test_calls_of_older_versions_are_counted(api: httpx.AsyncClient, gateway: FakeGateway) -> None:
    now = (await put(api, flow())).json()["hash"]
    gateway.calls_of_flows = {("hello", now): 2, ("hello", "older"): 3, ("other", now): 7}
    shown = (await api.get("/api/flows/hello")).json()
    assert (shown["calls"], shown["calls_behind"]) == (5, 3)


async def test_the_history_has_every_version_and_leads_back(api: httpx.AsyncClient, folder: Path) -> None:
    first = (await put(api, flow())).json()["hash"]
    second = (await put(api, flow(says="Well."), "*")).json()["hash"]
    write(folder, "hello.yaml", flow(says="By hand."))
    await reload(api)
    versions = await history(api, 3)
    assert [(v["hash"], v["by"]) for v in versions[1:]] == [(second, "author"), (first, "author")]
    assert versions[0]["by"] == "file"
    old = await api.get(f"/api/flows/hello/versions/{first}", headers={"Accept": "application/yaml"})
    assert old.text == flow()
    back = await put(api, old.text, "*")
    assert back.json()["hash"] == first
    newest = (await history(api, 4))[0]
    assert newest["hash"] == first


async def history(api: httpx.AsyncClient, count: int) -> list[dict[str, str]]:
    """Once so many versions are there: they are written a moment later."""
    while len(found := (await api.get("/api/flows/hello/versions")).json()["versions"]) < count:
        await asyncio.sleep(0)
    return list(found)


async def test_what_is_not_there_is_told(api: httpx.AsyncClient) -> None:
    await put(api, flow())
    missing = await api.get("/api/flows/helo")
    assert (missing.status_code, missing.json()["known"]) == (404, ["hello"])
    for path in ("/api/flows/helo/versions", "/api/flows/hello/versions/abc"):
        assert (await api.get(path)).status_code == 404


async def test_scopes(api: httpx.AsyncClient) -> None:
    reading, nobody = bearer("reader"), bearer("orders")
    assert (await api.get("/api/flows", headers=reading)).status_code == 200
    assert (await api.put("/api/flows/hello", content=flow(), headers=reading)).status_code == 403
    assert (await api.post("/api/flows/reload", headers=reading)).status_code == 403
    for path in ("", "/hello", "/hello/versions", "/hello/versions/abc"):
        assert (await api.get(f"/api/flows{path}", headers=nobody)).status_code == 403
        assert (await api.get(f"/api/flows{path}", headers={"Authorization": ""})).status_code == 401


async def test_the_scenarios_that_lie_beside_a_flow(api: httpx.AsyncClient, folder: Path) -> None:
    await put(api, flow())
    none = await api.get("/api/flows/hello/scenarios")
    assert (none.status_code, none.json()["type"]) == (404, "/problems/no-scenarios")
    (folder / "hello.scenarios.yaml").write_text("flow: hello\nscenarios: []\n", encoding="utf-8")
    answer = await api.get("/api/flows/hello/scenarios")
    assert answer.headers["content-type"].startswith("application/yaml")
    assert answer.text == "flow: hello\nscenarios: []\n"
    assert (await api.get("/api/flows/other/scenarios")).status_code == 404
