"""One-time tokens, with the time told."""

from __future__ import annotations

import pytest

from ivr.web.book import FlowCall, SessionBook, TokenExpired, TokenUsed, TooManyTokens, UnknownToken

CALL = FlowCall("vendor-order", {"order": "1"}, "hi")


def test_a_token_is_good_for_one_call():
    book = SessionBook()
    ticket = book.issue(CALL, 10.0, 60.0)
    assert book.redeem(ticket.token, 69.9) == (ticket.session_id, CALL)
    with pytest.raises(TokenUsed, match="used already"):
        book.redeem(ticket.token, 69.9)


def test_unknown_and_expired_ones_are_told_apart():
    book = SessionBook()
    ticket = book.issue(CALL, 10.0, 60.0)
    with pytest.raises(UnknownToken):
        book.redeem(ticket.session_id, 11.0)
    with pytest.raises(TokenExpired):
        book.redeem(ticket.token, 70.0)


def test_so_many_may_wait_and_what_has_expired_makes_room():
    book = SessionBook(most=2)
    tickets = [book.issue(CALL, at, 60.0) for at in (0.0, 10.0)]
    with pytest.raises(TooManyTokens):
        book.issue(CALL, 59.0, 60.0)
    third = book.issue(CALL, 61.0, 60.0)
    assert len({t.token for t in (*tickets, third)}) == 3
    assert book.redeem(tickets[1].token, 61.0)[0] == tickets[1].session_id


def test_a_token_is_kept_nowhere():
    book = SessionBook()
    ticket = book.issue(CALL, 0.0, 60.0)
    assert ticket.token not in repr(vars(book))
    assert ticket.token not in ticket.session_id
