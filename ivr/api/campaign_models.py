"""What goes over the wire about campaigns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from ivr.api.calls import unix
from ivr.api.models import AnsweringMachine, Name, Values, maybe_utc, utc
from ivr.campaigns.hours import DAYS, Day, Window, zone_of
from ivr.campaigns.model import Campaign, ContactState, Miss, Pace, Retries, State
from ivr.campaigns.settings import Clock
from ivr.store.campaigns import Contact, Figures

MOST_INLINE: Final = 1000
"""Contacts in the request that makes a campaign."""

_ID: Final = "019aab1c-6d2e-7b1f-9c44-52a1f0a0c7de"
_WINDOW: Final[dict[str, JsonValue]] = {
    "days": ["mon", "tue", "wed", "thu", "fri"],
    "from": "10:00",
    "to": "19:30",
    "holidays": ["2026-12-25"],
}
_ASKED: Final[dict[str, JsonValue]] = {
    "name": "Tables of Friday",
    "flow": "campaign",
    "trunk": "exotel",
    "language": "hi",
    "window": _WINDOW,
    "pace": {"at_once": 20, "per_minute": 60},
    "retries": {"times": 2, "after_s": 1800, "on": ["busy", "no_answer"]},
    "answering_machine": {"action": "hang_up"},
    "contacts": [{"to": "+919876543210", "params": {"guest": "आशा", "at": "19:30"}}],
}
_SHOWN: Final[dict[str, JsonValue]] = {
    "id": _ID,
    "name": "Tables of Friday",
    "state": "running",
    "reason": "",
    "flow": "campaign",
    "trunk": "exotel",
    "caller_id": None,
    "language": "hi",
    "timezone": "Asia/Kolkata",
    "window": _WINDOW,
    "pace": {"at_once": 20, "per_minute": 60},
    "retries": {"times": 2, "after_s": 1800, "on": ["busy", "no_answer"]},
    "answering_machine": None,
    "starts_at": None,
    "ends_at": None,
    "created_at": "2026-12-04T04:30:00Z",
    "created_by": "orders",
    "started_at": "2026-12-04T04:31:00Z",
    "ended_at": None,
    "figures": {
        "contacts": 1200, "waiting": 730, "calling": 20, "answered": 391, "unreached": 52, "suppressed": 7,
        "erased": 0,
    },
    "href": f"/api/voice/campaigns/{_ID}",
}  # fmt: skip
_CONTACT: Final[dict[str, JsonValue]] = {
    "contact": 17,
    "to": "+919876543210",
    "timezone": "Asia/Kolkata",
    "params": {"guest": "आशा", "at": "19:30"},
    "state": "answered",
    "due_at": None,
    "attempts": 2,
    "attempted_at": "2026-12-04T05:10:00Z",
    "ended_at": "2026-12-04T05:11:03Z",
    "cause": "normal",
    "call": f"/api/voice/calls/{_ID}",
}


def _zone(name: str) -> str:
    zone_of(name)
    return name


Zone = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_zone)]


def example(value: Mapping[str, JsonValue], extra: Literal["ignore", "forbid"] = "ignore") -> ConfigDict:
    """A model's settings with the example that the documentation shows."""
    return ConfigDict(extra=extra, allow_inf_nan=False, json_schema_extra={"examples": [dict(value)]})


class WindowModel(BaseModel):
    """When contacts are called, by the clock where they are. `to` at or before `from` is on the next day, and
    the window then belongs to the day on which it begins."""

    model_config = example(_WINDOW, extra="forbid")

    days: Annotated[list[Day], Field(min_length=1, max_length=7)] = list(DAYS)
    opens: Clock = Field(default=Window().opens, alias="from", description='As "09:00"')
    closes: Clock = Field(default=Window().closes, alias="to", description='As "21:00"')
    holidays: Annotated[list[date], Field(max_length=400)] = Field(
        default=[], description="Days on which no window begins"
    )

    def window(self) -> Window:
        days = tuple(day for day in DAYS if day in self.days)
        return Window(self.opens, self.closes, days, tuple(sorted(set(self.holidays))))

    @classmethod
    def of(cls, window: Window) -> WindowModel:
        hours = {"from": window.opens, "to": window.closes}
        return cls.model_validate({**hours, "days": window.days, "holidays": window.holidays})


class PaceModel(BaseModel):
    """How fast it goes."""

    model_config = example({"at_once": 20, "per_minute": 60}, extra="forbid")

    at_once: int = Field(default=10, ge=1, le=1000, description="Calls under way")
    per_minute: float = Field(default=60.0, ge=0.1, le=6000, description="Calls begun, evenly spread")


class RetriesModel(BaseModel):
    """Further calls to who was missed. Who answered is never called again."""

    model_config = example({"times": 2, "after_s": 1800, "on": ["busy", "no_answer"]}, extra="forbid")

    times: int = Field(default=2, ge=0, le=10)
    after_s: float = Field(default=1800.0, ge=60, le=7 * 86400, description="From the end of the last call")
    on: Annotated[list[Miss], Field(max_length=len(Miss))] = [Miss.BUSY, Miss.NO_ANSWER, Miss.FAILED]

    def retries(self) -> Retries:
        return Retries(self.times, self.after_s, tuple(dict.fromkeys(self.on)))


class ContactRequest(BaseModel):
    """Somebody to be called."""

    model_config = example({"to": "+919876543210", "params": {"guest": "आशा"}}, extra="forbid")

    to: Name
    params: Values = {}
    timezone: Zone | None = Field(default=None, description="Where he is; default: the campaign's")


class CampaignRequest(BaseModel):
    """A campaign to be made; it calls nobody before it is started."""

    model_config = example(_ASKED, extra="forbid")

    name: Name
    flow: Name
    trunk: Name | None = Field(default=None, description="Default: the first of the configuration")
    caller_id: Name | None = Field(default=None, description="The number shown; default: the trunk's")
    language: Name | None = Field(default=None, description="Default: what the flow says")
    timezone: Zone = Field(default="Asia/Kolkata", description="Of contacts that have none of their own")
    window: WindowModel = WindowModel()
    pace: PaceModel = PaceModel()
    retries: RetriesModel = RetriesModel()
    answering_machine: AnsweringMachine | None = None
    starts_at: datetime | None = Field(default=None, description="Not before; UTC unless it says otherwise")
    ends_at: datetime | None = Field(default=None, description="Nobody is called from then on")
    contacts: Annotated[list[ContactRequest], Field(max_length=MOST_INLINE)] = Field(
        default=[], description="Further ones can be uploaded"
    )

    @model_validator(mode="after")
    def _ordered(self) -> CampaignRequest:
        if self.starts_at is not None and self.ends_at is not None and self._backwards:
            raise ValueError("ends_at must be after starts_at")
        return self

    @property
    def _backwards(self) -> bool:
        return (unix(self.starts_at) or 0.0) >= (unix(self.ends_at) or 0.0)


class CampaignFigures(BaseModel):
    """Contacts, by how they stand."""

    contacts: int
    waiting: int = Field(description="Once the campaign is over: who was not called any more")
    calling: int
    answered: int
    unreached: int
    suppressed: int
    erased: int


class CampaignShort(BaseModel):
    """A campaign, and how far it is. Times are UTC."""

    model_config = example(_SHOWN)

    id: str
    name: str
    state: State
    reason: str = Field(description="Why the server paused it; empty where a person did")
    flow: str
    trunk: str
    caller_id: str | None
    language: str | None
    timezone: str
    window: WindowModel
    pace: PaceModel
    retries: RetriesModel
    answering_machine: AnsweringMachine | None
    starts_at: datetime | None
    ends_at: datetime | None
    created_at: datetime
    created_by: str
    started_at: datetime | None
    ended_at: datetime | None
    figures: CampaignFigures
    href: str


class CampaignDetail(CampaignShort):
    """With what came of its calls."""

    model_config = example(
        {
            **_SHOWN,
            "causes": {"normal": 391, "busy": 61, "no_answer": 12},
            "retried": 70,
            "results": {"answer": {"coming": 322, "not_coming": 69}},
        }
    )

    causes: dict[str, int] = Field(description="Contacts by the cause of their last call")
    retried: int = Field(description="Contacts that were called more than once")
    results: dict[str, dict[str, int]] = Field(
        description="Answered calls by the values of the flow's results, 20 of each at most"
    )


class CampaignList(BaseModel):
    """Campaigns, newest first. `next` is the `cursor` of the page behind; null at the end."""

    model_config = example({"campaigns": [_SHOWN], "next": None})

    campaigns: list[CampaignShort]
    next: str | None


class ContactShown(BaseModel):
    """A contact of a campaign. `due_at` is when he may be called again; null before the first call and after
    the last."""

    model_config = example(_CONTACT)

    contact: int
    to: str
    timezone: str
    params: dict[str, Any]
    state: ContactState
    due_at: datetime | None
    attempts: int
    attempted_at: datetime | None
    ended_at: datetime | None
    cause: str | None
    call: str | None = Field(description="The last call")


class ContactList(BaseModel):
    """Contacts in the order in which they were added. `next` is the `cursor` of the page behind."""

    model_config = example({"contacts": [_CONTACT], "next": None})

    contacts: list[ContactShown]
    next: int | None


class TableError(BaseModel):
    """What is wrong with a row of a table."""

    line: int = Field(description="Counted from 1, which is the header's")
    column: str = Field(description="Empty where it is the whole row")
    message: str


class Uploaded(BaseModel):
    """What became of a table of contacts."""

    model_config = example(
        {
            "added": 1198, "suppressed": 2, "count": 1,
            "errors": [{"line": 7, "column": "amount", "message": "must be a number"}],
        }
    )  # fmt: skip

    added: int = Field(description="Contacts that will be called")
    suppressed: int = Field(description="Contacts that are on the suppression list")
    count: int = Field(description="Rows that were left out")
    errors: list[TableError] = Field(description="What is wrong with them, the first 1,000")


def short(campaign: Campaign, figures: Figures) -> CampaignShort:
    return CampaignShort.model_validate(_short(campaign, figures))


def detail(campaign: Campaign, figures: Figures) -> CampaignDetail:
    told = {"causes": figures.causes, "retried": figures.retried, "results": figures.results}
    return CampaignDetail.model_validate({**_short(campaign, figures), **told})


def _short(campaign: Campaign, figures: Figures) -> dict[str, Any]:
    spec = campaign.spec
    counts = {state.value: figures.states.get(state, 0) for state in ContactState}
    return {
        "id": campaign.id,
        "name": campaign.name,
        "state": campaign.state,
        "reason": campaign.reason,
        "flow": spec.flow,
        "trunk": spec.trunk,
        "caller_id": spec.caller_id,
        "language": spec.language,
        "timezone": spec.timezone,
        "window": WindowModel.of(spec.window),
        "pace": PaceModel(at_once=spec.pace.at_once, per_minute=spec.pace.per_minute),
        "retries": RetriesModel(
            times=spec.retries.times, after_s=spec.retries.after_s, on=list(spec.retries.on)
        ),
        "answering_machine": None if spec.screening is None else AnsweringMachine.of(spec.screening),
        "starts_at": maybe_utc(spec.starts_at),
        "ends_at": maybe_utc(spec.ends_at),
        "created_at": utc(campaign.created_at),
        "created_by": campaign.created_by,
        "started_at": maybe_utc(campaign.started_at),
        "ended_at": maybe_utc(campaign.ended_at),
        "figures": {"contacts": sum(counts.values()), **counts},
        "href": href(campaign.id),
    }


def contact_shown(contact: Contact) -> ContactShown:
    again = contact.state is ContactState.WAITING and contact.attempts > 0
    return ContactShown(
        contact=contact.contact,
        to=contact.called,
        timezone=contact.timezone,
        params=dict(contact.params),
        state=contact.state,
        due_at=utc(contact.due_at) if again else None,
        attempts=contact.attempts,
        attempted_at=maybe_utc(contact.attempted_at),
        ended_at=maybe_utc(contact.ended_at),
        cause=contact.cause,
        call=None if contact.call_id is None else f"/api/voice/calls/{contact.call_id}",
    )


def pace_of(asked: PaceModel) -> Pace:
    return Pace(asked.at_once, asked.per_minute)


def href(campaign_id: str) -> str:
    return f"/api/voice/campaigns/{campaign_id}"
