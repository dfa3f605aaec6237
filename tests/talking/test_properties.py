"""Whatever happens, in whatever order: one request at a time, nobody is talked over, and it ends once."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engines.llm.contract import Finished, FromModel, FromTool, Slow, Words
from ivr.flow.agent_protocol import (
    AgentCalls,
    AgentPrepares,
    AgentSays,
    AgentSums,
    Bounds,
    Conversed,
    Dropped,
    NoInput,
    Presumed,
    Said,
    Summarise,
    ToolDone,
)
from ivr.flow.protocol import Heard, Key, NothingSaid, SpeechBegan
from ivr.talking.asking import Style
from ivr.talking.dialogue import Dialogue
from ivr.talking.protocol import Ask, Broke, Cancel, Count, Find, Found, Got, Spent, Wake
from ivr.talking.speaking import AHEAD
from tests.talking.driver import begin, call

WORDS = st.sampled_from(["order 482", "where is it", "बहुत बकवास", "yes", ""])
PIECES = st.sampled_from(
    [
        Slow(),
        Words("I see it. And"),
        Words(" more of it? Yes."),
        Words("In 45 minutes. So"),
        Words(""),
        call("fill", order="482"),
        call("fill", order="x"),
        call("order-state"),
        call("person"),
        call("done"),
        call("shell"),
        call("order-state", "no JSON"),
        Finished("m"),
        Finished("m", cut=True),
    ]
)
EVENTS: st.SearchStrategy[Any] = st.one_of(
    st.builds(Heard, WORDS),
    st.builds(Presumed, WORDS),
    st.sampled_from(
        [SpeechBegan(), NothingSaid(), Dropped(), NoInput(8.0), Summarise(), Wake(), Key("4"), Key("#")]
    ),
    st.builds(Spent, st.just(0.4)),
    PIECES,
    st.sampled_from(["said", "cut", "tool", "tool fails", "breaks", "found"]),
)


@settings(max_examples=100)
@given(st.lists(EVENTS, max_size=40), st.booleans(), st.booleans())
def test_whatever_happens(events: list[Any], knowledge: bool, summary: bool) -> None:
    first = begin(knowledge=("returns",) if knowledge else (), summary=summary, bounds=Bounds(5, 60.0, 6.0))
    dialogue = Dialogue(first, 0.0, Style())
    running: set[str] = set()
    out: list[str] = []
    uses: list[str] = []
    last = ""
    speaking = False
    closing = False
    ended = 0
    for number, event in enumerate(events):  # a second each: no speech is given up
        match event:
            case "said" | "cut":
                if not out:
                    continue
                event = Said(out.pop(0), event == "cut", "I see" if event == "cut" else None)
            case "tool" | "tool fails":
                if not uses:
                    continue
                event = ToolDone(uses.pop(0), {"minutes": 5}, "" if event == "tool" else "no answer")
            case "breaks":
                event = Broke(last, "gone")
            case "found":
                event = Found(last, ("returns.md: 14 days",))
            case Slow() | Words() | Finished():
                event = Got(last, event)
            case _ if type(event).__name__ == "ToolCall":
                event = Got(last, event)
            case Summarise():
                closing = True
            case SpeechBegan():
                speaking = True
            case Heard() | NothingSaid():
                speaking = False
        now = float(number)
        if (isinstance(event, Got) and isinstance(event.piece, Finished)) or isinstance(event, Broke):
            running.discard(last)
        for command in dialogue.handle(event, now):
            assert not ended, "nothing after the end"
            match command:
                case Ask(id=id, request=request):
                    running.add(id)
                    last = id
                    assert request.messages[0].text
                    _is_well_formed(request.messages[1:])
                case Find(id=id):
                    last = id
                case Cancel(id=id):
                    running.discard(id)
                case AgentSays(mark=mark, text=text):
                    assert text
                    assert "45" not in text
                    assert not speaking, "nobody is talked over"
                    out.append(mark)
                case AgentPrepares(text=text):
                    assert "45" not in text
                case AgentCalls(call=id, tool=tool):
                    if tool == "order-state":
                        uses.append(id)
                    else:
                        ended += 1
                case Conversed():
                    ended += 1
                case AgentSums():
                    ended += closing
                case Count():
                    pass
        assert len([id for id in running if id.startswith("a")]) <= 1, "one answer at a time"
        assert len(running) <= 2, "and a summary"
        assert len(out) <= AHEAD + 2, "sentences, and words between"
    assert ended == dialogue.over


def _is_well_formed(messages: tuple[Any, ...]) -> None:
    """Calls have their answers right behind them, and nothing else has."""
    expected: list[str] = []
    for message in messages:
        if isinstance(message, FromTool):
            assert message.call == expected.pop(0)
            continue
        assert not expected
        if isinstance(message, FromModel):
            expected = [one.id for one in message.calls]
    assert not expected
