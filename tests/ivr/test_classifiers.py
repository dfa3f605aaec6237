"""Classifiers: what is sent, what every kind of answer becomes, and how one that fails is left alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import httpx
import pytest

from engines.breaker import Breaker
from ivr.classifiers import Classifiers, HttpAsker, LlmAsker, classifiers_of
from ivr.config import Config, HttpClassifier, LlmClassifier
from ivr.flow.protocol import Classified, Classify, Option, Unclassified
from tests.fakes.classifiers import FakeClassifier, Mood, fake_classifier

QUESTION = Classify(
    "classify1",
    "haan bhai kar do",
    "hi",
    (Option("affirm", ("हाँ", "haan")), Option("deny", ("नहीं",))),
    ("nlu",),
    5.0,
    "vendor-order",
    "offer",
)


@pytest.fixture
def fake() -> Iterator[FakeClassifier]:
    with fake_classifier() as fake:
        yield fake


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as client:
        yield client


def both(fake: FakeClassifier, client: httpx.AsyncClient, deadline_s: float = 5.0) -> Classifiers:
    nlu = HttpClassifier(url=fake.url + "/meant", deadline_s=deadline_s, secret="a-secret-for-tests")
    llm = LlmClassifier(url=fake.url, model="small", key="sk-test", deadline_s=deadline_s)
    return classifiers_of({"nlu": nlu, "llm": llm}, client, lambda name, outcome, seconds: None)


@pytest.mark.parametrize("name", ["nlu", "llm"])
@pytest.mark.parametrize("meant", ["affirm", "deny", None])
async def test_it_chooses_an_option_or_none(
    fake: FakeClassifier, client: httpx.AsyncClient, name: str, meant: str | None
) -> None:
    fake.meant = meant
    answer = await both(fake, client).ask(replace(QUESTION, by=(name,)))
    assert answer == Classified("classify1", meant, name)


async def test_an_nlu_server_gets_the_words_and_the_options_signed(
    fake: FakeClassifier, client: httpx.AsyncClient
) -> None:
    await both(fake, client).ask(QUESTION)
    assert fake.asked == [
        {
            "text": "haan bhai kar do",
            "language": "hi",
            "options": [
                {"name": "affirm", "phrases": ["हाँ", "haan"]},
                {"name": "deny", "phrases": ["नहीं"]},
            ],
            "flow": "vendor-order",
            "step": "offer",
        }
    ]
    assert "X-Signature" in fake.headers[0]


async def test_a_language_model_is_asked_for_one_of_the_options(
    fake: FakeClassifier, client: httpx.AsyncClient
) -> None:
    await both(fake, client).ask(replace(QUESTION, by=("llm",)))
    (body,) = fake.asked
    assert (body["model"], body["temperature"]) == ("small", 0)
    schema = body["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert schema["schema"]["properties"]["option"]["enum"] == ["affirm", "deny", "none_of_them"]
    assert json.loads(body["messages"][1]["content"])["said"] == "haan bhai kar do"
    assert fake.headers[0]["Authorization"] == "Bearer sk-test"


async def test_a_weak_score_is_none(fake: FakeClassifier, client: httpx.AsyncClient) -> None:
    fake.meant, fake.score = "affirm", 0.4
    assert await both(fake, client).ask(QUESTION) == Classified("classify1", None, "nlu")


@pytest.mark.parametrize("name", ["nlu", "llm"])
@pytest.mark.parametrize("mood", ["nonsense", "refuses", "dies", "huge"])
async def test_what_is_no_answer_leaves_it_to_the_phrases(
    fake: FakeClassifier, client: httpx.AsyncClient, name: str, mood: Mood
) -> None:
    fake.mood = mood
    answer = await both(fake, client).ask(replace(QUESTION, by=(name,)))
    assert isinstance(answer, Unclassified)
    assert answer.reason.startswith(f"{name}: ")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        None,
        {"intent": "affirn"},
        {"intent": 3},
        {"intent": ["affirm"]},
        {"intent": "affirm", "score": "high"},
        {"intent": "affirm", "score": True},
    ],
)
async def test_an_answer_of_another_shape_is_none(answer: object) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=answer))
    async with httpx.AsyncClient(transport=transport) as client:
        asker = HttpAsker(HttpClassifier(url="http://nlu/"), client)
        assert isinstance(await Classifiers({"nlu": asker}).ask(QUESTION), Unclassified)


@pytest.mark.parametrize(
    "content",
    [None, "", "affirm", '{"option": "maybe"}', '{"option": ["affirm"]}', '{"intent": "affirm"}', "[]"],
)
async def test_a_model_that_talks_instead_is_not_believed(content: str | None) -> None:
    said = {"choices": [{"message": {"content": content}}]}
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=said))
    async with httpx.AsyncClient(transport=transport) as client:
        asker = LlmAsker(LlmClassifier(url="http://llm/v1/", model="small"), client)
        answer = await Classifiers({"llm": asker}).ask(replace(QUESTION, by=("llm",)))
        assert isinstance(answer, Unclassified)


async def test_the_next_is_asked_when_one_fails_or_knows_none(
    fake: FakeClassifier, client: httpx.AsyncClient
) -> None:
    with fake_classifier() as other:
        fake.mood, other.meant = "refuses", "deny"
        nlu = HttpClassifier(url=fake.url)
        llm = LlmClassifier(url=other.url, model="small")
        classifiers = classifiers_of({"nlu": nlu, "llm": llm}, client, lambda *observed: None)
        question = replace(QUESTION, by=("nlu", "llm"))
        assert await classifiers.ask(question) == Classified("classify1", "deny", "llm")
        fake.mood = "well"
        assert await classifiers.ask(question) == Classified("classify1", "deny", "llm")
        other.mood = "nonsense"
        assert await classifiers.ask(question) == Classified("classify1", None, "nlu"), "one said none"


async def test_one_that_is_slow_costs_its_deadline_and_then_nothing(
    fake: FakeClassifier, client: httpx.AsyncClient
) -> None:
    fake.mood = "slow"
    observed: list[tuple[str, str]] = []
    asker = HttpAsker(HttpClassifier(url=fake.url, deadline_s=0.05), client)
    classifiers = Classifiers(
        {"nlu": asker},
        lambda name, outcome, seconds: observed.append((name, outcome)),
        lambda: Breaker(2, 60.0),
    )
    for _ in range(4):
        assert isinstance(await classifiers.ask(QUESTION), Unclassified)
    assert observed == [("nlu", "late")] * 2 + [("nlu", "skipped")] * 2
    assert len(fake.asked) <= 2


async def test_all_together_have_the_time_that_the_flow_gives(
    fake: FakeClassifier, client: httpx.AsyncClient
) -> None:
    fake.mood = "slow"
    classifiers = both(fake, client, deadline_s=5.0)
    async with asyncio.timeout(4):
        answer = await classifiers.ask(replace(QUESTION, by=("nlu", "llm"), within_s=0.1))
    assert isinstance(answer, Unclassified)
    assert "no time is left" in answer.reason


async def test_a_question_that_is_taken_back_says_nothing_of_the_server(
    fake: FakeClassifier, client: httpx.AsyncClient
) -> None:
    fake.mood = "slow"
    asker = HttpAsker(HttpClassifier(url=fake.url, deadline_s=5.0), client)
    classifiers = Classifiers({"nlu": asker}, breaker=lambda: Breaker(1))
    task = asyncio.create_task(classifiers.ask(QUESTION))
    while not fake.asked:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    fake.mood = "well"
    assert isinstance(await classifiers.ask(QUESTION), Classified)


def test_a_model_makes_it_a_language_model() -> None:
    written = {"nlu": {"url": "http://nlu/"}, "llm": {"url": "http://llm/v1", "model": "small", "key": "k"}}
    config = Config.model_validate({"classifiers": written})
    assert isinstance(config.classifiers["nlu"], HttpClassifier)
    assert isinstance(config.classifiers["llm"], LlmClassifier)
    with pytest.raises(ValueError, match="min_score"):
        Config.model_validate({"classifiers": {"nlu": {"url": "http://nlu/", "min_score": 2}}})


class TestBreaker:
    def test_it_opens_after_failures_in_a_row(self) -> None:
        breaker = Breaker(2, 10.0)
        breaker.failed(1.0)
        breaker.succeeded()
        breaker.failed(2.0)
        assert breaker.admits(2.0)
        breaker.failed(3.0)
        assert not breaker.admits(12.9)

    def test_one_may_try_after_a_while_and_closes_it(self) -> None:
        breaker = Breaker(1, 10.0)
        breaker.failed(0.0)
        assert breaker.admits(10.0)
        assert not breaker.admits(10.1), "one at a time"
        breaker.succeeded()
        assert breaker.closed
        assert breaker.admits(10.2)

    def test_a_trial_that_fails_doubles_the_time(self) -> None:
        breaker = Breaker(1, 10.0, 30.0)
        breaker.failed(0.0)
        for tried, again in ((10.0, 30.0), (30.0, 60.0), (60.0, 90.0)):
            assert not breaker.admits(tried - 0.1)
            assert breaker.admits(tried)
            breaker.failed(tried)
            assert not breaker.admits(again - 0.1)

    def test_a_trial_that_was_given_up_lets_the_next_try(self) -> None:
        breaker = Breaker(1, 10.0)
        breaker.failed(0.0)
        assert breaker.admits(10.0)
        breaker.gave_up()
        assert breaker.admits(10.0)

    def test_those_that_were_under_way_when_it_opened_do_not_count(self) -> None:
        breaker = Breaker(2, 10.0)
        for at in (0.0, 0.1, 0.2, 0.3):
            breaker.failed(at)
        assert breaker.admits(10.1)
