"""What the transaction layer asks of its user: bytes to put on the wire, and events of the transactions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sip.hop import Hop
from sip.message import Request, Response

if TYPE_CHECKING:
    from sip.client_transactions import ClientTransaction
    from sip.server_transactions import ServerTransaction


@dataclass(frozen=True, slots=True)
class Transmit:
    """Bytes for the wire."""

    data: bytes
    hop: Hop


@dataclass(frozen=True, slots=True)
class Requested:
    """A new request (never a retransmission, never an ACK); answer it with `TransactionLayer.respond`."""

    transaction: ServerTransaction


@dataclass(frozen=True, slots=True)
class Acked:
    """An ACK that belongs to no failed INVITE, so to a 2xx; the dialog knows which."""

    request: Request
    hop: Hop


@dataclass(frozen=True, slots=True)
class Unacked:
    """No ACK came for our 2xx in 64*T1: the dialog lives, and must be ended with BYE (RFC 3261 13.3.1.4)."""

    transaction: ServerTransaction


@dataclass(frozen=True, slots=True)
class Responded:
    """A response to our request. Each retransmitted 2xx of an INVITE, and each fork's, comes here too."""

    transaction: ClientTransaction
    response: Response


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No final response came in time (timer B or F); act as for a 408."""

    transaction: ClientTransaction


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The transport could not deliver the request; act as for a 503."""

    transaction: ClientTransaction


@dataclass(frozen=True, slots=True)
class Ended:
    """The transaction is over and forgotten; always its last output."""

    transaction: ClientTransaction | ServerTransaction


Output = Transmit | Requested | Acked | Unacked | Responded | TimedOut | Unreachable | Ended
