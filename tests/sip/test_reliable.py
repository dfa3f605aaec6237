"""Reliable provisional responses: both sides, alone and against each other over a bad network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.reliable import (
    Heard,
    Provisional,
    ProvisionalOutput,
    Provisionals,
    RAck,
    SendProvisional,
    Then,
    parse_rseq,
)
from sip.timers import Timing

T = Timing()
RINGING = Provisional(180)
PROGRESS = Provisional(183, b"answer")


def rack(rseq: int, cseq: int = 7) -> RAck:
    return RAck(rseq, cseq, "INVITE")


def callee(first: int = 100) -> Provisionals:
    return Provisionals(7, first, T)


def test_repeated_with_doubling_pauses_until_64_t1_then_given_up() -> None:
    provisionals = callee()
    assert provisionals.provide(PROGRESS, 0.0) == [SendProvisional(PROGRESS, 100)]
    sent: list[float] = []
    while (due := provisionals.due) is not None:
        for output in provisionals.poll(due):
            if output is Then.GIVE_UP:
                assert due == 32.0
            else:
                sent.append(due)
    assert sent == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert provisionals.answer(33.0) == []


def test_the_second_waits_for_the_prack_of_the_first() -> None:
    provisionals = callee()
    assert provisionals.provide(RINGING, 0.0)
    assert provisionals.provide(PROGRESS, 0.1) == []
    assert provisionals.acknowledged(rack(100), 0.2) == (RINGING, [SendProvisional(PROGRESS, 101)])
    assert provisionals.due == 0.7
    assert provisionals.acknowledged(rack(101), 0.3) == (PROGRESS, [])
    assert provisionals.due is None


def test_the_answer_waits_while_a_description_is_unacknowledged() -> None:
    provisionals = callee()
    provisionals.provide(PROGRESS, 0.0)
    assert provisionals.answer(0.1) == []
    assert provisionals.provide(RINGING, 0.2) == []
    assert provisionals.poll(0.5) == [SendProvisional(PROGRESS, 100)]
    assert provisionals.acknowledged(rack(100), 0.6) == (PROGRESS, [Then.ANSWER])


def test_the_answer_does_not_wait_for_a_ringing_without_description() -> None:
    provisionals = callee()
    provisionals.provide(RINGING, 0.0)
    assert provisionals.answer(0.1) == [Then.ANSWER]
    assert provisionals.due is None
    assert provisionals.acknowledged(rack(100), 0.2) == (RINGING, [])


@pytest.mark.parametrize("wrong", [rack(99), rack(101), rack(100, cseq=8), RAck(100, 7, "UPDATE")])
def test_a_prack_of_nothing_we_sent(wrong: RAck) -> None:
    provisionals = callee()
    provisionals.provide(PROGRESS, 0.0)
    assert provisionals.acknowledged(wrong, 0.1) == (None, [])
    assert provisionals.due == 0.5


def test_a_repeated_prack_of_another_transaction_acknowledges_nothing() -> None:
    provisionals = callee()
    provisionals.provide(PROGRESS, 0.0)
    assert provisionals.acknowledged(rack(100), 0.1)[0] is PROGRESS
    assert provisionals.acknowledged(rack(100), 0.1)[0] is None


def test_responses_are_taken_in_order_and_once() -> None:
    heard = Heard()
    assert [heard.accepts(rseq) for rseq in (5, 5, 7, 6, 7, 6)] == [True, False, False, True, True, False]


@pytest.mark.parametrize(
    "text", ["", "1 INVITE", "1 2", "-1 2 INVITE", "1 2 IN VITE", "12345678901 1 INVITE"]
)
def test_broken_racks(text: str) -> None:
    with pytest.raises(ValueError, match="RAck"):
        RAck.parse(text)


def test_written_racks_are_read_again() -> None:
    assert RAck.parse(str(rack(776656))) == rack(776656)
    assert RAck.parse(" 1\t2  INVITE ") == RAck(1, 2, "INVITE")
    for text in ("0", "x", "4294967296", ""):
        with pytest.raises(ValueError, match="RSeq"):
            parse_rseq(text)
    assert parse_rseq(" 4294967295 ") == 2**32 - 1


class Net:
    """Carries numbers both ways; each may be lost, doubled or late, as the draws say."""

    def __init__(self, fates: list[int]) -> None:
        self._fates: Iterator[int] = iter(fates)
        self._flying: list[tuple[float, int, str, int]] = []
        self._count = 0

    def send(self, kind: str, number: int, now: float) -> None:
        fate = next(self._fates, 1)
        for copy in range((0, 1, 2, 1, 3)[fate]):
            self._count += 1
            self._flying.append(
                (now + (0.05, 0.05, 0.3, 2.5, 0.9)[fate] + copy / 7, self._count, kind, number)
            )

    @property
    def due(self) -> float | None:
        return min(self._flying)[0] if self._flying else None

    def arrived(self, now: float) -> list[tuple[str, int]]:
        here = sorted(item for item in self._flying if item[0] <= now)
        self._flying = [item for item in self._flying if item[0] > now]
        return [(kind, number) for _, _, kind, number in here]


@given(
    st.lists(st.integers(0, 4), max_size=40),
    st.lists(st.sampled_from([RINGING, PROGRESS]), min_size=1, max_size=5),
    st.booleans(),
)
def test_over_any_network_all_arrive_in_order_and_once_or_the_call_is_refused(
    fates: list[int], wanted: list[Provisional], answering: bool
) -> None:
    net, provisionals, heard = Net(fates), callee(), Heard()
    taken: list[int] = []
    thens: list[Then] = []

    def perform(outputs: list[ProvisionalOutput], now: float) -> None:
        for output in outputs:
            if isinstance(output, SendProvisional):
                net.send("18x", output.rseq, now)
            else:
                thens.append(output)

    for provisional in wanted:
        perform(provisionals.provide(provisional, 0.0), 0.0)
    if answering:
        perform(provisionals.answer(0.0), 0.0)
    while True:
        times = [time for time in (net.due, provisionals.due) if time is not None]
        if not times:
            break
        now = min(times)
        perform(provisionals.poll(now), now)
        for kind, number in net.arrived(now):
            if kind == "18x":
                if heard.accepts(number):
                    taken.append(number)
                if number in taken:  # the caller's transaction repeats a PRACK; a lost one comes so too
                    net.send("PRACK", number, now)
            else:
                perform(provisionals.acknowledged(rack(number), now)[1], now)
    assert taken == list(range(100, 100 + len(taken)))
    if Then.GIVE_UP in thens:
        assert thens == [Then.GIVE_UP]
    elif answering:
        assert thens == [Then.ANSWER]
        # What has a description was delivered before the answer was.
        assert len(taken) >= sum(1 for p in wanted if p.sdp is not None)
    else:
        assert thens == []
        assert len(taken) == len(wanted)
