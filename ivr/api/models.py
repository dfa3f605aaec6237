"""What goes over the wire, with the examples that the documentation shows."""

from __future__ import annotations

import json
from dataclasses import asdict
from dataclasses import fields as dataclass_fields
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from ivr.api.gateway import LiveCall
from ivr.screening import OnMachine, Screening
from ivr.store import CallRecord, CallState, StoredEvent
from media.amd import Reason, Timings, Who
from media.leg import Direction

_ID: Final = "019aab1c-6d2e-7b1f-9c44-52a1f0a0c7de"
_CALL: Final[dict[str, JsonValue]] = {
    "id": _ID,
    "direction": "outbound",
    "state": "ended",
    "flow": "vendor-order",
    "language": "hi",
    "trunk": "exotel",
    "caller": "+912240001234",
    "called": "+919876543210",
    "cause": "normal",
    "hung_up_by": "us",
    "created_at": "2025-11-22T09:30:00.120000Z",
    "ringing_at": "2025-11-22T09:30:01.480000Z",
    "answered_at": "2025-11-22T09:30:06.040000Z",
    "ended_at": "2025-11-22T09:30:31.700000Z",
    "erased_at": None,
    "href": f"/api/voice/calls/{_ID}",
}
_REPORT: Final[dict[str, JsonValue]] = {
    **_CALL,
    "flow_hash": "5f0c6ad1",
    "params": {"vendor": "अन्नपूर्णा", "order_id": "4821", "amount": "850"},
    "result": {"accepted": True, "minutes": 20},
    "quality": {
        "packets_sent": 1283,
        "packets_received": 1281,
        "packets_lost": 2,
        "packets_late": 0,
        "jitter_ms": 3.1,
        "remote_lost": 0,
        "remote_jitter_ms": 2.4,
        "rtt_ms": 38.0,
        "buffer_ms": 40.0,
        "mos": 4.39,
        "remote_mos": 4.41,
    },
    "answered_by": {"who": "human", "reason": "short_greeting", "after_ms": 1620},
    "recording": f"/api/voice/calls/{_ID}/recording",
    "messages": [
        {"name": "complaint", "duration_ms": 8200, "href": f"/api/voice/calls/{_ID}/messages/complaint"}
    ],
}
_EVENTS: Final[list[JsonValue]] = [
    {"seq": 1, "at": "2025-11-22T09:30:06.050000Z", "kind": "enter", "data": {"step": "offer", "visit": 1}},
    {"seq": 2, "at": "2025-11-22T09:30:12.300000Z", "kind": "key", "data": {"key": "1"}},
]


def _example(
    value: dict[str, JsonValue], extra: Literal["ignore", "allow", "forbid"] = "ignore"
) -> ConfigDict:
    """A model's settings with the example that the documentation shows."""
    return ConfigDict(extra=extra, allow_inf_nan=False, json_schema_extra={"examples": [value]})


Name = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
HeaderName = Annotated[str, Field(pattern=r"^[Xx]-[A-Za-z0-9._-]{1,62}$")]
HeaderValue = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
Key = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")]


def _encodable(values: dict[str, JsonValue]) -> dict[str, JsonValue]:
    try:
        json.dumps(values, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("a text holds half of a surrogate pair, which no encoding can carry") from None
    return values


Values = Annotated[dict[str, JsonValue], AfterValidator(_encodable)]
"""Of a flow, by their names: they can be stored, spoken and sent on."""


class AnsweringMachine(BaseModel):
    """What to do about answering machines. Without it the flow begins at the answer, whoever gave it."""

    model_config = _example({"action": "wait_for_beep", "greeting_ms": 2000}, extra="forbid")

    action: OnMachine = Field(
        description="`hang_up`: a machine ends the call (cause `answering_machine`); `continue`: the flow "
        "begins as soon as it is known who answered; `wait_for_beep`: after a machine's beep, or the end of "
        "its greeting"
    )
    total_ms: int = Field(
        5000, ge=1000, le=20_000, description="The most that is listened; then nobody is sure"
    )
    initial_silence_ms: int = Field(
        2500, ge=500, le=20_000, description="So long a silence before the first word is a machine"
    )
    greeting_ms: int = Field(1500, ge=300, le=20_000, description="So much speech is a machine")
    after_greeting_silence_ms: int = Field(
        800, ge=200, le=5000, description="So long a silence after the first words is a person"
    )
    minimum_word_ms: int = Field(100, ge=20, le=1000, description="Shorter sounds are no words")
    between_words_ms: int = Field(50, ge=20, le=1000, description="Shorter gaps are within a word")
    maximum_words: int = Field(2, ge=1, le=20, description="More words than these are a machine")
    greeting_end_ms: int = Field(
        2500, ge=500, le=20_000, description="So long a silence ends a machine's greeting"
    )
    beep_wait_ms: int = Field(
        30_000, ge=1000, le=120_000, description="How long the end of a machine's greeting is awaited"
    )

    def screening(self) -> Screening:
        timings = Timings(**{each.name: getattr(self, each.name) for each in dataclass_fields(Timings)})
        return Screening(self.action, timings, self.greeting_end_ms, self.beep_wait_ms)

    @classmethod
    def of(cls, screening: Screening) -> AnsweringMachine:
        waits = {"greeting_end_ms": screening.greeting_end_ms, "beep_wait_ms": screening.beep_wait_ms}
        return cls(action=screening.action, **asdict(screening.timings), **waits)


class InitiateRequest(BaseModel):
    """A call to be made."""

    model_config = _example(
        {
            "to": "+919876543210",
            "flow": "vendor-order",
            "params": {"vendor": "अन्नपूर्णा", "order_id": "4821", "amount": "850"},
            "trunk": "exotel",
            "language": "hi",
            "idempotency_key": "order-4821-vendor-1",
        },
        extra="forbid",
    )

    to: Name = Field(description="A number as the trunk wants it, best with country code, or a SIP address")
    flow: Name = Field(description="The name of a flow")
    params: Values = Field(default={}, description="The values of the flow's parameters")
    trunk: Name | None = Field(
        default=None, description="The trunk to call through; default: the first of the configuration"
    )
    caller_id: Name | None = Field(default=None, description="The number shown; default: the trunk's")
    language: Name | None = Field(default=None, description="hi, mr, en; default: what the flow says")
    answering_machine: AnsweringMachine | None = None
    idempotency_key: Key | None = Field(
        default=None,
        description="A repetition with the same key gives the first call instead of a second one. "
        "The header Idempotency-Key says the same.",
    )

    headers: dict[HeaderName, HeaderValue] = Field(
        default={}, max_length=16, description="X-headers of the INVITE, as X-Order-Id"
    )
    respect_suppressions: bool = Field(
        default=False,
        description="Whether a number on the suppression list is refused; campaigns never call one",
    )


class Accepted(BaseModel):
    """The call is stored and will be dialled."""

    model_config = _example({"id": _ID, "state": "created", "href": f"/api/voice/calls/{_ID}"})

    id: str
    state: CallState
    href: str


class Call(BaseModel):
    """A call, in short. Times are UTC."""

    model_config = _example(_CALL)

    id: str
    direction: Direction
    state: CallState
    flow: str
    language: str | None
    trunk: str
    caller: str
    called: str
    cause: str | None = Field(
        description="How it ended: normal, busy, no_answer, media_timeout, interrupted, …"
    )
    hung_up_by: str | None
    created_at: datetime
    ringing_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    erased_at: datetime | None = Field(description="When its personal data was deleted")
    href: str


class Event(BaseModel):
    """Something that happened in a call."""

    seq: int
    at: datetime
    kind: str
    data: dict[str, Any]


class QualityReport(BaseModel):
    """What the network did to the media. Calls of earlier releases have no `buffer_ms` and no scores."""

    packets_sent: int
    packets_received: int
    packets_lost: int
    packets_late: int
    jitter_ms: float
    remote_lost: int
    remote_jitter_ms: float
    rtt_ms: float | None
    buffer_ms: float = Field(0.0, description="What the jitter buffer held, in milliseconds")
    mos: float | None = Field(
        None, description="What the far end's voice was worth here, 1 to 4.5 (ITU-T G.107)"
    )
    remote_mos: float | None = Field(
        None, description="The same of our voice at the far end, by its RTCP reports"
    )


class AnsweredBy(BaseModel):
    """Who answered a call that asked for it (`answering_machine`), and by what sign it was known."""

    who: Who
    reason: Reason
    after_ms: int = Field(description="Counted from the answer")


class LeftMessage(BaseModel):
    """A message that was left in the call (a flow's `record`). `name` is what the flow's result holds."""

    name: str
    duration_ms: int | None = Field(description="Null while it is spoken, and where a crash cut it off")
    href: str = Field(description="Where it can be fetched")


class CallReport(Call):
    """A call with what went in and what came out."""

    model_config = _example(_REPORT)

    flow_hash: str
    params: dict[str, Any]
    result: dict[str, Any] | None
    quality: QualityReport | None
    answered_by: AnsweredBy | None = Field(None, description="Null where nobody asked")
    recording: str | None = Field(description="Where the recording can be fetched")
    messages: list[LeftMessage] = []


class CallDetail(CallReport):
    """A call, whole. `step` is where the flow stands, while the call is live on this server."""

    model_config = _example({**_REPORT, "step": None, "events": _EVENTS})

    step: str | None
    events: list[Event]


class CallEnded(BaseModel):
    """What is posted to the webhook when a call has ended, also when it failed or was cut off by a crash."""

    model_config = _example({"type": "call.ended", "call": _REPORT})

    type: Literal["call.ended"] = "call.ended"
    call: CallReport


class CallList(BaseModel):
    """Calls, newest first. `next` is the `cursor` of the page behind; null at the end."""

    model_config = _example({"calls": [_CALL], "next": None})

    calls: list[Call]
    next: str | None


class FieldProblem(BaseModel):
    field: str
    message: str


class Problem(BaseModel):
    """An error (RFC 9457). `type` is the address of a page that explains it."""

    model_config = _example(
        {
            "type": "/problems/invalid-request",
            "title": "The request is not valid",
            "status": 422,
            "detail": "the parameters do not fit the flow: amount, vendr",
            "fields": [
                {"field": "params.amount", "message": "is missing: an amount in rupees"},
                {"field": "params.vendr", "message": "is unknown"},
            ],
        },
        extra="allow",
    )

    type: str
    title: str
    status: int
    detail: str
    fields: list[FieldProblem] = []


class Live(BaseModel):
    status: Literal["live"] = "live"


class Ready(BaseModel):
    """`reasons` are why no new calls should come here."""

    status: Literal["ready", "not ready"]
    reasons: list[str]


def utc(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def maybe_utc(at: float | None) -> datetime | None:
    return None if at is None else utc(at)


def href(call_id: str) -> str:
    return f"/api/voice/calls/{call_id}"


def short(record: CallRecord) -> Call:
    return Call.model_validate(_short(record))


def report(record: CallRecord) -> CallReport:
    return CallReport.model_validate(_report(record))


def detail(record: CallRecord, events: list[StoredEvent], live: LiveCall | None) -> CallDetail:
    """`live`: the call itself, while it lasts, knows better than its record."""
    told = _report(record)
    if live is not None:
        told["quality"] = asdict(live.quality)
    told["step"] = None if live is None else live.step
    told["events"] = [{"seq": e.seq, "at": utc(e.at), "kind": e.kind, "data": e.data} for e in events]
    return CallDetail.model_validate(told)


def _report(record: CallRecord) -> dict[str, Any]:
    return {
        **_short(record),
        "flow_hash": record.flow_hash,
        "params": record.params,
        "result": record.result,
        "quality": record.quality,
        "answered_by": record.answered_by,
        "recording": None if record.recording is None else f"{href(record.id)}/recording",
        "messages": [
            {
                "name": name,
                "duration_ms": message.duration_ms,
                "href": f"{href(record.id)}/messages/{quote(name, safe='')}",
            }
            for name, message in record.messages.items()
        ],
    }


def _short(record: CallRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "direction": record.direction,
        "state": record.state,
        "flow": record.flow,
        "language": record.language,
        "trunk": record.trunk,
        "caller": record.caller,
        "called": record.called,
        "cause": record.cause,
        "hung_up_by": record.hung_up_by,
        "created_at": utc(record.created_at),
        "ringing_at": maybe_utc(record.ringing_at),
        "answered_at": maybe_utc(record.answered_at),
        "ended_at": maybe_utc(record.ended_at),
        "erased_at": maybe_utc(record.erased_at),
        "href": href(record.id),
    }
