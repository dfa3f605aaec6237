"""X-headers as a flow's parameters."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ivr.callheaders import bind, context_headers, x_headers
from ivr.config import Config
from ivr.flow.loader import load_flow
from ivr.flow.model import Flow
from ivr.flow.problems import ParamError
from ivr.library import LibraryError
from ivr.shelf.opening import read_library

FLOW = """
flow: order
languages: [en]
params: {order: digits, amount: rupees}
start: tell
steps:
  tell: {say: offer, next: bye}
  bye: {end: normal}
prompts:
  offer: {en: "Order {{ order }}, {{ amount }}."}
"""
NAMED = {"order": "X-Order-Id", "amount": "X-Amount"}


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    path = tmp_path / "order.yaml"
    path.write_text(FLOW, encoding="utf-8")
    return load_flow(path)


def test_a_header_gives_the_value_of_its_parameter(flow: Flow) -> None:
    headers = {"x-order-id": "4821", "X-AMOUNT": "850.50", "X-Other": "1", "User-Agent": "x"}
    raw, values = bind(flow, {"order": "1"}, NAMED, headers)
    assert raw == {"order": "4821", "amount": "850.50"}
    assert values == flow.bind(raw)


def test_whole_numbers_are_read_from_the_text_of_a_header(tmp_path: Path) -> None:
    path = tmp_path / "order.yaml"
    path.write_text(FLOW.replace("amount: rupees", "amount: minutes"), encoding="utf-8")
    raw, _ = bind(load_flow(path), {"order": "1"}, NAMED, {"X-Amount": "15"})
    assert raw == {"order": "1", "amount": 15}


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ({"params": {"order": "1"}}, "numbers: 100: amount: is missing"),
        ({"params": {"order": "1", "amount": "much"}}, "numbers: 100: amount: must be a number"),
        ({"params": {"order": 1}, "params_from_headers": NAMED}, "numbers: 100: order: must be digits"),
        (
            {"params": {"order": "1", "amount": 5}, "params_from_headers": {"ordr": "X-Order"}},
            "numbers: 100: ordr: is not a parameter of order",
        ),
    ],
)
def test_a_number_whose_calls_would_all_be_refused_stops_the_start(
    flow: Flow, tmp_path: Path, number: dict[str, object], message: str
) -> None:
    config = {"flows": str(tmp_path), "numbers": {"100": {"flow": "order", **number}}}
    with pytest.raises(LibraryError, match=re.escape(message)):
        read_library(Config.model_validate(config))
    config["numbers"] = {"100": {"flow": "order", "params": {"order": "1"}, "params_from_headers": NAMED}}
    assert read_library(Config.model_validate(config))[0].names == (flow.name,)


def test_a_header_that_is_missing_or_does_not_fit_leaves_the_configured_value(flow: Flow) -> None:
    raw, _ = bind(flow, {"order": "1", "amount": 5}, NAMED, {"X-Amount": "much"})
    assert raw == {"order": "1", "amount": 5}


def test_without_a_configured_value_the_call_is_refused_for_it(flow: Flow) -> None:
    for headers in ({}, {"X-Order-Id": "not digits"}):
        with pytest.raises(ParamError) as refused:
            bind(flow, {"amount": 5}, NAMED, headers)
        assert list(refused.value.fields) == ["order"]


def test_what_is_kept_is_bounded_and_can_be_stored() -> None:
    headers = {f"X-{number}": "v" for number in range(100)} | {"From": "x"}
    assert list(x_headers(headers)) == [f"X-{number}" for number in range(32)]
    assert x_headers({"X-A": "a" * 1000})["X-A"] == "a" * 256
    assert x_headers({"X-A": "caf\udce9 \x07bell"}) == {"X-A": "caf\ufffd bell"}


def test_what_goes_with_a_transfer_becomes_x_headers() -> None:
    context = {"order_id": "48213", "eta": 20, "reason": None, "note": "एक\r\nX-Evil: 1", "list": ["a"]}
    assert context_headers(context) == {
        "X-Order-Id": "48213",
        "X-Eta": "20",
        "X-Note": "एकX-Evil: 1",
        "X-List": '["a"]',
    }
    assert len(context_headers({f"n{i}": "x" * 1000 for i in range(100)})) == 32
