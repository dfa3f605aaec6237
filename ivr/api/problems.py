"""The one shape of every error: problem details (RFC 9457), each kind with a page that explains it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

from engines.contract import EngineError
from ivr.api.flow_models import flow_problems
from ivr.api.gateway import (
    BadNumber,
    NoCapacity,
    NotAllowed,
    ParamsRefused,
    SignalRefused,
    UnknownFlow,
    UnknownTrunk,
)
from ivr.shelf.keeper import FileTaken, FlowChanged, FlowNotWritten, FlowRefused
from ivr.store import CallLive, IdempotencyConflict, StoreError, StoreUnavailable
from ivr.store.campaign_writes import UnknownCampaign, WrongState
from ivr.supervision import SupervisionRefused

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem; `name` ends its type URI."""

    name: str
    status: int
    title: str
    help: str


INVALID: Final = Kind(
    "invalid-request", 422, "The request is not valid", "`fields` names each field and what is wrong with it."
)
UNKNOWN_FLOW: Final = Kind(
    "unknown-flow", 404, "There is no such flow", "`known` lists the flows that this server runs."
)
UNKNOWN_SIGNAL: Final = Kind(
    "unknown-signal",
    422,
    "The call waits for no such signal",
    "`known` lists the signals that steps of the call's flow wait for (`until`).",
)
UNKNOWN_TRUNK: Final = Kind(
    "unknown-trunk", 422, "There is no such trunk", "`known` lists the trunks of the configuration."
)
BAD_NUMBER: Final = Kind(
    "bad-number",
    422,
    "This cannot be called",
    "Write a number with country code (+919876543210), as your trunk wants it, or a SIP address.",
)
NOT_ALLOWED: Final = Kind(
    "destination-not-allowed",
    403,
    "This may not be called over the trunk",
    "`destinations` of the trunk in the configuration lists what may be called over it.",
)
NO_CAPACITY: Final = Kind(
    "no-capacity",
    503,
    "No capacity",
    "Nothing is wrong with the request. Send it again after Retry-After seconds.",
)
STORE_UNAVAILABLE: Final = Kind(
    "store-unavailable",
    503,
    "The call cannot be stored",
    "The disk or database is slow or full; try again later.",
)
KEY_REUSED: Final = Kind(
    "idempotency-conflict",
    409,
    "The idempotency key belongs to another request",
    "Use a new key for every new call; `call_id` is the call which the key created.",
)
NOT_ENDED: Final = Kind("call-live", 409, "The call has not ended yet", "Hang up first, or wait for its end.")
NOT_LIVE: Final = Kind(
    "call-not-live", 409, "The call is not live", "It has ended, or lives on another server."
)
UNKNOWN_CALL: Final = Kind(
    "unknown-call", 404, "There is no such call", "Ids come from initiate and from the list."
)
NOT_SUPERVISED: Final = Kind(
    "not-supervised",
    409,
    "The call cannot be supervised so now",
    "`why` says it: `not_answered` (nothing is to be heard yet), `no_agent` (nobody is there to whisper to), "
    "`taken` (somebody else has taken it over), `too_many` operators, or `flow_over` (nothing is there to "
    "have the caller back).",
)
UNKNOWN_OPERATOR: Final = Kind(
    "unknown-operator",
    404,
    "No operator of this session is on the call",
    "`GET /admin/calls/ID/supervise` lists who is; he has left, or not begun his leg.",
)
TOO_MANY_FOLLOWERS: Final = Kind(
    "too-many-followers",
    503,
    "Too many follow already",
    "So many readers of events are there that another would cost the calls; try again after Retry-After.",
)
NO_TRUNK: Final = Kind(
    "no-such-trunk", 404, "There is no such trunk", "`known` lists the trunks of the configuration."
)
NO_RECORDING: Final = Kind(
    "no-recording",
    404,
    "There is no recording",
    "Recording is off, the call was never answered, or it was erased.",
)
NO_MESSAGE: Final = Kind(
    "no-message",
    404,
    "There is no such message",
    "`known` lists the messages of the call; none was left, or it was erased.",
)
STILL_RECORDING: Final = Kind(
    "still-recording", 409, "The recording is not complete", "Ask again when the call has ended."
)
UNKNOWN_VERSION: Final = Kind(
    "unknown-version",
    404,
    "There is no such version of the flow",
    "`GET /api/flows/NAME/versions` lists those that are kept: the last 200 of each flow.",
)
NO_SCENARIOS: Final = Kind(
    "no-scenarios",
    404,
    "The flow has no scenarios",
    "They lie beside the flow: NAME.scenarios.yaml; `ivr new` writes some, and docs/flows.md tells how.",
)
FLOW_REFUSED: Final = Kind(
    "flow-refused",
    422,
    "The flow cannot be used",
    "`problems` lists every mistake: line, column, rule, message, and a hint what to write; docs/flows.md "
    "tells the rules. Nothing was changed. A mistake may lie in another flow that enters this one: `file` "
    "says where.",
)
FLOW_CHANGED: Final = Kind(
    "flow-changed",
    412,
    "The flow has changed meanwhile",
    "Somebody else put another text, or changed the file. Get the flow again, and put your change into that; "
    "`etag` is what it has now, null when there is no such flow.",
)
IF_MATCH_NEEDED: Final = Kind(
    "if-match-needed",
    428,
    "Say which text was edited",
    "Send the ETag of the text that you got as If-Match, or * to replace whatever is there.",
)
FILE_TAKEN: Final = Kind(
    "file-taken",
    409,
    "The file of the flow holds another one",
    "A new flow gets a file of its name, and there is one that holds something else: take another name.",
)
NOT_WRITTEN: Final = Kind(
    "flow-not-written",
    503,
    "The flow's file cannot be written",
    "The folder of the flows is full, or not writable for the server. Nothing was changed.",
)
NOT_READABLE: Final = Kind(
    "flows-unreadable",
    503,
    "Flows cannot be checked now",
    "The process that reads flows starts anew, or the folder is away. Try again; calls go on meanwhile.",
)
NO_ENGINE: Final = Kind(
    "no-such-engine",
    404,
    "There is no such engine",
    "`GET /admin/models` lists those whose models can be switched here, "
    "`GET /api/voice/engines` all of them.",
)
ENGINE_FAILED: Final = Kind(
    "engine-failed",
    502,
    "The engine could not do it",
    "`detail` says why; `GET /api/voice/engines` how it stands.",
)
TRIALS_BUSY: Final = Kind(
    "trials-busy",
    503,
    "Other trials are under way",
    "Two are made at a time, so that calls have their engines. Send it again after Retry-After seconds.",
)
NOT_SWITCHED: Final = Kind(
    "model-not-switched",
    409,
    "The model cannot be switched now",
    "It does not fit on the card beside the old one (`does_not_fit`: `detail` has the sum), another switch "
    "is under way (`switch_under_way`), or the engine has a place of its own (`engine_in_use`).",
)
SERVICE_FAILED: Final = Kind(
    "speech-service-failed",
    502,
    "The speech service cannot be asked",
    "The engine is at a service elsewhere, which is away or does not take our key: `operator_key` of the "
    "engine's setup must be one of the service's operators.",
)
NO_CAMPAIGN: Final = Kind(
    "no-such-campaign", 404, "There is no such campaign", "`GET /api/voice/campaigns` lists them."
)
NO_CONTACT: Final = Kind(
    "no-such-contact", 404, "There is no such contact", "The contacts of the campaign have these numbers."
)
CAMPAIGN_STATE: Final = Kind(
    "campaign-state",
    409,
    "The campaign is not in a state for this",
    "`state` is the one that it is in: draft, scheduled, running, paused, done or cancelled.",
)
BAD_TABLE: Final = Kind(
    "bad-table",
    422,
    "The table has mistakes",
    "`errors` lists them, the first 1,000: line, column, and what is wrong; `count` is how many there are. "
    "Nothing was stored. With `skip_bad=true` the rows without a mistake are.",
)
NOT_SUPPRESSED: Final = Kind(
    "not-suppressed", 404, "The number is not on the list", "`GET /api/voice/suppressions` lists them."
)
SUPPRESSED: Final = Kind(
    "suppressed",
    409,
    "The number is on the suppression list",
    "Whoever has it asked not to be called. Without `respect_suppressions` the call is placed.",
)
UNAUTHENTICATED: Final = Kind(
    "unauthenticated",
    401,
    "An API key is needed",
    "Send it as `Authorization: Bearer KEY`; keys are in the configuration.",
)
FORBIDDEN: Final = Kind(
    "missing-scope",
    403,
    "The API key does not allow this",
    "`scope` is what the key would need in the configuration.",
)
BAD_TOKEN: Final = Kind(
    "token-refused",
    401,
    "The token begins no call",
    "A token of `POST /api/voice/sessions` is good for one call, within its time. Send it as `Authorization: "
    "Bearer TOKEN`, and ask for a new one for each call. `reason` is unknown, used or expired.",
)
BAD_SECRET: Final = Kind(
    "secret-refused",
    401,
    "The secret is not the session's",
    "Send the `secret` that the call was begun with as `Authorization: Bearer SECRET`.",
)
UNKNOWN_SESSION: Final = Kind(
    "unknown-session",
    404,
    "There is no live call of this session",
    "It has ended, or was given up while its page was away. Begin another call with a new token.",
)
BAD_OFFER: Final = Kind(
    "offer-refused",
    422,
    "The offer cannot be taken",
    "`detail` says what of the session description is missing or not known: an offer of a browser with audio "
    "has all that is needed.",
)
BAD_CANDIDATE: Final = Kind(
    "candidate-refused",
    422,
    "The candidates cannot be taken",
    "Send them as the browser gives them (`onicecandidate`), null at the end; there may be 64 of an offer.",
)
OTHER_ORIGIN: Final = Kind(
    "origin-refused",
    403,
    "Pages of this site may not call",
    "`web.origins` of the configuration lists the sites whose pages may.",
)
NO_MEDIA_PORT: Final = Kind(
    "no-media-port", 503, "No port for media is free", "`web.ice.ports` of the configuration has too few."
)
PHONE_CLOSED: Final = Kind(
    "phone-closed",
    403,
    "The phone page is closed to this browser",
    "`web.phone.access` of the configuration says who may call with the page at /.",
)
NOT_JSON: Final = Kind(
    "not-json", 415, "The body is not JSON", "Send it with `Content-Type: application/json`."
)
TOO_MANY_CALLS: Final = Kind(
    "too-many-calls",
    429,
    "Too many calls from this address",
    "Send it again after Retry-After seconds.",
)
TOO_LARGE: Final = Kind(
    "too-large",
    413,
    "The request is too large",
    "Bodies may have 64 KiB, the text of a flow 512 KiB, a recording to try 3 MiB, "
    "a table of contacts or numbers 16 MiB.",
)
TOO_SLOW: Final = Kind("too-slow", 408, "The request came too slowly", "A body has 10 seconds to arrive.")
INTERNAL: Final = Kind("internal", 500, "An error of the server", "The server's log says what happened.")

_MESSAGES: Final = {
    "missing": "is missing",
    "extra_forbidden": "is unknown",
    "model_attributes_type": "should be a JSON object, sent as application/json",
    "string_type": "should be a text",
    "dict_type": "should be an object",
    "string_too_short": "is empty",
    "string_pattern_mismatch": "holds a character that cannot stand here",
}

EXOTEL_OFF: Final = Kind(
    "exotel-not-configured",
    404,
    "This is not answered here",
    "Set `exotel.secret`, and for streams `exotel.streams` and `numbers`, in the configuration.",
)
EXOTEL_SECRET: Final = Kind(
    "exotel-token-missing",
    401,
    "The address of the applet lacks its token",
    "Write `exotel.secret` of the configuration into the address that the applet asks: `?token=SECRET`.",
)
EXOTEL_ADDRESS: Final = Kind(
    "exotel-address-refused",
    403,
    "Applets may not ask from there",
    "`exotel.allow` lists the addresses; behind a proxy of yours, `exotel.proxies` names that.",
)

KINDS: Final = {kind.name: kind for kind in list(globals().values()) if isinstance(kind, Kind)}


class ProblemError(Exception):
    """Raised anywhere in a request to answer it with a problem."""

    def __init__(
        self, kind: Kind, detail: str, headers: Mapping[str, str] | None = None, **more: object
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.headers = headers
        self.more = more


def problem(
    kind: Kind, detail: str, headers: Mapping[str, str] | None = None, **more: object
) -> JSONResponse:
    """The answer for a problem; `more` are its extension members."""
    body = {
        "type": f"/problems/{kind.name}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        **more,
    }
    return JSONResponse(body, kind.status, headers, media_type=MEDIA_TYPE)


def fields(errors: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"field": name, "message": message} for name, message in errors.items()]


def install(app: FastAPI) -> None:
    """Makes the application answer every error in this shape."""

    @app.exception_handler(ProblemError)
    async def on_problem(_: Request, error: ProblemError) -> Response:
        return problem(error.kind, error.detail, error.headers, **error.more)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_: Request, error: RequestValidationError) -> Response:
        found = {_place(each): _message(each) for each in error.errors()}
        return problem(INVALID, "; ".join(f"{k}: {v}" for k, v in found.items()), fields=fields(found))

    @app.exception_handler(UnknownFlow)
    async def on_unknown_flow(_: Request, error: UnknownFlow) -> Response:
        return problem(UNKNOWN_FLOW, str(error), known=list(error.known))

    @app.exception_handler(UnknownTrunk)
    async def on_unknown_trunk(_: Request, error: UnknownTrunk) -> Response:
        field = fields({"trunk": str(error)})
        return problem(UNKNOWN_TRUNK, str(error), fields=field, known=list(error.known))

    @app.exception_handler(ParamsRefused)
    async def on_params(_: Request, error: ParamsRefused) -> Response:
        named = {f"params.{name}": message for name, message in error.fields.items()}
        return problem(INVALID, str(error), fields=fields(named))

    @app.exception_handler(SignalRefused)
    async def on_signal(_: Request, error: SignalRefused) -> Response:
        if error.known is not None:
            named = fields({"name": str(error)})
            return problem(UNKNOWN_SIGNAL, str(error), fields=named, known=list(error.known))
        named = fields({f"values.{name}": message for name, message in error.fields.items()})
        return problem(INVALID, str(error), fields=named)

    @app.exception_handler(BadNumber)
    async def on_bad_number(_: Request, error: BadNumber) -> Response:
        return problem(BAD_NUMBER, error.reason, fields=fields({"to": error.reason}))

    @app.exception_handler(NotAllowed)
    async def on_not_allowed(_: Request, error: NotAllowed) -> Response:
        return problem(NOT_ALLOWED, error.reason, fields=fields({"to": error.reason}))

    @app.exception_handler(NoCapacity)
    async def on_no_capacity(_: Request, error: NoCapacity) -> Response:
        return problem(NO_CAPACITY, str(error), {"Retry-After": str(error.retry_after_s)})

    @app.exception_handler(IdempotencyConflict)
    async def on_conflict(_: Request, error: IdempotencyConflict) -> Response:
        return problem(KEY_REUSED, "the key was used for a call with other values", call_id=error.call_id)

    @app.exception_handler(SupervisionRefused)
    async def on_unsupervised(_: Request, error: SupervisionRefused) -> Response:
        if error.why == "not_supervised":
            return problem(UNKNOWN_OPERATOR, str(error))
        return problem(NOT_LIVE if error.why == "not_live" else NOT_SUPERVISED, str(error), why=error.why)

    @app.exception_handler(CallLive)
    async def on_live(_: Request, error: CallLive) -> Response:
        return problem(NOT_ENDED, str(error))

    @app.exception_handler(UnknownCampaign)
    async def on_no_campaign(_: Request, error: UnknownCampaign) -> Response:
        return problem(NO_CAMPAIGN, str(error))

    @app.exception_handler(WrongState)
    async def on_campaign_state(_: Request, error: WrongState) -> Response:
        return problem(CAMPAIGN_STATE, str(error), state=error.state.value)

    @app.exception_handler(StoreUnavailable)
    async def on_store(_: Request, error: StoreUnavailable) -> Response:
        log.error("a request of the API failed: %s", error)
        return problem(STORE_UNAVAILABLE, "the store cannot be used at present", {"Retry-After": "5"})

    @app.exception_handler(StoreError)
    async def on_store_refusal(_: Request, error: StoreError) -> Response:
        log.error("the store refused what the API sent: %s", error)
        return problem(INTERNAL, "the store refused it")

    @app.exception_handler(FlowRefused)
    async def on_bad_flow(_: Request, error: FlowRefused) -> Response:
        count = len(error.problems)
        detail = f"the flow has {count} problem{'' if count == 1 else 's'}"
        return problem(FLOW_REFUSED, detail, problems=flow_problems(error.problems, error.folder))

    @app.exception_handler(FlowChanged)
    async def on_stale(_: Request, error: FlowChanged) -> Response:
        return problem(FLOW_CHANGED, str(error), etag=error.etag)

    @app.exception_handler(FileTaken)
    async def on_file_taken(_: Request, error: FileTaken) -> Response:
        return problem(FILE_TAKEN, str(error))

    @app.exception_handler(FlowNotWritten)
    async def on_not_written(_: Request, error: FlowNotWritten) -> Response:
        log.error("a flow cannot be written: %s", error)
        return problem(NOT_WRITTEN, "the file cannot be written", {"Retry-After": "5"})

    @app.exception_handler(EngineError)
    async def on_reader(_: Request, error: EngineError) -> Response:
        log.error("flows cannot be read: %s", error)
        return problem(NOT_READABLE, "flows cannot be read now", {"Retry-After": "2"})

    @app.exception_handler(HTTPException)
    async def on_http(_: Request, error: HTTPException) -> Response:
        phrase = HTTPStatus(error.status_code).phrase
        kind = Kind("http", error.status_code, phrase, "")
        return problem(kind, str(error.detail), error.headers, type="about:blank")

    @app.exception_handler(Exception)
    async def on_bug(_: Request, __: Exception) -> Response:
        return problem(INTERNAL, "the request failed; the log of the server says why")

    @app.get("/problems/{name}", include_in_schema=False)
    async def explain(name: str) -> Response:
        kind = KINDS.get(name)
        if kind is None:
            raise HTTPException(404)
        return PlainTextResponse(f"{kind.title} (status {kind.status})\n\n{kind.help}\n")


def _place(error: Mapping[str, Any]) -> str:
    """`body.params.x` as a client knows it: without the part of the request for a body."""
    if error["type"] == "json_invalid":  # its place is a number of characters
        return "body"
    parts = [str(part) for part in error["loc"]]
    return ".".join(parts[1:] if parts[0] in {"body", "query", "path"} and len(parts) > 1 else parts)


def _message(error: Mapping[str, Any]) -> str:
    """Without the value that was sent: it may be a caller's number."""
    if error["type"] == "json_invalid":
        return f"is not JSON: {error['ctx']['error']}, after {error['loc'][-1]} characters"
    text = _MESSAGES.get(error["type"]) or str(error["msg"])
    return text.replace("Input should", "should").replace("Value error, ", "")


def _bounded(kind: Kind) -> dict[str, Any]:
    shape = {"$ref": "#/components/schemas/Problem"}
    return {"description": f"{kind.title}. {kind.help}", "content": {MEDIA_TYPE: {"schema": shape}}}


def describe(schema: dict[str, Any]) -> None:
    """Puts the true media type of errors into an OpenAPI document, tells of bodies that are too large or too
    slow, and takes out the framework's own error shape.
    """
    for path in schema["paths"].values():
        for operation in path.values():
            if "requestBody" in operation:
                for kind in (TOO_SLOW, TOO_LARGE):
                    operation["responses"][str(kind.status)] = _bounded(kind)
    for path in (*schema["paths"].values(), *schema.get("webhooks", {}).values()):
        for operation in path.values():
            for status, response in list(operation["responses"].items()):
                content = response.get("content", {})
                reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
                if reference.endswith("/HTTPValidationError"):
                    del operation["responses"][status]
                elif reference.endswith("/Problem"):
                    response["content"] = {MEDIA_TYPE: content["application/json"]}
    for name in ("HTTPValidationError", "ValidationError"):
        schema.get("components", {}).get("schemas", {}).pop(name, None)
