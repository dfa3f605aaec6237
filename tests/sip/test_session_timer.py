"""Session timers: the table of RFC 4028 9, refreshing at half time, and giving up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.message import Request, Response
from sip.session_timer import MIN_SE_S, Due, IntervalTooSmall, SessionExpires, SessionTimer, Terms
from sip.trunks import Side
from tests.sip.sip_parts import answer, request


def invite(expires: str | None = None, *, able: bool = True, min_se: int | None = None) -> Request:
    lines = ["Supported: 100rel, timer\r\n"] if able else []
    lines += [f"Session-Expires: {expires}\r\n"] if expires else []
    lines += [f"Min-SE: {min_se}\r\n"] if min_se else []
    return request(extra="".join(lines))


def ok(fields: str = "") -> Response:
    return answer(request(), 200, extra=fields)


@pytest.mark.parametrize(
    ("asked", "wanted", "refresher", "said"),
    [
        # The caller names who refreshes: that is so.
        (invite("600;refresher=uac"), 1800, "us", "600;refresher=uac"),
        (invite("600;refresher=uas"), 1800, "them", "600;refresher=uas"),
        # It leaves it open: as the trunk says, else we.
        (invite("600"), 1800, None, "600;refresher=uas"),
        (invite("600"), 1800, "them", "600;refresher=uac"),
        # Our own wish makes it shorter, but not shorter than the caller's Min-SE.
        (invite("3600"), 1800, None, "1800;refresher=uas"),
        (invite("3600", min_se=2000), 1800, None, "2000;refresher=uas"),
        # It says nothing, but could: our wish.
        (invite(), 1800, None, "1800;refresher=uas"),
        (invite(), 1800, "them", "1800;refresher=uac"),
        # A proxy asks on behalf of a caller that cannot: only we can refresh.
        (invite("600", able=False), 1800, "them", "600;refresher=uas"),
        (invite("60", able=False), 1800, None, "90;refresher=uas"),
        # Nobody asks, or we do not want any.
        (invite(able=False), 1800, None, None),
        (invite("600"), 0, None, None),
        # What cannot be read was not said.
        (invite("soon"), 1800, None, "1800;refresher=uas"),
    ],
)
def test_what_a_caller_is_answered(
    asked: Request, wanted: int, refresher: Side | None, said: str | None
) -> None:
    timer = SessionTimer(wanted, refresher)
    fields = dict(timer.respond(asked, 0.0))
    assert fields.get("Session-Expires") == said
    assert ("Require" in fields) == (said is not None and said.endswith("uac"))
    assert (timer.due is None) == (said is None)


def test_a_short_interval_is_refused_with_ours() -> None:
    with pytest.raises(IntervalTooSmall) as error:
        SessionTimer(1800, None).check(invite("60"))
    assert error.value.fields == (("Min-SE", "90"),)


def test_a_422_is_answered_with_the_interval_that_it_wants_once() -> None:
    timer = SessionTimer(100, "us")
    assert timer.request() == (("Session-Expires", "100;refresher=uac"),)
    refused = answer(request(), 422, extra="Min-SE: 500")
    assert timer.too_small(refused)
    assert timer.request() == (("Session-Expires", "500;refresher=uac"), ("Min-SE", "500"))
    assert not timer.too_small(refused)
    assert not timer.too_small(answer(request(), 422))


def test_we_refresh_at_half_time_and_roles_stay() -> None:
    timer = SessionTimer(1800, None)
    assert timer.request() == (("Session-Expires", "1800"),)
    timer.agreed(ok("Session-Expires: 600;refresher=uac\nRequire: timer"), 10.0)
    assert timer.terms == Terms(600, "us")
    assert timer.due == 310.0
    assert timer.poll(309.9) is None
    assert timer.poll(310.0) is Due.REFRESH
    assert timer.request() == (("Session-Expires", "600;refresher=uac"),)
    timer.agreed(ok("Session-Expires: 600;refresher=uac"), 310.1)
    assert timer.due == 610.1


def test_a_refresh_that_fails_is_tried_again_until_the_session_expires() -> None:
    timer = SessionTimer(96, "us")
    timer.agreed(ok("Session-Expires: 96;refresher=uac"), 0.0)
    happened: list[tuple[float, Due]] = []
    while (due := timer.due) is not None:
        found = timer.poll(due)
        assert found is not None
        happened.append((due, found))
    assert happened == [(48.0, Due.REFRESH), (60.0, Due.REFRESH), (64.0, Due.EXPIRE)]
    assert timer.poll(1e9) is None


def test_the_far_end_that_does_not_refresh_is_given_up_a_bit_before_the_end() -> None:
    timer = SessionTimer(1800, None)
    timer.respond(invite("300;refresher=uac"), 0.0)
    assert timer.due == 268.0
    timer.respond(invite("300;refresher=uac"), 150.0)
    assert timer.poll(268.0) is None
    assert timer.poll(418.0) is Due.EXPIRE


def test_a_refresh_of_ours_keeps_them_the_refresher() -> None:
    timer = SessionTimer(1800, None)
    timer.respond(invite("300;refresher=uac"), 0.0)
    assert timer.request() == (("Session-Expires", "300;refresher=uas"),)
    timer.agreed(ok("Session-Expires: 300;refresher=uas"), 1.0)
    assert timer.terms == Terms(300, "them")


def test_a_2xx_without_an_interval_ends_the_timer() -> None:
    timer = SessionTimer(1800, None)
    timer.agreed(ok("Session-Expires: 300"), 0.0)
    assert timer.terms == Terms(300, "us")
    timer.agreed(ok(), 1.0)
    assert timer.due is None


def test_an_interval_of_nothing_makes_no_storm() -> None:
    timer = SessionTimer(1800, None)
    timer.agreed(ok("Session-Expires: 0;refresher=uac"), 0.0)
    assert timer.due == 5.0


@pytest.mark.parametrize("text", ["", "x", "-1", "99999999999", '90;refresher="uac'])
def test_broken_headers(text: str) -> None:
    with pytest.raises(ValueError, match=r"seconds|parameter"):
        SessionExpires.parse(text)


@given(
    ours=st.integers(0, 4000),
    theirs=st.integers(0, 4000),
    ours_side=st.sampled_from([None, "us", "them"]),
    their_side=st.sampled_from([None, "us", "them"]),
    served=st.booleans(),
)
def test_two_of_us_agree_on_interval_and_refresher_and_the_refresher_comes_first(
    ours: int, theirs: int, ours_side: Side | None, their_side: Side | None, served: bool
) -> None:
    caller, called = SessionTimer(ours, ours_side), SessionTimer(theirs, their_side)
    for _ in range(3 if served else 1):
        fields = "".join(f"{name}: {value}\r\n" for name, value in caller.request())
        supported = "Supported: timer\r\n" if ours else ""
        said = called.respond(request(extra=supported + fields), 0.0)
        caller.agreed(ok("\n".join(f"{name}: {value}" for name, value in said)), 0.0)
    if caller.terms is None or called.terms is None:
        assert caller.terms is called.terms is None
        assert not ours or not theirs
        return
    assert caller.terms.expires_s == called.terms.expires_s >= MIN_SE_S
    assert caller.terms.expires_s <= max(ours, theirs, MIN_SE_S)
    assert {caller.terms.refresher, called.terms.refresher} == {"us", "them"}
    ours_first = caller.terms.refresher == "us"
    refreshing, waiting = (caller, called) if ours_first else (called, caller)
    assert refreshing.due is not None
    assert waiting.due is not None
    assert refreshing.due < waiting.due
    assert refreshing.poll(refreshing.due) is Due.REFRESH


@given(
    interval=st.integers(90, 3600),
    refresher=st.sampled_from(["us", "them"]),
    fates=st.lists(st.sampled_from(["both", "asked", "lost"]), max_size=12),
)
def test_whatever_the_network_loses_both_sides_end_within_the_interval_of_the_last_refresh(
    interval: int, refresher: Side, fates: list[str]
) -> None:
    """Each refresh arrives with its answer, without it, or not at all; at last the network is gone."""
    caller, called = SessionTimer(interval, refresher), SessionTimer(interval, None)

    def exchange(asker: SessionTimer, other: SessionTimer, fate: str, now: float) -> None:
        fields = "".join(f"{name}: {value}\r\n" for name, value in asker.request())
        if fate == "lost":
            return
        said = other.respond(request(extra="Supported: timer\r\n" + fields), now)
        if fate == "both":
            asker.agreed(ok("\n".join(f"{name}: {value}" for name, value in said)), now)

    exchange(caller, called, "both", 0.0)
    waits, known = iter(fates), {caller: 0.0, called: 0.0}
    over: dict[SessionTimer, float] = {}
    while len(over) < 2:
        timer, other = sorted(
            (pair for pair in ((caller, called), (called, caller)) if pair[0].due is not None),
            key=lambda pair: pair[0].due or 0.0,
        )[0]
        now = timer.due or 0.0
        if timer.poll(now) is Due.EXPIRE:
            over[timer] = now
            continue
        fate = next(waits, "lost")
        exchange(timer, other, "lost" if other in over else fate, now)
        if other not in over and fate != "lost":
            known[other] = now
            known[timer] = now if fate == "both" else known[timer]
    for timer, at in over.items():
        # Not before the far end could have refreshed, and not after the interval that both agreed to.
        assert known[timer] + interval / 2 < at < known[timer] + interval
