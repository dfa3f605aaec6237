"""The far end of one stream: where it is, what came of it, what it reports, and its last sign of life.
Pure.
"""

from __future__ import annotations

from media.reception import Reception
from media.reports import Reports
from media.source import Address, SourceLock


class Peer:
    """`source` is the address that is listened to, None until it is known; `destination` the one to send to.

    `reception` counts the SSRC that is heard now; `heard_at` is when anything of the peer came last;
    `remote_rtcp` is where signalling wants our reports (RFC 3605).
    """

    __slots__ = (
        "_barred",
        "_clock_rate",
        "_given_up",
        "_lock",
        "_lost_before",
        "_report_due",
        "_reports_from",
        "_runs_before",
        "destination",
        "heard_at",
        "received",
        "reception",
        "remote_rtcp",
        "reports",
        "source",
    )

    def __init__(self, signalled: Address, reports: Reports, clock_rate: int, now: float) -> None:
        self.reports = reports
        self.remote_rtcp: Address | None = None
        self._barred: Address | None = None
        self.reception: Reception | None = None
        self.received = 0
        self._clock_rate = clock_rate
        self._lost_before = self._runs_before = 0
        self._report_due = now + reports.interval_s(first=True)
        self.move(signalled)
        self.expect(now)

    def moved(self, signalled: Address) -> bool:
        """Whether signalling now gives another address than before."""
        return signalled != self._lock.signalled

    def move(self, signalled: Address) -> None:
        """Another address was negotiated: another source may show itself."""
        self._lock = SourceLock(signalled)
        self._reports_from: Address | None = None
        self.source: Address | None = None
        self.destination = self._lock.destination

    def bar(self) -> None:
        """Another party comes: the source heard so far is refused, once it is not the one signalled."""
        self._barred = self.source

    def expect(self, now: float) -> None:
        """Its silence counts from now on."""
        self.heard_at = now
        self._given_up = False

    def admit(self, address: Address, sequence: int, now: float) -> bool:
        """Whether a packet from there is the peer's."""
        if address == self._barred and address != self._lock.signalled:
            return False
        taken = self._lock.admit(address, sequence, now - self.heard_at)
        self.source, self.destination = self._lock.source, self._lock.destination
        return taken

    def begin(self, ssrc: int, sequence: int) -> Reception:
        """A new SSRC is heard."""
        if self.reception is not None:
            self._lost_before += max(0, self.reception.lost)
            self._runs_before += self.reception.runs
        self.reception = Reception(ssrc, sequence, self._clock_rate)
        return self.reception

    def take_report(self, data: bytes, address: Address, now: float, ntp: int) -> bool:
        """Reads RTCP; only that of the peer's host is believed."""
        hosts = [(self.source or self._lock.signalled)[0]]
        if self.remote_rtcp is not None:
            hosts.append(self.remote_rtcp[0])
        if address[0] not in hosts or not self.reports.handle(data, now, ntp):
            return False
        self._reports_from = address[:2]
        self.heard_at = now
        return True

    @property
    def report_to(self) -> Address | None:
        """Where our reports go: to where the peer's come from (symmetric RTCP, RFC 4961), else to where
        signalling says, else to the port after that of the media."""
        if self.destination is None:
            return None
        if self._reports_from is not None and self._reports_from[0] == self.destination[0]:
            return self._reports_from
        if self.remote_rtcp is not None and self.destination == self._lock.signalled:
            return self.remote_rtcp
        host, port = self.destination
        return (host, port + 1)

    def report_due(self, now: float) -> bool:
        """Whether a report is to be sent; tells so once, and plans the next."""
        if now < self._report_due:
            return False
        self._report_due = now + self.reports.interval_s()
        return True

    def vanished(self, now: float, after_s: float) -> bool:
        """Whether nothing came for so long; tells so once per silence."""
        if now - self.heard_at < after_s:
            self._given_up = False
            return False
        told, self._given_up = self._given_up, True
        return not told

    @property
    def lost(self) -> int:
        """Packets that never came, of all SSRCs."""
        now = self.reception.lost if self.reception is not None else 0
        return max(0, self._lost_before + now)

    @property
    def loss_runs(self) -> int:
        """In how many runs they were lost, at most."""
        return self._runs_before + (self.reception.runs if self.reception is not None else 0)

    @property
    def jitter_ms(self) -> float:
        return self.reception.jitter * 1000 / self._clock_rate if self.reception is not None else 0.0
