"""The pure parts of the PJSIP stack, and its packet filter in the kernel; none of it needs pjsua2."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.codecs import PCMA
from sip.hop import Address
from sip.offer import OfferAnswer
from sip.pjsip.limits import check_listen, check_trunks
from sip.pjsip.packet_filter import Instruction, Network, packed, program
from sip.pjsip.settled import settled_sdp
from sip.pjsip.sockets import admit_only, find
from sip.sdp import Direction, parse_sdp
from sip.trunks import Registration, Trunk

_NETWORK_HEADER = 0x100000000 - 0x100000


def accepts(instructions: list[Instruction], source: IPv4Address | IPv6Address) -> bool:
    """Runs the program on a packet from that address, as the kernel does."""
    v4 = source.version == 4
    header = (
        bytes([0x45]) + bytes(11) + source.packed + bytes(4) if v4 else b"\x60" + bytes(7) + source.packed
    )
    at, value = 0, 0
    while True:
        code, if_true, if_false, operand = instructions[at]
        at += 1
        match code:
            case 0x30:
                value = header[operand - _NETWORK_HEADER]
            case 0x20:
                (value,) = struct.unpack_from("!I", header, operand - _NETWORK_HEADER)
            case 0x74:
                value >>= operand
            case 0x54:
                value &= operand
            case 0x05:
                at += operand
            case 0x15:
                at += if_true if value == operand else if_false
            case 0x06:
                return operand != 0
            case _:
                raise AssertionError(f"unknown instruction {code:#x}")


networks = st.one_of(
    st.builds(lambda a, bits: ip_network((a, bits), strict=False), st.ip_addresses(v=4), st.integers(0, 32)),
    st.builds(lambda a, bits: ip_network((a, bits), strict=False), st.ip_addresses(v=6), st.integers(0, 128)),
)


@given(st.lists(networks, max_size=8), st.data())
def test_the_filter_lets_in_what_is_in_a_network_and_nothing_else(
    allowed: list[Network], data: st.DataObject
) -> None:
    made = program(allowed)
    inside = [network[data.draw(st.integers(0, network.num_addresses - 1))] for network in allowed]
    for source in [*inside, data.draw(st.ip_addresses(v=4)), data.draw(st.ip_addresses(v=6))]:
        assert accepts(made, source) == any(source in network for network in allowed)


def test_too_many_networks_are_told() -> None:
    many = [ip_network(f"10.{n // 256}.{n % 256}.1/32") for n in range(1100)]
    with pytest.raises(ValueError, match="too many networks"):
        program(many)
    assert len(packed(program(many[:1000]))) % 8 == 0


@pytest.mark.parametrize(
    ("allowed", "heard"),
    [("127.0.0.0/8", True), ("127.0.0.2/32", False), ("0.0.0.0/0", True), ("::/0", False)],
)
def test_the_kernel_keeps_strangers_from_a_datagram_socket(allowed: str, heard: bool) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as theirs,
    ):
        ours.bind(("127.0.0.1", 0))
        with find("UDP", Address(*ours.getsockname())) as handle:
            admit_only([handle], [ip_network(allowed)])
        theirs.sendto(b"INVITE", ours.getsockname())
        ours.setblocking(False)  # on loopback a datagram is there, or not, when the sending call returns
        if heard:
            assert ours.recv(100) == b"INVITE"
        else:
            with pytest.raises(BlockingIOError):
                ours.recv(100)


def test_a_socket_that_is_not_there_is_named() -> None:
    with pytest.raises(OSError, match=r"tcp:127\.0\.0\.1:1 cannot be found"):
        find("TCP", Address("127.0.0.1", 1))


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize(
    ("local", "remote"), [("192.0.2.9", "192.0.2.1:4000"), ("2001:db8::9", "[2001:db8::1]:4000")]
)
def test_what_pjsip_has_settled_is_an_answer_to_our_offer(
    local: str, remote: str, direction: Direction
) -> None:
    ours = OfferAnswer(local, 5000, (PCMA,), 1)
    ours.make_offer()
    agreed = ours.receive_answer(parse_sdp(settled_sdp(remote, 8, "PCMA", direction)))
    assert ip_address(agreed.remote_address) == ip_address(remote.rpartition(":")[0].strip("[]"))
    assert (agreed.remote_port, agreed.payload_type, agreed.telephone_event) == (4000, 8, 101)
    assert agreed.direction is direction


def test_nothing_is_settled_without_an_address() -> None:
    assert settled_sdp("", 8, "PCMA", Direction.SENDRECV) == b""
    assert settled_sdp("192.0.2.1", 8, "PCMA", Direction.SENDRECV) == b""


def test_where_to_listen() -> None:
    assert check_listen(["udp:0.0.0.0:5060", "tcp:127.0.0.1:0"]) == (
        ("UDP", Address("0.0.0.0", 5060)),
        ("TCP", Address("127.0.0.1", 0)),
    )
    for wrong in ("udp:127.0.0.1", "udp::5060", "tls:127.0.0.1:5061", "udp:[::1]:5060"):
        with pytest.raises(ValueError, match=r"sip\.stack|write it as"):
            check_listen([wrong])


@pytest.mark.parametrize(
    ("trunk", "option"),
    [
        (Trunk(srtp="offered"), "srtp"),
        (Trunk(registration=Registration("us")), "registration"),
        (Trunk(users={"alice": "wonderland"}), "users"),
        (Trunk(refer_to=("+91",)), "refer_to"),
        (Trunk(refresher="us"), "refresher"),
        (Trunk(proxy="sip:pbx.example;transport=TLS"), "proxy by TLS"),
        (Trunk(proxy="sips:pbx.example"), "proxy by TLS"),
    ],
)
def test_what_pjsip_cannot_do_here_is_refused_by_name(trunk: Trunk, option: str) -> None:
    check_trunks({"other": Trunk(proxy="sip:pbx.example;transport=tcp")})
    with pytest.raises(ValueError, match=rf"trunk exotel: {option}: not with sip\.stack: pjsip"):
        check_trunks({"exotel": trunk})
