"""Which SIP stack a server runs: our own, or PJSIP (`sip.stack`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ivr.config import Config, ConfigError
from ivr.trunks import tls_of
from media.plane import RtpPlane
from sip.guard import Dropped
from sip.pjsip.stack import PjsipStack
from sip.stack import Admit, OnIncoming, SipStack
from sip.trunks import Trunk
from sip.user_agent import UserAgent

_NAME: Final = "ivr-server"


def stack_of(
    config: Config,
    trunks: Mapping[str, Trunk],
    plane: RtpPlane,
    admit: Admit,
    on_incoming: OnIncoming,
    on_dropped: Callable[[Dropped], None],
) -> SipStack:
    """The stack that the configuration names, not started; raises `ConfigError`, or OSError where PJSIP is
    asked for and not installed.

    `on_dropped` counts the requests that get no answer; those that PJSIP never sees are counted nowhere.
    """
    sip = config.sip
    try:
        if sip.stack == "pjsip":
            return PjsipStack(
                listen=list(sip.listen),
                advertise=sip.advertise,
                trunks=trunks,
                plane=plane,
                admit=admit,
                on_incoming=on_incoming,
                user_agent=_NAME,
            )
        return UserAgent(
            listen=list(sip.listen),
            advertise=sip.advertise,
            trunks=trunks,
            plane=plane,
            admit=admit,
            on_incoming=on_incoming,
            user_agent=_NAME,
            tls=tls_of(config),
            scanners=sip.scanners,
            on_dropped=on_dropped,
        )
    except ValueError as error:
        raise ConfigError(f"sip: {error}") from error
