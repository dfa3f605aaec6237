"""Torture messages of RFC 4475 as small fixtures, each with the outcome that its section asks for."""

from __future__ import annotations

import pytest

from sip.message import ParseError, Request, Response, parse, response_to
from tests.sip.torture.rfc4475_valid import VALID
from tests.sip.torture.writing import wire


def plain(start: str, **changed: str | None) -> bytes:
    """A message with the usual headers; `changed` replaces one (underscore for hyphen) or drops it (None)."""
    method = start.split()[0]
    headers: dict[str, str | None] = {
        "To": "sip:j.user@example.com",
        "From": "sip:caller@example.net;tag=134161461246",
        "Max-Forwards": "7",
        "Call-ID": "torture.0ha0isndaksdjasdf3234nas",
        "CSeq": f"8 {method}",
        "Via": "SIP/2.0/UDP 192.0.2.15;branch=z9hG4bKkdjuw",
        "Contact": "<sip:caller@host5.example.net>",
    }
    for name, value in changed.items():
        headers[name.replace("_", "-")] = value
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return wire("\n".join([start, *lines, "", ""]))


def accepted(data: bytes) -> Request:
    message = parse(data)
    assert isinstance(message, Request)
    return message


def rejected(data: bytes) -> ParseError:
    with pytest.raises(ParseError) as caught:
        parse(data)
    return caught.value


def test_3_1_1_1_wsinv_a_short_tortuous_invite() -> None:
    request = accepted(VALID["wsinv"])
    assert request.to.tag == "1918181833n"
    assert (request.from_.display, request.from_.tag) == ('J Rosenberg \\"', "98asjd8")
    assert (request.max_forwards, request.cseq.number) == (68, 9)
    assert [(via.transport, via.host, via.branch) for via in request.vias] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]
    assert request.headers.get("newfangledheader") == "newfangled value continued newfangled value"
    assert request.headers.get("Subject") == ""
    assert request.routes[0].uri.param("unknown-no-value") == ""
    assert request.contact is not None
    assert request.contact.display == 'Quoted string ""'
    assert (request.contact.param("newparam"), request.contact.param("q")) == ("newvalue", "0.33")


def test_3_1_1_2_intmeth_a_wide_range_of_characters() -> None:
    method = "!interesting-Method0123456789_*+`.%indeed'~"
    user = "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    request = accepted(
        plain(
            f"{method} sip:{user}:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0",
            To=f'"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <sip:{user}@example.com>',
            From="token1~` token2'+_ token3*%!.- <sip:mundane@example.com>"
            ";fromParam''~+*_!.-%=\"работающий\";tag=_token~1'+`*%!-.",
            Call_ID="intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{",
            Via='SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`\'~, SIP/2.0/UDP 192.0.2.1;a="b,c"',
            Contact=None,
            extensionHeader_="\ufeff大停電",
        )
    )
    assert request.method == method
    assert request.uri.user == user
    assert request.from_.tag == "_token~1'+`*%!-."
    assert request.from_.param("fromparam''~+*_!.-%") == "работающий"
    assert request.to.display == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert len(request.vias) == 2
    assert parse(request.to_bytes()).to_bytes() == request.to_bytes()


def test_3_1_1_3_esc01_valid_use_of_the_percent_escape() -> None:
    request = accepted(
        plain(
            "INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0",
            To="sip:%75se%72@example.com",
            From="<sip:I%20have%20spaces@example.net>;tag=938",
            Contact="<sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>",
        )
    )
    assert request.uri.user == "sips:user@example.com"
    assert (request.to.uri.user, request.from_.uri.user) == ("user", "I have spaces")
    assert request.contact is not None
    assert request.contact.uri.param("lr") == ""
    assert request.contact.uri.param("name") == "value%41"


def test_3_1_1_4_escnull_escaped_nulls() -> None:
    request = accepted(
        plain(
            "REGISTER sip:example.com SIP/2.0",
            Contact="<sip:%00@host5.example.com>, <sip:%00%00@host5.example.com>",
        )
    )
    assert len(request.headers.get_all("Contact")) == 2
    assert request.contact is not None
    assert request.contact.uri.user == "\0"


def test_3_1_1_5_esc02_a_percent_sign_that_is_no_escape() -> None:
    request = accepted(
        plain("RE%47IST%45R sip:registrar.example.com SIP/2.0", To='"%Z%45" <sip:resource@example.com>')
    )
    assert request.method == "RE%47IST%45R"
    assert request.to.display == "%Z%45"


def test_3_1_1_6_lwsdisp_no_space_between_name_and_address() -> None:
    request = accepted(
        plain("OPTIONS sip:user@example.com SIP/2.0", From="caller<sip:caller@example.com>;tag=323")
    )
    assert (request.from_.display, request.from_.tag) == ("caller", "323")


def test_3_1_1_7_longreq_long_values() -> None:
    request = accepted(
        plain(
            "INVITE sip:user@example.com SIP/2.0",
            From='"'
            + "I have a user name of extreme proportion " * 7
            + '"<sip:'
            + "long" * 20
            + "@h;"
            + "unknownparam" * 20
            + "=x>;tag="
            + "1" * 200,
            Via="".join(f"SIP/2.0/TCP sip{n}.example.com,\n " for n in range(33, 0, -1))
            + "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK"
            + "x" * 100,
            Unknown_Header="unknown" + "-long" * 80,
        )
    )
    assert len(request.vias) == 34
    assert request.from_.tag == "1" * 200


def test_3_1_1_8_dblreq_a_second_request_in_the_datagram_is_ignored() -> None:
    first = plain("REGISTER sip:example.com SIP/2.0", Content_Length="0")
    request = accepted(first + plain("INVITE sip:joe@example.com SIP/2.0"))
    assert (request.method, request.body) == ("REGISTER", b"")


def test_3_1_1_9_semiuri_semicolons_in_the_user_part() -> None:
    request = accepted(plain("OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0"))
    assert (request.uri.user, request.uri.host) == ("user;par=u@example.net", "example.com")
    assert request.uri.params == ()


def test_3_1_1_10_transports_any_transport_parses() -> None:
    names = ("UDP", "SCTP", "TLS", "UNKNOWN", "TCP")
    request = accepted(
        plain(
            "OPTIONS sip:user@example.com SIP/2.0",
            Via=", ".join(
                f"SIP/2.0/{name} t{n}.example.com;branch=z9hG4bK{n}" for n, name in enumerate(names)
            ),
        )
    )
    assert tuple(via.transport for via in request.vias) == names


def test_3_1_1_12_unreason_an_utf8_reason() -> None:
    reason = "= 2**3 * 5**2 но сто девяносто девять - простое"
    response = parse(
        plain("INVITE sip:x SIP/2.0").replace(b"INVITE sip:x SIP/2.0", f"SIP/2.0 200 {reason}".encode())
    )
    assert isinstance(response, Response)
    assert response.reason == reason
    assert parse(response.to_bytes()).to_bytes() == response.to_bytes()


def test_3_1_1_13_noreason_an_empty_reason() -> None:
    response = parse(plain("INVITE sip:x SIP/2.0").replace(b"INVITE sip:x SIP/2.0", b"SIP/2.0 100 "))
    assert isinstance(response, Response)
    assert (response.status, response.reason) == (100, "")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("badinv01", plain("INVITE sip:user@example.com SIP/2.0", Via="SIP/2.0/UDP 192.0.2.15;;,;,,")),
        ("clerr", plain("INVITE sip:user@example.com SIP/2.0", Content_Length="9999")),
        ("ncl", plain("INVITE sip:user@example.com SIP/2.0", Content_Length="-999")),
        ("scalar02", plain("REGISTER sip:example.com SIP/2.0", CSeq="36893488147419103232 REGISTER")),
        ("scalar02", plain("REGISTER sip:example.com SIP/2.0", Max_Forwards="300")),
        ("quotbal", plain("INVITE sip:user@example.com SIP/2.0", To='"Mr. J. User <sip:j.user@example.com>')),
        ("ltgtruri", plain("INVITE <sip:user@example.com> SIP/2.0")),
        ("lwsruri", plain("INVITE sip:user@example.com; lr SIP/2.0")),
        ("mismatch01", plain("OPTIONS sip:user@example.com SIP/2.0", CSeq="8 INVITE")),
        ("mismatch02", plain("NEWMETHOD sip:user@example.com SIP/2.0", CSeq="8 INVITE")),
        ("multi01", plain("INVITE sip:user@example.com SIP/2.0", cSEQ="59 INVITE")),
        ("multi01", plain("INVITE sip:user@example.com SIP/2.0", f="sip:other@example.com;tag=1")),
        ("mcl01", plain("OPTIONS sip:user@example.com SIP/2.0", Content_Length="13", l="5")),
        (
            "badaspec",
            plain(
                "OPTIONS sip:user@example.com SIP/2.0", To='"Watson, Thomas" < sip:t.watson@ example.org >'
            ),
        ),
        ("insuf", plain("INVITE sip:user@example.com SIP/2.0", Call_ID=None)),
        ("insuf", plain("INVITE sip:user@example.com SIP/2.0", To=None)),
    ],
)
def test_3_1_2_and_3_3_what_must_get_a_400(name: str, data: bytes) -> None:
    error = rejected(data)
    assert error.status == 400, name
    if error.request is not None:
        assert (
            response_to(error.request, 400, to_tag="x").to_bytes().startswith(b"SIP/2.0 400 Bad Request\r\n")
        )


@pytest.mark.parametrize(
    "start", ["SIP/2.0 4294967301 better not break the receiver", "SIP/2.0 99 x", "SIP/2.0 OK"]
)
def test_3_1_2_19_bigcode_a_response_with_an_impossible_status_is_dropped(start: str) -> None:
    error = rejected(plain("INVITE sip:x SIP/2.0").replace(b"INVITE sip:x SIP/2.0", start.encode()))
    assert error.request is None


def test_3_1_2_5_scalarlg_a_response_with_a_sequence_number_out_of_range_is_dropped() -> None:
    data = plain("INVITE sip:x SIP/2.0", CSeq="9292394834772304023312 OPTIONS")
    assert rejected(data.replace(b"INVITE sip:x SIP/2.0", b"SIP/2.0 503 Service Unavailable")).request is None


def test_3_1_2_9_and_10_extra_space_in_the_start_line_is_forgiven() -> None:
    request = accepted(plain("INVITE sip:user@example.com SIP/2.0").replace(b" sip:user", b"  sip:user", 1))
    assert request.uri.user == "user"
    assert accepted(plain("OPTIONS sip:remote-target@example.com SIP/2.0  ")).method == "OPTIONS"


def test_3_1_2_11_escruri_headers_in_the_request_uri_are_readable() -> None:
    request = accepted(plain("INVITE sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0"))
    assert request.uri.headers == (("Route", "<sip:example.com>"),)


def test_3_1_2_13_regbadct_a_contact_with_headers_needs_angle_brackets() -> None:
    request = accepted(
        plain(
            "REGISTER sip:example.com SIP/2.0", Contact="sip:user@example.com?Route=%3Csip:sip.example.com%3E"
        )
    )
    with pytest.raises(ParseError, match="angle brackets"):
        _ = request.contact


def test_3_1_2_15_baddn_a_name_of_no_tokens_is_forgiven() -> None:
    request = accepted(
        plain("OPTIONS sip:t.watson@example.org SIP/2.0", From="Bell, Alexander <sip:a@example.com>;tag=4")
    )
    assert (request.from_.display, request.from_.tag) == ("Bell, Alexander", "4")


def test_3_1_2_16_badvers_an_unknown_version() -> None:
    error = rejected(plain("OPTIONS sip:t.watson@example.org SIP/7.0"))
    assert error.status == 505
    assert error.request is not None


def test_3_1_2_12_baddate_a_header_that_does_not_matter_is_not_read() -> None:
    request = accepted(plain("INVITE sip:user@example.com SIP/2.0", Date="Fri, 01 Jan 2010 16:00:00 EST"))
    assert request.headers.get_all("Date") == ["Fri, 01 Jan 2010 16:00:00 EST"]


def test_3_2_1_badbranch_a_branch_that_is_only_the_cookie() -> None:
    request = accepted(
        plain("OPTIONS sip:user@example.com SIP/2.0", Via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK")
    )
    assert request.via.branch == "z9hG4bK"


@pytest.mark.parametrize(
    "uri", ["nobodyKnowsThisScheme:totallyopaquecontent", "soap.beep://192.0.2.103:3002"]
)
def test_3_3_2_unkscm_an_unknown_scheme_is_left_to_the_user_agent(uri: str) -> None:
    request = accepted(plain(f"OPTIONS {uri} SIP/2.0"))
    assert request.uri.scheme not in ("sip", "sips")
    assert request.uri.host == ""


def test_3_3_8_and_9_zeromf_and_cparam() -> None:
    request = accepted(
        plain(
            "OPTIONS sip:user@example.com SIP/2.0",
            Max_Forwards="0",
            Contact="sip:+19725552222@gw1.example.net;unknownparam",
        )
    )
    assert request.max_forwards == 0
    assert request.contact is not None
    assert request.contact.param("unknownparam") == ""
    assert request.contact.uri.params == ()


def test_3_4_1_inv2543_an_invite_of_an_older_age() -> None:
    request = accepted(
        plain(
            "INVITE sip:UserB@example.com SIP/2.0",
            Via="SIP/2.0/UDP iftgw.example.com",
            From="<sip:+13035551111@ift.client.example.net;user=phone>",
            Max_Forwards=None,
            Contact=None,
        )
    )
    assert (request.via.branch, request.from_.tag, request.max_forwards, request.contact) == (
        None,
        None,
        None,
        None,
    )
