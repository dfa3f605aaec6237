"""What is used of the insides of aiortc and aioice. A new version that changes them fails here, loudly, and
not in calls: webrtc/ice.py and webrtc/dtls.py are all that must follow."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from typing import Any

import pytest
from aioice import Candidate, Connection
from aioice import ice as aioice_ice
from aioice import turn as aioice_turn
from aiortc import RTCCertificate, RTCDtlsTransport, RTCSctpTransport
from aiortc.rtcdtlstransport import RTCDtlsParameters
from pylibsrtp import Session

from webrtc.dtls import DtlsSrtp
from webrtc.ice import _Datagrams, _Session


def parameters(function: Any) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]


def test_the_versions_are_those_that_this_was_written_for() -> None:
    assert version("aiortc").startswith("1.16."), "read webrtc/dtls.py against it, then change this"
    assert version("aioice").startswith("0.13."), "read webrtc/ice.py against it, then change this"


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (Connection.get_component_candidates, ["component", "addresses", "timeout"]),
        (Connection.data_received, ["data", "component"]),
        (Connection.protocol_lost, ["protocol"]),
        (Connection.request_received, ["message", "addr", "protocol"]),
        (Connection._pair_remote_candidate, ["remote_candidate"]),
        (Connection.sort_check_list, []),
        (Connection.close, []),
        (aioice_ice.StunProtocol.datagram_received, ["data", "addr"]),
        (aioice_ice.server_reflexive_candidate, ["protocol", "stun_server"]),
        (
            aioice_ice.relayed_candidate,
            [
                "component", "hide_related_address", "protocol_factory", "turn_server", "turn_username",
                "turn_password", "turn_ssl", "turn_transport",
            ],
        ),
        (aioice_turn.TurnTransport.sendto, ["data", "addr"]),
        (RTCDtlsTransport.start, ["remoteParameters"]),
        (RTCDtlsTransport._set_role, ["role"]),
        (RTCSctpTransport.start, ["remoteCaps", "remotePort"]),
    ],
)  # fmt: skip
def test_what_is_called_or_overridden_is_as_it_was(function: Any, names: list[str]) -> None:
    assert parameters(function) == names


async def test_what_is_read_is_there() -> None:
    connection = Connection(ice_controlling=False)
    for name in ("_nominated", "_protocols", "_local_candidates", "local_username", "local_password"):
        assert hasattr(connection, name), name
    await connection.close()
    certificate = RTCCertificate.generateCertificate()

    class NoWay:
        role = "controlled"

    transport = RTCDtlsTransport(NoWay(), [certificate])  # type: ignore[arg-type]
    for name in ("_rx_srtp", "_tx_srtp", "state", "_recv_next", "_register_data_receiver"):
        assert hasattr(transport, name), name
    assert transport.state == "new"
    assert RTCSctpTransport(transport)._advertised_rwnd == 1024 * 1024
    assert {"protect", "protect_rtcp", "unprotect", "unprotect_rtcp"} <= set(dir(Session))
    assert issubclass(DtlsSrtp, RTCDtlsTransport)
    assert issubclass(_Session, Connection)
    assert issubclass(_Datagrams, aioice_ice.StunProtocol)
    assert RTCDtlsParameters([]).role == "auto"


def test_ours_overrides_only_what_there_is_to_override() -> None:
    """A method that is renamed there would never be called here."""
    ours = {name for name, member in vars(_Session).items() if inspect.isfunction(member)}
    overridden = {"get_component_candidates", "data_received", "protocol_lost", "request_received", "close"}
    assert overridden <= ours
    assert overridden <= set(dir(Connection))
    others = ours - overridden - {"__init__"}
    assert not others & set(dir(Connection)), "aioice has a method of the same name now"
    own = {name for name, member in vars(DtlsSrtp).items() if inspect.isfunction(member)} - {"__init__"}
    assert not own & set(dir(RTCDtlsTransport)), "aiortc has a method of the same name now"


def test_a_candidate_has_the_fields_that_are_told() -> None:
    line = "1 1 udp 2130706431 192.0.2.1 5000 typ srflx raddr 192.0.2.2 rport 6000"
    assert Candidate.from_sdp(line).to_sdp() == line
