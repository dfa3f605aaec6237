"""examples/backend.py: an order is offered to the nearest rider, and to the next when he does not take it."""

from __future__ import annotations

import asyncio
import importlib.util
import io
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from ivr.phone.phone import open_phone
from ivr.phone.timeline import Timeline
from media.leg import Cause
from tests.server.conftest import KEY, ROOT, Bench, OpenBench

PICKUP = (18.52, 73.86)
NEAR, FURTHER, FAR = (18.521, 73.861), (18.55, 73.89), (18.60, 73.95)


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("example_backend", ROOT / "examples" / "backend.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_distances_are_those_of_the_earth(example: ModuleType) -> None:
    assert example.distance_km((18.5204, 73.8567), (19.0760, 72.8777)) == pytest.approx(120, abs=2)
    assert example.distance_km(PICKUP, PICKUP) == 0


class TestWithoutCalls:
    @pytest.fixture
    def calls(self) -> list[str]:
        return []

    @pytest.fixture
    def dispatcher(self, example: ModuleType, calls: list[str]) -> Any:
        def place_call(call: dict[str, Any], once: str) -> str:
            calls.append(f"{call['params']['rider']} {call['params']['distance_km']} km ({once})")
            if call["to"] == "nowhere":
                raise OSError("no such number")
            return "/call"

        places = {"far": ("3", FAR), "near": ("1", NEAR), "further": ("2", FURTHER)}
        riders = [example.Rider(name, *place) for name, place in places.items()]
        return example.Dispatcher(riders, place_call, lambda href: {"state": "talking"})

    def dispatched(self, example: ModuleType, dispatcher: Any) -> Any:
        return dispatcher.dispatch(example.Order("7", "Sharma Foods", PICKUP, 45))

    def test_riders_are_asked_by_distance_until_nobody_is_left(
        self, example: ModuleType, dispatcher: Any, calls: list[str]
    ) -> None:
        assert self.dispatched(example, dispatcher)["asking"] == "near"
        for rider, following in (("near", "further"), ("further", "far"), ("far", None)):
            dispatcher.passed("7", rider)
            assert dispatcher.state("7")["asking"] == following
        assert calls == ["near 1 km (7-1)", "further 5 km (7-2)", "far 13 km (7-3)"]

    def test_what_comes_twice_changes_nothing(
        self, example: ModuleType, dispatcher: Any, calls: list[str]
    ) -> None:
        self.dispatched(example, dispatcher)
        self.dispatched(example, dispatcher)
        dispatcher.passed("7", "near")
        dispatcher.passed("7", "near")
        assert dispatcher.state("7")["asking"] == "further"
        assert dispatcher.assign("7", "further") == {"assigned": True}
        assert dispatcher.assign("7", "further") == {"assigned": True}
        assert dispatcher.assign("7", "far") == {"assigned": False}
        dispatcher.passed("7", "further")
        assert len(calls) == 2
        assert dispatcher.state("7")["rider"] == "further"

    def test_a_late_yes_of_one_who_was_asked_counts_while_the_order_is_free(
        self, example: ModuleType, dispatcher: Any
    ) -> None:
        self.dispatched(example, dispatcher)
        dispatcher.passed("7", "near")
        assert dispatcher.assign("7", "near") == {"assigned": True}
        assert dispatcher.assign("7", "further") == {"assigned": False}

    def test_a_rider_who_cannot_be_called_is_passed_over(self, example: ModuleType, dispatcher: Any) -> None:
        dispatcher._riders[1] = example.Rider("near", "nowhere", NEAR)
        assert self.dispatched(example, dispatcher)["asked"] == ["near", "further"]


@pytest.fixture
def backend(example: ModuleType) -> Iterator[tuple[Any, str]]:
    """The example's HTTP server, whose dispatcher is set once the telephones are there."""
    answers = example.Backend(None)
    server = example.serve(answers, 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield answers, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


async def test_the_order_goes_to_the_next_rider_by_telephone(
    bench: OpenBench, example: ModuleType, backend: tuple[Any, str], tmp_path: Path
) -> None:
    """The nearest is busy, the next one refuses by key, the third takes it."""
    answers, url = backend
    (tmp_path / "flows").mkdir()
    shutil.copy(ROOT / "flows" / "rider_assignment.yaml", tmp_path / "flows")
    paths = {"order-webhook": "orders", "assign-rider": "assign", "next-rider": "next"}
    settings = {
        "flows": str(tmp_path / "flows"),
        "endpoints": {name: {"url": f"{url}/{path}"} for name, path in paths.items()},
        "queues": {},
        "numbers": {},
    }
    async with (
        bench(**settings) as b,
        open_phone(language="en", timeline=Timeline(io.StringIO())) as second,
        open_phone(language="en", timeline=Timeline(io.StringIO())) as third,
        httpx.AsyncClient(base_url=url, timeout=20) as shop,
    ):
        riders = [
            example.Rider("Asha", b.phone.address, NEAR, "en"),
            example.Rider("Ravi", second.address, FURTHER, "en"),
            example.Rider("Imran", third.address, FAR, "en"),
        ]
        dispatcher = example.Dispatcher(riders, *example.gateway(b.server.api, KEY))
        answers.routes.update(example.Backend(dispatcher).routes)
        order = {"order": "48213", "pickup": "Sharma Foods", "at": list(PICKUP), "fee": 45}
        asked = asyncio.create_task(shop.post("/dispatch", json=order))
        await b.phone.refuse(Cause.BUSY, within_s=30)
        assert (await asked).json()["asked"] == ["Asha"]
        call = await second.answer(within_s=30)
        await call.hear()
        await call.press("2")
        await call.until_hung_up(within_s=30)
        call = await third.answer(within_s=30)
        await call.hear()
        await call.press("1")
        await call.until_hung_up(within_s=30)
        assert dispatcher.state("48213") == {
            "order": "48213", "asked": ["Asha", "Ravi", "Imran"], "asking": None, "rider": "Imran",
        }  # fmt: skip
        assert await results(b) == {"unreached", "rejected", "accepted"}


async def results(bench: Bench) -> set[str]:
    calls = (await bench.api.get("/api/voice/calls")).json()["calls"]
    records = [await bench.ended(call["href"]) for call in calls]
    return {record["result"]["decision"] for record in records if record["result"]}
