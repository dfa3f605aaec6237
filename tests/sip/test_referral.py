"""REFER and Replaces read from messages, what a trunk allows, and what the NOTIFYs tell in which order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.dialog import Dialog, DialogId
from sip.referral import Notice, ReferError, Referral, Subscription
from sip.replaces import Replaces, ReplacesError, replaces_of
from sip.transfer import refer_to
from sip.trunks import Trunk
from sip.uri import MAX_URI, NameAddr, Uri
from tests.sip.sip_parts import answer, request

E164 = Trunk(number_format="e164", refer_to=("+9180", "1860", "sip:pbx.example", "sip:[2001:db8::1]"))


def asked(to: str, extra: str = "") -> Referral:
    return Referral.asked(request("REFER", cseq=7, to_tag="us", extra=f"Refer-To: {to}\r\n{extra}"))


@pytest.mark.parametrize(
    ("to", "called"),
    [
        ("<sip:+918012345678@sbc.example>", "+918012345678"),
        ("<sip:08012345678@203.0.113.9;user=phone>", "+918012345678"),
        ("<tel:+91-80-1234-5678>", "+918012345678"),
        ("<sip:8012345678;npdi@sbc.example>", "+918012345678"),
        ("<sip:1860@192.0.2.2>", "1860"),
        ("<sip:agent@PBX.example:5070;transport=tcp>", "sip:agent@PBX.example:5070;transport=tcp"),
        ("<sip:agent@pbx.example;method=INVITE?Subject=x>", "sip:agent@pbx.example"),
        ("sip:agent@pbx.example", "sip:agent@pbx.example"),
        ("<sip:a@[2001:db8::1]>", "sip:a@[2001:db8::1]"),
        ("<sip:+919812345678@sbc.example>", None),  # another city
        ("<sip:+1900123456@sbc.example>", None),
        ("<sip:agent@pbx.example.evil>", None),
        ("<sip:pbx.example@evil.example>", None),
        ("<sip:sbc.example>", None),
        ("<sip:%2B9180@evil.example?Route=x>", "+9180"),
        ("<sip:1860%0d%0aX@sbc.example>", None),
    ],
)
def test_which_targets_a_trunk_allows(to: str, called: str | None) -> None:
    assert asked(to).destination(E164) == called


@pytest.mark.parametrize("to", ["<sip:1@192.0.2.1>", "<tel:+911234567890>"])
def test_without_a_word_in_the_configuration_no_target_is_allowed(to: str) -> None:
    assert asked(to).destination(Trunk()) is None


def test_any_host_can_be_allowed() -> None:
    assert asked("<sip:x@y.example>").destination(Trunk(refer_to=("sip:*",))) == "sip:x@y.example"
    assert asked("<tel:123>").destination(Trunk(refer_to=("sip:*",))) is None


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ("", 400),
        ("Refer-To: <sip:a@b>\r\nRefer-To: <sip:a@b>\r\n", 400),
        ("r: <sip:a@b>\r\nRefer-To: <sip:a@b>\r\n", 400),
        ("Refer-To: <sip:a@b>, <sip:c@d>\r\n", 400),
        ("Refer-To: <sip:a@b?Replaces=x&Replaces=y>\r\n", 400),
        ("Refer-To: <sip:a@b?Replaces=x>\r\n", 400),
        ("Refer-To: <>\r\n", 400),
        ("Refer-To: <sips:a@b>\r\n", 416),
        ("Refer-To: <https://b.example/x>\r\n", 416),
        ("Refer-To: <sip:a@b;method=SUBSCRIBE>\r\n", 603),
    ],
)
def test_refers_that_cannot_be_followed(fields: str, status: int) -> None:
    with pytest.raises(ReferError) as error:
        Referral.asked(request("REFER", to_tag="us", extra=fields))
    assert error.value.status == status


def test_what_the_call_to_the_target_carries() -> None:
    plain = asked("<sip:a@b>")
    assert plain.headers() == {}
    assert plain.notified
    full = asked(
        "<sip:a@b?Replaces=c%40d%3Bto-tag%3Dt%3Bfrom-tag%3Df%3Bearly-only&From=x&Require=replaces>",
        "Referred-By: <sip:boss@b>;cid=1\r\nRefer-Sub: FALSE\r\n",
    )
    assert full.headers() == {
        "Replaces": "c@d;to-tag=t;from-tag=f;early-only",
        "Referred-By": "<sip:boss@b>;cid=1",
    }
    assert not full.notified
    assert asked("<sip:a@b>", "Referred-By: nonsense\r\n").referred_by is None


# Replaces


@pytest.mark.parametrize(
    "text",
    [
        "",
        ";to-tag=a;from-tag=b",
        "c;to-tag=a",
        "c;to-tag=;from-tag=b",
        "c;to-tag=a;to-tag=a;from-tag=b",
        "c d;to-tag=a;from-tag=b",
        "c;to-tag=a;from-tag=b, d;to-tag=a;from-tag=b",
        'c;to-tag="a;from-tag=b',
        f"{'c' * 600};to-tag=a;from-tag=b",
    ],
)
def test_broken_replaces(text: str) -> None:
    with pytest.raises(ReplacesError):
        Replaces.parse(text)


def test_replaces_stands_once_and_in_an_invite() -> None:
    field = "Replaces: c;from-tag=f;to-tag=t\r\n"
    assert replaces_of(request()) is None
    assert replaces_of(request(extra=field)) == Replaces("c", "t", "f")
    for bad in (request(extra=field * 2), request("OPTIONS", extra=field)):
        with pytest.raises(ReplacesError):
            replaces_of(bad)


def test_a_peer_without_tags_is_named_by_a_zero() -> None:
    named = Replaces.at_far_end(DialogId("c", "ours", ""))
    assert str(named) == "c;to-tag=0;from-tag=ours"
    assert Replaces.parse("c;to-tag=ours;from-tag=0").dialogs == (
        DialogId("c", "ours", "0"),
        DialogId("c", "ours", ""),
    )


_TOKENS = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=20)


@given(call_id=_TOKENS, local=_TOKENS, remote=_TOKENS)
def test_what_names_our_dialog_to_the_far_end_is_found_there(call_id: str, local: str, remote: str) -> None:
    """Through a Refer-To and an INVITE, the far end finds the mirror image of our dialog."""
    here, there = DialogId(f"{call_id}@x", local, remote), DialogId(f"{call_id}@x", remote, local)
    to = NameAddr("", Uri("sip", "a", "b.example", headers=(("Replaces", str(Replaces.at_far_end(here))),)))
    replaces = asked(str(to)).replaces
    assert replaces is not None
    assert Replaces.parse(str(replaces)).dialogs[0] == there


@pytest.mark.parametrize(
    ("says", "replaced"),
    [("", True), ("Supported: timer, Replaces\r\n", True), ("Supported: timer\r\n", False)],
)
def test_replaces_is_asked_of_those_who_may_know_it(says: str, replaced: bool) -> None:
    invite = request()
    ok = answer(invite, 200, "bob", f"Contact: <sip:bob@192.0.2.9:5070>\r\n{says}")
    dialog = Dialog.from_response(invite, ok)
    to = "<sip:bob@192.0.2.9:5070?Replaces=call-1%3Bto-tag%3Dbob%3Bfrom-tag%3Dalice>"
    assert refer_to(dialog) == (to if replaced else None)


# NOTIFYs


def told(notice: Notice | None) -> tuple[str, str] | None:
    if notice is None:
        return None
    return notice.body.decode().strip(), dict(notice.headers)["Subscription-State"]


def test_the_news_of_a_call_that_is_answered() -> None:
    news = Subscription(7, 300, 10.0)
    first = news.tell(100, 10.0)
    assert first is not None
    assert dict(first.headers)["Event"] == "refer;id=7"
    assert told(first) == ("SIP/2.0 100 Trying", "active;expires=300")
    assert news.tell(180, 11.0) is None  # the first has no answer yet
    assert told(news.answered(200, 20.0)) == ("SIP/2.0 180 Ringing", "active;expires=290")
    assert news.answered(200, 21.0) is None
    assert news.tell(180, 22.0) is None
    assert told(news.tell(200, 23.0)) == ("SIP/2.0 200 OK", "terminated;reason=noresource")
    assert not news.over
    assert news.answered(200, 24.0) is None
    assert news.over


@given(
    st.lists(
        st.one_of(
            st.sampled_from([100, 180, 183, 200, 404, 486, 503]).map(lambda status: ("tell", status)),
            st.sampled_from([200, 200, 200, 408, 481]).map(lambda status: ("answered", status)),
            st.just(("end", 0)),
        ),
        max_size=30,
    )
)
def test_news_in_any_order(steps: list[tuple[str, int]]) -> None:
    """One NOTIFY at a time, in the order of the call; nothing after the final one, or one that is refused."""
    news, now = Subscription(1, 300, 0.0), 0.0
    sent: list[int] = []
    unanswered = 0
    final: int | None = None
    for step, status in steps:
        now += 1
        was_over = news.over
        notice = None
        if step == "tell":
            if final is None and status >= 200 and not was_over:
                final = status
            notice = news.tell(status, now)
        elif step == "answered":
            unanswered = max(0, unanswered - 1)
            notice = news.answered(status, now)
            assert notice is None or status < 300
        else:
            news.end()
        if notice is not None:
            assert not was_over
            line, state = told(notice) or ("", "")
            sent.append(int(line.split()[1]))
            unanswered += 1
            assert state.startswith("terminated") == (sent[-1] >= 200)
        assert unanswered <= 1
        assert not (news.over and notice is not None)
    assert sent == sorted(set(sent))
    assert all(status < 200 for status in sent[:-1])
    if sent and sent[-1] >= 200:
        assert sent[-1] == final


def test_a_target_that_is_too_long_once_it_is_written_is_refused() -> None:
    text = "sip:a@pbx.example;a=" + "|" * 900
    assert len(text) < MAX_URI < len(str(Uri.parse(text)))
    with pytest.raises(ReferError, match="too long"):
        asked(f"<{text}>")
