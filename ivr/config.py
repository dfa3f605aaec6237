"""The server's configuration: one YAML file, every field checked, every mistake named with its place.

Relative paths are relative to the file. Environment variables replace `${NAME}` in any text, so that secrets
stay out of the file.
"""

from __future__ import annotations

import os
import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from ivr.admin.config import Admin
from ivr.campaigns.settings import Campaigns
from ivr.flow.manner import dictionary_faults
from ivr.flow.protocol import SUPPRESS_CALLER
from ivr.flow.sayas import known_languages
from ivr.llm_config import Llm
from ivr.profiles import Profile, with_profile
from ivr.prompt_config import PromptCache
from ivr.queueing import Strategy
from ivr.speech_config import SHAPE, Engines, Services
from ivr.topics import Topic
from ivr.web.config import Web
from ivr.web.exotel_config import Exotel
from media.ports import pairs_in
from sip.guard import SCANNERS


class ConfigError(Exception):
    """The configuration cannot be used; the text names file, field and reason."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _network(text: str) -> str:
    ip_network(text, strict=False)
    return text


def _ip(text: str) -> str:
    ip_address(text)
    return text


_ADDRESS = re.compile(r"(udp|tcp|tls):(.+):(\d{1,5})")


def _listen(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise ValueError("write it as udp:127.0.0.1:5060, tcp:[::1]:5060 or tls:0.0.0.0:5061")
    return text


def _ports(ports: tuple[int, int]) -> tuple[int, int]:
    if ports != (0, 0):
        pairs_in(*ports)
    return ports


def _session(seconds: int) -> int:
    if 0 < seconds < 90:
        raise ValueError("a session lasts 90 seconds at least (RFC 4028); 0: no session timer")
    return seconds


_DESTINATION = re.compile(r"\+[0-9]*|[0-9*#]+|sip:(\*|[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])")


def _destination(text: str) -> str:
    if not _DESTINATION.fullmatch(text):
        raise ValueError("write a prefix of numbers as +91 or 1860, or a host as sip:pbx.example")
    return text


def _dictionary(words: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    for word, fault in dictionary_faults(words).items():
        raise ValueError(f'"{word}" {fault}')
    for word, said in words.items():
        for language in said.keys() - set(known_languages()):
            raise ValueError(f'"{word}": the language "{language}" is not known')
    return words


Network = Annotated[str, AfterValidator(_network)]
Listen = Annotated[str, AfterValidator(_listen)]
Destination = Annotated[str, AfterValidator(_destination)]
HttpUrl = Annotated[str, Field(pattern=r"^https?://[^\s/]+")]
Password = Annotated[str, Field(min_length=8)]
CodecName = Literal["PCMA", "PCMU", "G722"]


class Credentials(_Strict):
    """Digest credentials (RFC 8760, 7616); used only for our own requests to this trunk."""

    username: str
    password: str
    realm: str | None = None


class TrunkTls(_Strict):
    """How we check the trunk's certificate, and what we show it when it asks.

    `ca` are the authorities (PEM) that may have signed it, the system's without one; `server_name` the name
    that it must carry, the proxy's host without one. `certificate` and `key` (PEM) are ours, for peers that
    want one.
    """

    ca: Path | None = None
    server_name: str | None = None
    certificate: Path | None = None
    key: Path | None = None
    verify: bool = True


class Registration(_Strict):
    """We register with the trunk (RFC 3261 10): `user` is who we are there, `registrar` where, the proxy
    without one."""

    user: str
    registrar: str | None = None
    expires_s: int = Field(default=600, ge=60, le=86_400)


class Trunk(_Strict):
    """A peer that may call us, and that we may call through.

    `profile` sets what a provider wants; what is written here overrides it. `number_format` is what the peer
    wants in the Request-URI: `e164` (+919876543210), `national` (09876543210), `plain` (as given). `transfer`
    is how its callers reach an agent who was called first: through us, or by calling him themselves.
    """

    profile: Profile | None = None
    allow: list[Network] = []
    users: dict[str, Password] = {}
    proxy: str | None = None
    tls: TrunkTls = TrunkTls()
    registration: Registration | None = None
    options_s: float = Field(default=30.0, ge=0)
    caller_id: str | None = None
    asserted_identity: bool = False
    privacy: bool = False
    number_format: Literal["e164", "national", "plain"] = "plain"
    country_code: str = "91"
    headers: dict[str, str] = {}
    credentials: Credentials | None = None
    codecs: list[CodecName] = Field(default=["PCMA", "PCMU"], min_length=1)
    srtp: Literal["refused", "offered", "required"] = "refused"
    rel100: Literal["off", "supported", "required"] = "supported"
    session_expires_s: Annotated[int, Field(ge=0), AfterValidator(_session)] = 1800
    refresher: Literal["us", "them"] | None = None
    refer_to: list[Destination] = []
    destinations: list[Destination] | None = None
    max_calls: int = Field(default=100, ge=1)
    calls_per_minute: int | None = Field(default=None, ge=1)
    invites_per_minute: int | None = Field(default=None, ge=1)
    call_s: float | None = Field(default=None, gt=0)
    transfer: Literal["bridge", "replaces"] = "bridge"

    @model_validator(mode="before")
    @classmethod
    def _profiled(cls, written: Any) -> Any:
        return with_profile(written) if isinstance(written, dict) else written


class Tls(_Strict):
    """Our own certificate (PEM, with its chain) for peers that call by TLS.

    `client_certificate` says whether they must show one, signed by an authority in `ca`.
    """

    certificate: Path
    key: Path
    ca: Path | None = None
    client_certificate: Literal["none", "optional", "required"] = "none"

    @model_validator(mode="after")
    def _judged(self) -> Tls:
        if self.client_certificate != "none" and self.ca is None:
            raise ValueError("client_certificate needs the authorities that may have signed it: set ca")
        return self


class Sip(_Strict):
    """`advertise` is the address written into SIP and SDP when it differs from the bound one (NAT).
    `scanners` are words of a User-Agent whose requests get no answer."""

    stack: Literal["own", "pjsip"] = "own"
    listen: list[Listen] = Field(default=["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"], min_length=1)
    advertise: Annotated[str, AfterValidator(_ip)] | None = None
    tls: Tls | None = None
    scanners: list[Annotated[str, Field(min_length=3)]] = list(SCANNERS)

    @model_validator(mode="after")
    def _certified(self) -> Sip:
        if self.tls is None and any(address.startswith("tls:") for address in self.listen):
            raise ValueError("listening on tls: needs our certificate and key: set tls")
        return self


class Media(_Strict):
    """`timeout` is how long a caller may send nothing at all before the call is given up, in seconds.

    `transfer_sound` is what a caller hears until a transfer has succeeded or failed; `hold_music` a mono
    16-bit WAV file that is played where it says `music`, a tune of our own without one.
    """

    ports: Annotated[tuple[int, int], AfterValidator(_ports)] = (10000, 20000)
    rest_s: float = Field(default=30.0, ge=0)
    timeout_s: float = Field(default=20.0, gt=0)
    record: bool = True
    transfer_sound: Literal["ringback", "music", "silence"] = "ringback"
    hold_music: Path | None = None


class InboundNumber(_Strict):
    """Which flow answers a called number, and the values it gets: `params`, and over them those that an
    X-header of the INVITE gives, as `params_from_headers: {order: X-Order-Id}`. It rings for `ring_s`
    before it is answered; with `early_media` the caller hears our ringing, not his network's."""

    flow: str
    params: dict[str, Any] = {}
    params_from_headers: dict[str, Annotated[str, Field(pattern=r"^[Xx]-[A-Za-z0-9._-]{1,62}$")]] = {}
    ring_s: float = Field(default=0.0, ge=0, le=60)
    early_media: bool = False

    @model_validator(mode="after")
    def _rings(self) -> InboundNumber:
        if self.early_media and not self.ring_s:
            raise ValueError("early_media is what is heard while it rings: say for how long (ring_s)")
        return self


Scope = Literal[
    "calls:read",
    "calls:write",
    "recordings:read",
    "metrics:read",
    "flows:read",
    "flows:write",
    "engines:read",
    "engines:write",
    "sessions:write",
    "calls:supervise",
    "audit:read",
    "audit:write",
    "campaigns:read",
    "campaigns:write",
]
"""What a key of the API allows."""


class ApiKey(_Strict):
    key: str = Field(min_length=16)
    scopes: list[Scope]


class Api(_Strict):
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    keys: dict[str, ApiKey] = {}


class QueueAgent(_Strict):
    """Somebody who takes the calls of a queue: a number or SIP address, called over `trunk` (that of the
    caller without one). It rings for `ring_s`; `calls` is how many he may have at once."""

    to: str = Field(min_length=1)
    trunk: str | None = None
    ring_s: float = Field(default=20.0, ge=1, le=120)
    calls: int = Field(default=1, ge=1)


class Queue(_Strict):
    """Where callers wait for one of several agents; `callers` is how many may wait at once."""

    agents: list[str | QueueAgent] = Field(min_length=1)
    strategy: Strategy = Strategy.IN_TURN
    callers: int = Field(default=100, ge=1)

    @model_validator(mode="after")
    def _differ(self) -> Queue:
        called = [agent if isinstance(agent, str) else agent.to for agent in self.agents]
        if twice := next((to for to in called if called.count(to) > 1), None):
            raise ValueError(f"{twice} is here twice")
        return self


class Endpoint(_Strict):
    """An HTTP address that flows may call by name. With a `secret`, requests are signed (HMAC-SHA256)."""

    url: HttpUrl
    secret: str | None = None
    headers: dict[str, str] = {}


class HttpClassifier(_Strict):
    """An HTTP server (NLU) that is asked what a caller means. With a `secret`, requests are signed. An answer
    with a score below `min_score` is none."""

    url: HttpUrl
    headers: dict[str, str] = {}
    secret: str | None = None
    deadline_s: float = Field(default=0.8, gt=0, le=5)
    min_score: float = Field(default=0.5, ge=0, le=1)


class LlmClassifier(_Strict):
    """A language model that is asked what a caller means; `url` is the base of an API as OpenAI's, to which
    /chat/completions is added."""

    url: HttpUrl
    model: str = Field(min_length=1)
    key: str | None = None
    headers: dict[str, str] = {}
    deadline_s: float = Field(default=1.2, gt=0, le=5)


def _kind_of_classifier(written: Any) -> str:
    named = isinstance(written, LlmClassifier) or (isinstance(written, dict) and "model" in written)
    return "llm" if named else "nlu"


Classifier = Annotated[
    Annotated[HttpClassifier, Tag("nlu")] | Annotated[LlmClassifier, Tag("llm")],
    Discriminator(_kind_of_classifier),
]
"""With a `model` it is a language model."""


class Webhook(_Strict):
    """Where the result of every call is sent."""

    url: HttpUrl
    secret: str = Field(min_length=16)


class Tracing(_Strict):
    """The collector that calls are told to, by OTLP over HTTP; `headers` may hold its key."""

    endpoint: HttpUrl
    headers: dict[str, str] = {}
    service: str = Field(default="ivr-server", min_length=1)


def _mqtt(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise ValueError("write it as mqtt://HOST or mqtts://HOST:8883")
    if parts.username is not None or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("only host and port belong here; username and password are fields of their own")
    if parts.port == 0:
        raise ValueError("0 is no port")
    return url


def _topic(text: str) -> str:
    Topic.parse(text)
    return text


TopicName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]


TopicText = Annotated[str, AfterValidator(_topic)]


class BrokerTls(_Strict):
    """`ca` are the authorities (PEM) that may have signed the broker's certificate, the system's without one;
    `certificate` and `key` (PEM) are ours, for brokers that want one."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @model_validator(mode="after")
    def _paired(self) -> BrokerTls:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        return self


class Broker(_Strict):
    """The MQTT 5 broker that events of flows go to, each topic by the name that flows know; with `results`
    those of calls too. A topic may hold `{call_id}`, `{flow}` and `{body.NAME}`."""

    url: Annotated[str, AfterValidator(_mqtt)]
    username: str | None = None
    password: str | None = None
    client_id: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    tls: BrokerTls = BrokerTls()
    topics: dict[TopicName, TopicText] = {}
    results: TopicText | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Broker:
        if self.url.startswith("mqtt:") and self.tls != BrokerTls():
            raise ValueError("tls is for mqtts:// alone")
        if self.password is not None and self.username is None:
            raise ValueError("password needs a username")
        return self


class Limits(_Strict):
    """`loop_lag_ms`: past this much lateness of the event loop new calls get 503."""

    calls: int = Field(default=500, ge=1)
    loop_lag_ms: float = Field(default=50.0, gt=0)
    call_s: float = Field(default=1800.0, gt=0)


class Store(_Strict):
    """Data folder: database, recordings and the prompt cache."""

    path: Path = Path("var")
    database: str | None = None


CollectionName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]


class Config(_Strict):
    sip: Sip = Sip()
    media: Media = Media()
    api: Api = Api()
    trunks: dict[str, Trunk] = {}
    numbers: dict[str, InboundNumber] = {}
    flows: Path = Path("flows")
    say_as: Annotated[dict[str, dict[str, str]], AfterValidator(_dictionary)] = {}
    queues: dict[str, str | Queue] = {}
    endpoints: dict[str, Endpoint] = {}
    classifiers: dict[str, Classifier] = {}
    webhook: Webhook | None = None
    broker: Broker | None = None
    engines: Engines = Engines()
    llm: Llm = Llm()
    knowledge: dict[CollectionName, Path] = {}
    services: Services = Services()
    prompts: PromptCache = PromptCache()
    store: Store = Store()
    limits: Limits = Limits()
    web: Web = Web()
    exotel: Exotel = Exotel()
    tracing: Tracing | None = None
    admin: Admin = Admin()
    campaigns: Campaigns = Campaigns()

    def longest_call_s(self, trunk: str) -> float:
        """How long a call over the trunk may last."""
        configured = self.trunks.get(trunk)
        if configured is None or configured.call_s is None:
            return self.limits.call_s
        return min(self.limits.call_s, configured.call_s)

    @model_validator(mode="after")
    def _no_endpoint_of_ours(self) -> Config:
        if SUPPRESS_CALLER in self.endpoints:
            raise ValueError(f"endpoints: {SUPPRESS_CALLER} is the server's own; take another name")
        return self

    @model_validator(mode="after")
    def _trunks_of_agents(self) -> Config:
        for name, queue in self.queues.items():
            for agent in queue.agents if isinstance(queue, Queue) else ():
                if isinstance(agent, QueueAgent) and agent.trunk not in (None, *self.trunks):
                    raise ValueError(f"queues.{name}: there is no trunk {agent.trunk}")
        return self


class _Loader(yaml.SafeLoader):
    """YAML takes the last of two equal keys without a word: here it would be a trunk that is not there."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # no key of ours: told below, with its place
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value} is here twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_VARIABLE = re.compile(r"\$\{([A-Z_][A-Z0-9_]*)\}")


def load(path: Path) -> Config:
    """Reads and checks the file; raises `ConfigError`."""
    try:
        raw = yaml.load(_expand(path.read_text(encoding="utf-8")), _Loader)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not written in UTF-8 (byte {error.start})") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: {error}") from error
    try:
        config = Config.model_validate(raw or {})
    except ValidationError as error:
        lines = [f"{path}: {_place(e['loc'])}: {e['msg']}" for e in error.errors()]
        raise ConfigError("\n".join(lines)) from error
    placed: Config = _placed(config, path.resolve().parent)
    return placed


def load_or_default(path: Path) -> Config:
    """Without an `ivr.yaml` here, the defaults: much can be looked at before there is one. Raises
    `ConfigError`."""
    return Config() if path == Path("ivr.yaml") and not path.exists() else load(path)


def _place(parts: tuple[int | str, ...]) -> str:
    """Where in the file a mistake is, as it is written there."""
    return ".".join(str(part) for part in parts if not str(part).startswith(SHAPE))


def _placed(part: Any, base: Path) -> Any:
    """The same with every relative path made relative to the file."""
    if isinstance(part, Path):
        return base / part
    if isinstance(part, BaseModel):
        fields = type(part).model_fields
        return part.model_copy(update={name: _placed(getattr(part, name), base) for name in fields})
    if isinstance(part, dict):
        return {key: _placed(value, base) for key, value in part.items()}
    return part


def _expand(text: str) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in os.environ:
            raise ConfigError(f"the environment variable {name} is not set")
        return os.environ[name]

    return _VARIABLE.sub(value, text)
