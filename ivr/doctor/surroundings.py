"""What lies around the trunk: our address in its eyes, media ports, limits of the system, the clock. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from ivr.config import Config, Trunk
from ivr.doctor.addresses import Scope, scope
from ivr.doctor.facts import Machine, Reply, ServerSeen, Target
from ivr.doctor.findings import Finding, fail, ok, printable, skipped, warn
from ivr.doctor.lookups import place_text
from ivr.profiles import media_of

OFF_S: Final = 30.0
"""How far clocks may be apart before nonces and records suffer."""
FAR_OFF_S: Final = 300.0
_NEAR_S: Final = 3.0
_FILES_PER_CALL: Final = 6
"""Two media sockets for each of up to two legs, a recording, a connection."""
_FILES_BESIDE: Final = 256
"""Listeners, API, store, engines."""
_DATAGRAM: Final = 2304
"""What the kernel counts for one waiting SIP datagram of usual length."""


def addresses(config: Config, targets: Sequence[Target]) -> list[Finding]:
    """Whether the far end can reach us where we say that we are."""
    found = [finding for target in targets for finding in _address(config, target)]
    return found or [skipped("nat.address", "our address", "no answer tells how the far end sees us")]


def _address(config: Config, target: Target) -> Iterator[Finding]:
    where, told, seen = place_text(target.place), target.told, target.seen
    if told is None:
        return
    about = f"our address at {where}"
    received = None if seen is None else seen.received
    if received is None or received.lower() == told.host.lower():
        inside = scope(told.host) in (Scope.PRIVATE, Scope.LOOPBACK)
        if inside and scope(target.place.address.host) is Scope.PUBLIC:
            mend = "Set sip.advertise to our public address; the router or the cloud's console tells it."
            yield fail("nat.advertise", about, f"we say {told.host}, which it cannot reach", mend)
        elif seen is not None:
            yield ok("nat.address", about, f"{told.host}, as we say")
    elif config.sip.advertise is None:
        mend = (
            f"Set sip.advertise to {printable(received)}, and forward the SIP and media ports to this "
            "machine; else calls have audio one way at best."
        )
        yield fail("nat.address", about, f"{printable(received)}, but we say {told.host}", mend)
    else:
        mend = f"Set sip.advertise to {printable(received)}, or mend the route that leaves from there."
        yield fail("nat.advertise", about, f"{printable(received)}, but we advertise {told.host}", mend)
    if target.transport == "UDP" and seen is not None and seen.rport not in (None, told.port):
        mend = "Forward the SIP and media ports one to one: the NAT gives others, and answers may go astray."
        about = f"our port at {where}"
        yield warn("nat.port", about, f"{seen.rport}, though we send from {told.port}", mend)


def media(config: Config, trunk: Trunk, machine: Machine) -> list[Finding]:
    """Ports for RTP, and what the firewall must let through."""
    return list(_media(config, trunk, machine))


def _media(config: Config, trunk: Trunk, machine: Machine) -> Iterator[Finding]:
    low, high = config.media.ports
    about = "media ports"
    if machine.bound:
        mend = "Correct sip.listen: media is received at its first address."
        yield fail("media.address", "media address", f"{machine.media_host}: {machine.bound}", mend)
    if (low, high) == (0, 0):
        mend = "Set media.ports to a range, as [10000, 20000], and open it in the firewall."
        yield warn("media.ports", about, "any: no firewall can be set for them", mend)
        return
    pairs = range(low + low % 2, high, 2)
    free = [port for port in pairs if not {port, port + 1} & machine.taken]
    seen = f"{low}-{high}: {len(pairs)} pairs, {len(free)} free now"
    if len(pairs) < trunk.max_calls:
        calls = trunk.max_calls
        mend = f"Widen media.ports: {calls} calls need {2 * calls} ports, and resting ones more."
        yield fail("media.ports", about, seen, mend)
    elif low < machine.lowest_port:
        mend = f"Take media.ports from {machine.lowest_port} on: lower ones need a privilege."
        yield fail("media.ports", about, seen, mend)
    elif len(pairs) < config.limits.calls:
        mend = f"Widen media.ports: limits.calls allows {config.limits.calls} calls."
        yield warn("media.ports", about, seen, mend)
    elif len(free) < trunk.max_calls:
        mend = "Find what else uses UDP ports in media.ports, or take another range."
        yield warn("media.ports", about, seen, mend)
    else:
        yield ok("media.ports", about, seen)
    if machine.ephemeral is not None and low <= machine.ephemeral[1] and machine.ephemeral[0] <= high:
        mend = "Move media.ports, or list it in net.ipv4.ip_local_reserved_ports."
        shown = f"{machine.ephemeral[0]}-{machine.ephemeral[1]}"
        yield warn("media.shared", "ports of others", f"the system gives ports of {shown} to anybody", mend)
    yield ok("media.firewall", "firewall", _firewall(trunk, low, high))


def _firewall(trunk: Trunk, low: int, high: int) -> str:
    published = media_of(trunk.profile)
    if published is None:
        return f"must let UDP to ports {low}-{high} in from the provider's media addresses"
    return (
        f"must let UDP to ports {low}-{high} in from {', '.join(published.addresses)} "
        f"and out to their ports {published.ports[0]}-{published.ports[1]} (as published, not tried)"
    )


def system(config: Config, trunk: Trunk, machine: Machine, *, udp: bool) -> list[Finding]:
    """Limits of the operating system; `udp` says whether signalling goes that way."""
    return list(_system(config, trunk, machine, udp))


def _system(config: Config, trunk: Trunk, machine: Machine, udp: bool) -> Iterator[Finding]:
    about, needed = "open files", _FILES_BESIDE + _FILES_PER_CALL * trunk.max_calls
    whose = "of the running server" if machine.files_of == "server" else "of this shell"
    if machine.files is None:
        yield skipped("system.files", about, "the system does not tell")
    elif machine.files < needed:
        mend = f"Raise it to {needed} or more (LimitNOFILE= in the unit, ulimit -n in a shell)."
        seen = f"{machine.files} ({whose}); {trunk.max_calls} calls want about {needed}"
        yield warn("system.files", about, seen, mend)
    else:
        yield ok("system.files", about, f"{machine.files} ({whose}), {needed} are wanted")
    if not udp:
        return
    about, needed = "UDP buffer", _DATAGRAM * trunk.max_calls
    if machine.buffer_bytes is None:
        yield skipped("system.buffer", about, "the system does not tell")
    elif machine.buffer_bytes < needed:
        mend = f"Set sysctl net.core.rmem_max to {needed} or more: a burst of SIP would be lost."
        yield warn("system.buffer", about, f"{machine.buffer_bytes} bytes", mend)
    else:
        yield ok("system.buffer", about, f"{machine.buffer_bytes} bytes")


def clock(replies: Sequence[Reply], machine: Machine) -> list[Finding]:
    """Ours against that of the far end (Date, RFC 3261 20.17), and whether anything sets it."""
    return list(_clock(replies, machine))


def _clock(replies: Sequence[Reply], machine: Machine) -> Iterator[Finding]:
    about = "clock"
    ahead = [reply.ahead_s for reply in replies if reply.ahead_s is not None]
    if not ahead:
        yield skipped("clock.date", about, "no answer has a Date to compare with")
    else:
        worst = max(ahead, key=abs)
        words = f"ours is {abs(worst):.0f} s {'behind' if worst > 0 else 'ahead of'} the far end's"
        mend = "Let chrony or systemd-timesyncd set the clock: certificates, nonces and records depend on it."
        if abs(worst) > FAR_OFF_S:
            yield fail("clock.date", about, words, mend)
        elif abs(worst) > OFF_S:
            yield warn("clock.date", about, words, mend)
        else:
            near = abs(worst) <= _NEAR_S
            yield ok("clock.date", about, "within a few seconds of the far end's" if near else words)
    about = "synchronisation"
    if machine.synchronised is None:
        yield skipped("clock.sync", about, "the system does not tell")
    elif machine.synchronised:
        yield ok("clock.sync", about, "the kernel says that something keeps the clock")
    elif ahead and max(map(abs, ahead)) <= _NEAR_S:
        yield ok("clock.sync", about, "nothing says that it keeps the clock, but it is right")
    else:
        mend = "Install chrony, or switch systemd-timesyncd on (timedatectl set-ntp true)."
        yield warn("clock.sync", about, "nothing keeps this machine's clock", mend)


def server(seen: ServerSeen) -> list[Finding]:
    """Whether the server runs, and how the trunk stands there."""
    return list(_server(seen))


def _server(seen: ServerSeen) -> Iterator[Finding]:
    about, held = "the server", ", ".join(seen.held)
    if seen.answers:
        where = f" on {held}" if held else ""
        yield ok("server.running", about, f"running{where}; the doctor used ports of its own")
        calls = f"{seen.calls} call{'' if seen.calls == 1 else 's'} now"
        if seen.up is False:
            mend = "See what is said above of the targets, and of the registration."
            yield fail("server.trunk", "its view of the trunk", f"down: {printable(seen.reason)}", mend)
        elif seen.up is None:
            yield ok("server.trunk", "its view of the trunk", f"nothing is known yet; {calls}")
        else:
            yield ok("server.trunk", "its view of the trunk", f"up; {calls}")
        if seen.seen_as is not None:
            mend = f"Set sip.advertise to {printable(_host(seen.seen_as))}, or have the NAT keep ports."
            shown = f"the trunk sees it as {printable(seen.seen_as)}, which is not what it tells"
            yield warn("server.seen-as", "its address", shown, mend)
    elif held:
        who = "" if seen.pid is None else f" by process {seen.pid}"
        mend = "Stop that process or change sip.listen, unless it is this server: then see to its API."
        yield warn("server.held", about, f"{held} held{who}; its API: {printable(seen.why)}", mend)
    else:
        yield skipped("server.running", about, "not running here with this configuration")


def _host(address: str) -> str:
    """Of `host`, `host:port`, `[v6]` or `[v6]:port`."""
    return address[1:].partition("]")[0] if address[:1] == "[" else address.partition(":")[0]
