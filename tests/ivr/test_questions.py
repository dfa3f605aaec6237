"""A live call asks a classifier: over HTTP, with a deadline, and not a moment longer than it is of use."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ivr.classifiers import Classifiers, HttpAsker
from ivr.config import HttpClassifier
from ivr.flow.loader import load_flow
from ivr.flow.model import Flow
from tests.fakes.classifiers import FakeClassifier, fake_classifier
from tests.fakes.engines import ToneSynthesizer
from tests.fakes.leg import FakeLeg
from tests.ivr.test_call import FLOW, Scene

SPEECH = [b"\x10\x10" * 160] * 20 + [bytes(320)] * 60
SAID = "yes I think that I can have it ready for you soon"


@pytest.fixture
def fake() -> Iterator[FakeClassifier]:
    with fake_classifier() as fake:
        yield fake


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    path = tmp_path / "confirm.yaml"
    asks = FLOW.replace("languages: [en]", "languages: [en]\nunderstanding: {by: [nlu], within: 5s}")
    path.write_text(asks, encoding="utf-8")
    return load_flow(path)


async def speaking(flow: Flow, fake: FakeClassifier, tmp_path: Path) -> Scene:
    """A call in which something was said that leaves a doubt; it has been asked about."""
    client = httpx.AsyncClient()
    classifiers = Classifiers({"nlu": HttpAsker(HttpClassifier(url=fake.url, deadline_s=5), client)})
    call = Scene(flow, tmp_path, FakeLeg(), ToneSynthesizer(), [SAID], classifiers=classifiers)
    call.task.add_done_callback(lambda _: asyncio.ensure_future(client.aclose()))
    await call.leg.hears()
    await call.leg.until(lambda leg: leg.sink is not None)
    call.leg.speak(SPEECH)
    async with asyncio.timeout(10):
        while not fake.asked:
            await asyncio.sleep(0.01)
    return call


async def test_its_answer_decides(flow: Flow, fake: FakeClassifier, tmp_path: Path) -> None:
    fake.meant = "deny"
    call = await speaking(flow, fake, tmp_path)
    await call.leg.until(lambda leg: len(leg.played) == 2)
    assert call.notebook.commits == [{"decision": "rejected"}]
    assert ("classified", {"id": "classify2", "option": "deny", "by": "nlu"}) in call.notebook.notes
    call.leg.far_end_hangs_up()
    await call.ends()


async def test_without_an_answer_the_phrases_decide(flow: Flow, fake: FakeClassifier, tmp_path: Path) -> None:
    fake.mood = "dies"
    call = await speaking(flow, fake, tmp_path)
    await call.leg.until(lambda leg: len(leg.played) == 2)
    assert call.notebook.commits == [{"decision": "accepted"}]
    assert "unclassified" in call.notebook.order
    call.leg.far_end_hangs_up()
    await call.ends()


async def test_a_key_wins_over_one_that_is_slow(flow: Flow, fake: FakeClassifier, tmp_path: Path) -> None:
    fake.mood, fake.meant = "slow", "affirm"
    call = await speaking(flow, fake, tmp_path)
    call.leg.press("2")
    await call.leg.until(lambda leg: len(leg.played) == 2)
    assert call.notebook.commits == [{"decision": "rejected"}]
    fake.release.set()
    call.leg.far_end_hangs_up()
    await call.ends()
    assert "classified" not in call.notebook.order


async def test_a_hang_up_ends_it(flow: Flow, fake: FakeClassifier, tmp_path: Path) -> None:
    fake.mood = "slow"
    call = await speaking(flow, fake, tmp_path)
    call.leg.far_end_hangs_up()
    ended = await call.ends()
    assert ended.result == {"decision": "unreached"}
    assert not {"classified", "unclassified"} & set(call.notebook.order)
