"""What is shown of a call's turns, from the store and from a server."""

from __future__ import annotations

import json
import struct
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ivr.store import CallEvent, NewCall, Store, database_url
from ivr.trace.command import Options, run
from ivr.trace.model import CallTrace, trace_of
from ivr.trace.page import page
from ivr.trace.picture import lanes, picture
from ivr.trace.text import text
from ivr.waterfall import CACHE, About, Stage, TurnTimes

SPOKEN = TurnTimes(
    1,
    About("ask_order", "collect", "hi"),
    {
        Stage.SPEECH_END: 3.0,
        Stage.PAUSE: 3.2,
        Stage.ENDPOINT: 3.5,
        Stage.FINAL: 3.35,
        Stage.INTENT: 3.5,
        Stage.FIRST_SENTENCE: 3.5,
        Stage.FIRST_AUDIO: 3.65,
        Stage.FIRST_PACKET: 3.66,
    },
    {Stage.FINAL: "conformer", Stage.FIRST_AUDIO: "kokoro"},
)
KEYED = TurnTimes(
    2,
    About("menu", "menu", "hi"),
    {Stage.KEY: 71.0, Stage.FIRST_AUDIO: 71.004, Stage.FIRST_PACKET: 71.02},
    {Stage.FIRST_AUDIO: CACHE},
)
SILENT = TurnTimes(3, About("<ask>", "collect", "hi"), {Stage.SPEECH_END: 80.0, Stage.ENDPOINT: 80.5})

REPORT: dict[str, Any] = {
    "id": "c1",
    "flow": "support",
    "direction": "inbound",
    "created_at": "2025-11-22T09:30:00Z",
    "events": [
        {"kind": "answered", "data": {"codec": "PCMA"}},
        *({"kind": "turn", "data": turn.record(0.0)} for turn in (SPOKEN, KEYED, SILENT)),
    ],
}


@pytest.fixture
def trace() -> CallTrace:
    return trace_of(REPORT)


def test_the_trace_has_the_turns_and_their_figures(trace: CallTrace) -> None:
    assert [turn.reply_s for turn in trace.turns] == [pytest.approx(0.66), pytest.approx(0.02), None]
    assert trace.summary == (
        "3 turns · reply to speech p50 660, p95 660, worst 660 ms"
        " · reply to key p50 20, p95 20, worst 20 ms · 1 without a reply"
    )
    figures = trace.figures
    assert figures["reply_ms"]["key"] == {"p50": 20.0, "p95": 20.0, "max": 20.0}
    assert figures["turns"] == [turn.record(0.0) for turn in (SPOKEN, KEYED, SILENT)]


def test_what_is_no_call_is_refused() -> None:
    with pytest.raises(ValueError, match="no record of a call"):
        trace_of({"id": "c1"})
    with pytest.raises(ValueError, match="no turn"):
        trace_of({**REPORT, "events": [{"kind": "turn", "data": {}}]})


def test_as_text_every_stage_has_its_line(trace: CallTrace) -> None:
    lines = text(trace).splitlines()
    assert lines[0] == "support · inbound · 2025-11-22 09:30:00 UTC · c1"
    assert lines[3] == "  1  0:03.0  speech  ask_order (collect, hi)  660 ms"
    assert [line.split()[-2:] for line in lines[4:8]] == [
        ["200", "pause"],
        ["500", "endpoint"],
        ["final", "conformer"],
        ["500", "intent"],
    ]
    assert "  2  1:11.0  key  menu (menu, hi)  20 ms" in lines
    assert any(line.endswith("no reply") for line in lines)


def test_what_ran_at_the_same_time_stands_one_under_the_other() -> None:
    first, second = lanes(SPOKEN.bars)
    assert [bar.stage for bar in second] == [Stage.ENDPOINT]
    assert [bar.stage for bar in first][:2] == [Stage.PAUSE, Stage.FINAL]
    for lane in (first, second):
        assert all(a.end_s <= b.start_s for a, b in pairwise(lane))


def test_the_picture_has_a_bar_for_every_stage(trace: CallTrace) -> None:
    drawn = ElementTree.fromstring(picture(trace))
    tips = [title.text for title in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert len(tips) == sum(len(turn.bars) for turn in trace.turns)
    assert "transcript: 150 ms, at 350 ms, conformer" in tips
    words = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"660 ms", "20 ms", "no reply", "<ask> · collect · hi"} <= set(words)


def test_the_page_needs_nothing_else(trace: CallTrace) -> None:
    html = page(trace)
    assert "<script" not in html
    assert "src=" not in html
    assert "&lt;ask&gt;" in html
    assert '<td class="ms">150.0</td><td class="ms">350.0</td>' in html


async def _stored(folder: Path) -> Path:
    store = await Store.open(database_url(folder / "var"))
    try:
        for number, began in (("old", 100.0), ("new", 200.0), ("mute", 50.0)):
            await store.create_call(
                NewCall(
                    number,
                    "inbound",
                    began,
                    flow="support",
                    flow_hash="",
                    trunk="t",
                    caller="1",
                    called="2",
                    params={},
                )
            )
        await store.append_events("old", [CallEvent(101.0, "turn", KEYED.record(0.0))], durable=True)
        await store.append_events("new", [CallEvent(201.0, "turn", SPOKEN.record(0.0))], durable=True)
    finally:
        await store.close()
    config = folder / "ivr.yaml"
    config.write_text("store: {path: var}\n", encoding="utf-8")
    return config


async def test_a_call_comes_from_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = await _stored(tmp_path)
    monkeypatch.chdir(tmp_path)
    out = StringIO()
    assert run(Options("old", config, format="json"), out) == 0
    assert json.loads(out.getvalue())["turns"] == [KEYED.record(0.0)]
    assert run(Options("last", config, format="html"), out := StringIO()) == 0
    assert out.getvalue().startswith("trace-new.html: 1 turn · reply to speech")
    assert "conformer" in (tmp_path / "trace-new.html").read_text(encoding="utf-8")
    for unknown, why in (("nobody", "there is no call nobody"), ("mute", "call mute has no turn")):
        assert run(Options(unknown, config), out) == 1
        assert why in capsys.readouterr().err


async def test_the_png_is_the_picture_at_twice_its_size(tmp_path: Path) -> None:
    config = await _stored(tmp_path)
    assert run(Options("new", config, format="png", out=tmp_path / "a.png"), StringIO()) == 0
    head = (tmp_path / "a.png").read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", head[16:24])[0] == 2 * 1080


@contextmanager
def serving(answers: dict[str, tuple[int, dict[str, Any]]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers[self.path]
            if self.headers["Authorization"] != "Bearer secret":
                status, body = 401, {"detail": "a key is needed"}
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_call_comes_from_a_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers = {
        "/api/voice/calls?limit=1": (200, {"calls": [{"id": "c1"}]}),
        "/api/voice/calls/c1": (200, REPORT),
        "/api/voice/calls/c2": (404, {"detail": "there is no call c2"}),
    }
    with serving(answers) as url:
        assert run(Options("last", tmp_path, url, "secret"), out := StringIO()) == 0
        assert out.getvalue().startswith("support · inbound")
        assert run(Options("c2", tmp_path, url, "secret"), StringIO()) == 1
        assert "404: there is no call c2" in capsys.readouterr().err
        assert run(Options("c1", tmp_path, url), StringIO()) == 1
        assert "401: a key is needed" in capsys.readouterr().err
