"""Runs scenarios on the virtual call."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from ivr.flow.model import Flow
from ivr.flow.notices import LeftBy, Notice
from ivr.flow.protocol import Transferred
from ivr.flow.scenario_player import (
    Action,
    Answer,
    Dictate,
    Failed,
    HangUpNow,
    MoveInQueue,
    Player,
    PressKey,
    Refuse,
    SendSignal,
    SettleAgent,
    SettleTransfer,
    Speak,
    TellWho,
)
from ivr.flow.scenarios import Scenario
from ivr.flow.virtual_call import VirtualCall


@dataclass(frozen=True, slots=True)
class Played:
    """How a scenario went: its failure (None: all came true), the steps entered, and how each was left.
    `skipped` says why it was not played at all, or is empty."""

    failure: Failed | None
    path: tuple[str, ...] = ()
    outcomes: tuple[LeftBy, ...] = ()
    skipped: str = ""


def rehearse(flow: Flow, scenario: Scenario, make: type[VirtualCall] = VirtualCall) -> Failed | None:
    """Plays a scenario to the end of its call, in virtual time; None when all of it came true."""
    return play(flow, scenario, make).failure


def play(flow: Flow, scenario: Scenario, make: type[VirtualCall] = VirtualCall) -> Played:
    """As `rehearse`, and tells the way the call took."""
    call = make(flow, scenario.values, today=scenario.today)
    language = call.machine.language
    player = Player(scenario, language, respell=flow.manner.say_as.get(language))
    player.begin(call.now)
    _tell(player, call, call.start(), [])
    while player.failure is None and call.over is None:
        player_due = player.due
        call_due = call.due
        if player_due is not None and (call_due is None or player_due < call_due):
            call.advance(player_due)
            _tell(player, call, [], player.tick(call.now))
        elif call_due is not None:
            _tell(player, call, call.advance(call_due), [])
        else:
            break
    return Played(player.finish(), player.path, player.outcomes)


def _tell(player: Player, call: VirtualCall, notices: Iterable[Notice], actions: Iterable[Action]) -> None:
    """Tells the player what is to be noticed and does what it wants, until both have nothing more."""
    news, wishes = deque(notices), deque(actions)
    while news or wishes:
        if news:
            wishes += player.notice(news.popleft(), call.now)
        else:
            news += _do(call, wishes.popleft())
            if not news:
                wishes += player.tick(call.now) if not wishes else []


def _do(call: VirtualCall, action: Action) -> list[Notice]:
    match action:
        case PressKey(key):
            return call.press(key)
        case Speak(text, means):
            return call.say(text, means)
        case TellWho(who):
            return call.answer(who)
        case Dictate(seconds):
            return call.dictate(seconds)
        case HangUpNow():
            return call.hang_up()
        case Answer(status, body):
            return call.reply(status, body)
        case Refuse(reason):
            return call.fail_request(reason)
        case SendSignal(name, values):
            return call.signal(name, values)
        case MoveInQueue(place):
            return call.queue(place)
        case SettleAgent(outcome, slots, summary):
            return call.converse(outcome, slots, summary)
        case SettleTransfer(outcome):
            return call.settle_transfer(Transferred(outcome))
        case _:
            assert_never(action)
