"""Dialogs: route sets from both sides, strict routers, target refresh, CSeq, forks."""

from __future__ import annotations

import pytest

from sip.dialog import Dialog, DialogError, OutOfOrder
from tests.sip.sip_parts import answer, request

CONTACT = "Contact: <sip:alice@192.0.2.1:5062>\r\n"
P1, P2 = "<sip:p1.example;lr>", "<sip:p2.example;lr>"


def callee(record_route: str = "", contact: str = CONTACT) -> Dialog:
    return Dialog.from_request(request(cseq=10, extra=contact + record_route), "bob")


def caller(record_route: str = "", tag: str = "bob") -> Dialog:
    extra = f"Contact: <sip:bob@192.0.2.2:5064>\n{record_route}"
    return Dialog.from_response(request(cseq=7), answer(request(cseq=7), 200, tag=tag, extra=extra))


def test_the_callee_sends_to_the_contact_with_from_and_to_exchanged() -> None:
    dialog = callee()
    bye = dialog.request("BYE")
    assert str(bye.uri) == "sip:alice@192.0.2.1:5062"
    assert (bye.from_.tag, bye.to.tag, bye.call_id) == ("bob", "alice", "call-1")
    assert bye.cseq.number == 1
    assert dialog.request("INFO").cseq.number == 2
    assert bye.routes == []
    assert dialog.next_hop.host == "192.0.2.1"


def test_record_routes_keep_their_order_for_the_callee() -> None:
    dialog = callee(f"Record-Route: {P1}, {P2}\r\n")
    bye = dialog.request("BYE")
    assert [route.uri.host for route in bye.routes] == ["p1.example", "p2.example"]
    assert str(bye.uri) == "sip:alice@192.0.2.1:5062"
    assert dialog.next_hop.host == "p1.example"


def test_record_routes_are_reversed_for_the_caller() -> None:
    dialog = caller(f"Record-Route: {P2}\nRecord-Route: {P1}")
    bye = dialog.request("BYE")
    assert [route.uri.host for route in bye.routes] == ["p1.example", "p2.example"]
    assert bye.cseq.number == 8
    assert str(bye.uri) == "sip:bob@192.0.2.2:5064"


def test_a_route_without_angle_brackets_is_still_a_loose_route() -> None:
    bye = callee("Record-Route: sip:10.0.0.1:5070;transport=tcp;lr\r\n").request("BYE")
    assert str(bye.uri) == "sip:alice@192.0.2.1:5062"
    assert bye.routes[0].uri.port == 5070
    assert bye.routes[0].uri.param("lr") is not None


def test_a_strict_router_gets_itself_as_request_uri_and_the_target_last() -> None:
    dialog = callee(f"Record-Route: <sip:strict.example>, {P2}\r\n")
    bye = dialog.request("BYE")
    assert str(bye.uri) == "sip:strict.example"
    assert [str(route.uri) for route in bye.routes] == ["sip:p2.example;lr", "sip:alice@192.0.2.1:5062"]
    assert dialog.next_hop.host == "strict.example"


def test_the_ack_has_the_number_of_its_invite_and_the_routes() -> None:
    dialog = caller(f"Record-Route: {P1}")
    dialog.request("INVITE")
    ack = dialog.ack(7)
    assert str(ack.cseq) == "7 ACK"
    assert [route.uri.host for route in ack.routes] == ["p1.example"]
    assert dialog.request("BYE").cseq.number == 9


def test_the_2xx_replaces_what_the_early_dialog_had() -> None:
    invite = request()
    early = answer(invite, 180, extra=f"Contact: <sip:early@192.0.2.2>\nRecord-Route: {P1}")
    dialog = Dialog.from_response(invite, early)
    final = f"Contact: <sip:final@192.0.2.3>\nRecord-Route: {P2}"
    dialog.confirm(answer(invite, 200, extra=final))
    assert dialog.remote_target.user == "final"
    assert dialog.next_hop.host == "p2.example"


def test_a_target_refresh_moves_the_target_but_not_the_route() -> None:
    dialog = callee(f"Record-Route: {P1}\r\n")
    moved = "Contact: <sip:alice@198.51.100.7>\r\nRecord-Route: <sip:other.example;lr>\r\n"
    dialog.refresh(request(cseq=11, to_tag="bob", extra=moved))
    assert dialog.remote_target.host == "198.51.100.7"
    assert dialog.next_hop.host == "p1.example"
    dialog.refresh(request("INFO", cseq=12, to_tag="bob"))
    assert dialog.remote_target.host == "198.51.100.7"


def test_a_lower_cseq_is_out_of_order_and_changes_nothing() -> None:
    dialog = callee()
    dialog.admit(request("INFO", cseq=15, to_tag="bob"))
    with pytest.raises(OutOfOrder, match="CSeq 12 after 15"):
        dialog.admit(request("INFO", cseq=12, to_tag="bob"))
    dialog.admit(request("BYE", cseq=16, to_tag="bob"))


def test_the_callers_first_request_from_the_other_side_may_have_any_number() -> None:
    dialog = caller()
    dialog.admit(request("BYE", cseq=3, to_tag="alice"))
    with pytest.raises(OutOfOrder):
        dialog.admit(request("BYE", cseq=2, to_tag="alice"))


def test_forks_are_dialogs_of_their_own() -> None:
    assert caller(tag="one").id != caller(tag="two").id
    assert caller(tag="one").id == caller(tag="one").id


def test_without_a_contact_there_is_no_dialog() -> None:
    with pytest.raises(DialogError, match="no Contact"):
        callee(contact="")
