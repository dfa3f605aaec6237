"""URIs and addresses: read leniently, written strictly, the same again after both."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.params import split_commas
from sip.uri import NameAddr, Uri, UriError


def test_a_full_sip_uri() -> None:
    uri = Uri.parse(
        "SIP:%2B9198:p%40ss@[2001:db8::1]:5070;transport=tcp;lr?Subject=hi%20there&Priority=urgent"
    )
    assert uri == Uri(
        "sip",
        "+9198",
        "2001:db8::1",
        5070,
        (("transport", "tcp"), ("lr", None)),
        (("Subject", "hi there"), ("Priority", "urgent")),
        "p@ss",
    )
    assert (uri.param("transport"), uri.param("lr"), uri.param("maddr")) == ("tcp", "", None)
    assert uri.host_port == "[2001:db8::1]:5070"
    assert str(uri) == (
        "sip:+9198:p%40ss@[2001:db8::1]:5070;transport=tcp;lr?Subject=hi%20there&Priority=urgent"
    )


@pytest.mark.parametrize(
    "text",
    [
        "sip:example.com",
        "sips:alice@192.0.2.1:5061",
        "sip:+91;phone-context=x@h",
        "sip:a?b/c@h",
        "tel:+911234;ext=5",
        "http://example.com/a?b",
        "sip:user@host;maddr=239.255.255.1;ttl=15",
    ],
)
def test_what_is_well_formed_is_written_as_it_was_read(text: str) -> None:
    assert str(Uri.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip",
        "sip:",
        "1sip:x",
        "sip:a@",
        "sip:a b@h",
        "<sip:a@h>",
        "sip:a@h:99999",
        "sip:a@h:x",
        "sip:a@[::1",
        "sip:a@h\r\nX: y",
        "sip:a@h:",
        'sip:"a"@h',
        "sip:a@b@c",
        "sip:" + "a" * 3000 + "@h",
    ],
)
def test_what_is_no_uri_is_refused(text: str) -> None:
    with pytest.raises(UriError):
        Uri.parse(text)


def test_hidden_line_breaks_stay_escaped() -> None:
    uri = Uri.parse("sip:a%0d%0aVia:%20x@h")
    assert uri.user == "a\r\nVia"
    assert "\r" not in str(uri)


@pytest.mark.parametrize(
    ("text", "display", "user", "params"),
    [
        ("sip:a@h;tag=1", "", "a", (("tag", "1"),)),
        ("<sip:a@h;lr>;tag=1", "", "a", (("tag", "1"),)),
        ("Alice Example <sip:a@h>", "Alice Example", "a", ()),
        (
            '"Alice \\"A\\" <x>"<sip:a@h> ; q=0.7 ;x="a;b,c"',
            'Alice "A" <x>',
            "a",
            (("q", "0.7"), ("x", "a;b,c")),
        ),
        ("<tel:+91123>;cpc=x;;flag", "", "+91123", (("cpc", "x"), ("flag", None))),
    ],
)
def test_addresses_in_all_their_forms(
    text: str, display: str, user: str, params: tuple[tuple[str, str | None], ...]
) -> None:
    address = NameAddr.parse(text)
    assert (address.display, address.uri.user, address.params) == (display, user, params)
    assert NameAddr.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        '"open <sip:a@h>',
        "<sip:a@h",
        "<sip:a@h>x",
        '"name"',
        'x"y"z <sip:a@h>',
        '"a" b <sip:a@h>',
        "<>",
        "sip:a@h?Route=x",
        "<sip:a@h>;=x",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UriError):
        NameAddr.parse(text)


def test_tags_are_read_and_set() -> None:
    address = NameAddr.parse("<sip:a@h>;x=1;Tag=old")
    assert address.tag == "old"
    assert str(address.with_tag("new")) == "<sip:a@h>;x=1;Tag=new"
    assert str(NameAddr.parse("sip:a@h").with_tag("t")) == "<sip:a@h>;tag=t"
    assert NameAddr.parse("<sip:a@h>;tag=").tag is None


def test_commas_inside_quotes_and_angle_brackets_do_not_split() -> None:
    text = '"a,\\"b" <sip:x@h;p=1,2>, , sip:y@h ,<sip:z@h>'
    assert split_commas(text) == ['"a,\\"b" <sip:x@h;p=1,2>', "sip:y@h", "<sip:z@h>"]


_TEXT = st.text(st.characters(codec="utf-8"), max_size=15)
_NAME = st.text("abcxyz019-.", min_size=1, max_size=8)
_HOST = _NAME | st.ip_addresses().map(str)
_URIS = st.builds(
    Uri,
    st.sampled_from(["sip", "sips"]),
    st.none() | _TEXT,
    _HOST,
    st.none() | st.integers(0, 65535),
    st.lists(st.tuples(_TEXT.filter(bool), st.none() | _TEXT), max_size=3).map(tuple),
    st.lists(st.tuples(_NAME, _TEXT), max_size=3).map(tuple),
)


@given(_URIS)
def test_a_uri_survives_writing_and_reading(uri: Uri) -> None:
    assert Uri.parse(str(uri)) == uri


@given(_TEXT, _URIS, st.lists(st.tuples(_NAME, st.none() | _TEXT), max_size=3).map(tuple))
def test_an_address_survives_writing_and_reading(
    display: str, uri: Uri, params: tuple[tuple[str, str | None], ...]
) -> None:
    address = NameAddr(display, uri, params)
    assert NameAddr.parse(str(address)) == address


@given(st.text(max_size=60) | st.text('<>";=,\\ sip:a@h?&%[]', max_size=40))
def test_any_text_gives_an_address_or_a_uri_error(text: str) -> None:
    for parser in (Uri.parse, NameAddr.parse, NameAddr.parse_route):
        try:
            str(parser(text))
        except UriError:
            continue
    split_commas(text)
