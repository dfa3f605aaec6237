"""From the configuration of trunks and queues to what the SIP stacks and the switchboard take."""

from __future__ import annotations

from dataclasses import replace

from ivr.config import Config
from ivr.config import Queue as QueueConfig
from ivr.config import Trunk as TrunkConfig
from ivr.queueing import Agent, Queue, direct
from sip.digest import Credentials
from sip.tls import ClientTls, ServerTls
from sip.trunks import Registration, Trunk


def trunks_of(config: Config) -> dict[str, Trunk]:
    """All trunks by name."""
    return {name: _trunk(trunk) for name, trunk in config.trunks.items()}


def queues_of(config: Config) -> dict[str, Queue]:
    """All queues by name; a name for one number is one where nobody waits."""
    return {
        name: replace(direct(queue), name=name) if isinstance(queue, str) else _queue(name, queue)
        for name, queue in config.queues.items()
    }


def _queue(name: str, queue: QueueConfig) -> Queue:
    agents = tuple(
        Agent(agent) if isinstance(agent, str) else Agent(agent.to, agent.trunk, agent.ring_s, agent.calls)
        for agent in queue.agents
    )
    return Queue(name, agents, queue.strategy, most=queue.callers)


def tls_of(config: Config) -> ServerTls | None:
    """Our own certificate."""
    tls = config.sip.tls
    if tls is None:
        return None
    ca = None if tls.ca is None else str(tls.ca)
    return ServerTls(str(tls.certificate), str(tls.key), ca, tls.client_certificate)


def _trunk(trunk: TrunkConfig) -> Trunk:
    credentials, registration, tls = trunk.credentials, trunk.registration, trunk.tls
    return Trunk(
        allow=tuple(trunk.allow),
        users=trunk.users,
        proxy=trunk.proxy,
        tls=ClientTls(
            ca=None if tls.ca is None else str(tls.ca),
            server_name=tls.server_name,
            certificate=None if tls.certificate is None else str(tls.certificate),
            key=None if tls.key is None else str(tls.key),
            verify=tls.verify,
        ),
        registration=None
        if registration is None
        else Registration(registration.user, registration.registrar, registration.expires_s),
        options_s=trunk.options_s,
        caller_id=trunk.caller_id,
        asserted_identity=trunk.asserted_identity,
        privacy=trunk.privacy,
        number_format=trunk.number_format,
        country_code=trunk.country_code,
        headers=trunk.headers,
        credentials=None
        if credentials is None
        else Credentials(credentials.username, credentials.password, credentials.realm),
        codecs=tuple(trunk.codecs),
        srtp=trunk.srtp,
        rel100=trunk.rel100,
        session_expires_s=trunk.session_expires_s,
        refresher=trunk.refresher,
        refer_to=tuple(trunk.refer_to),
        destinations=None if trunk.destinations is None else tuple(trunk.destinations),
        max_calls=trunk.max_calls,
        calls_per_minute=trunk.calls_per_minute,
        invites_per_minute=trunk.invites_per_minute,
        call_s=trunk.call_s,
    )
