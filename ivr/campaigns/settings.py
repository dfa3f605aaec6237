"""What the configuration says of all campaigns."""

from __future__ import annotations

import re
from datetime import time
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from ivr.campaigns.hours import Window


def _clock(written: Any) -> time:
    if isinstance(written, time):
        return written
    # YAML takes 21:00 without quotes for a number of minutes.
    if not isinstance(written, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", written):
        raise ValueError('write it in quotes, as "09:00" or "21:00"')
    return time.fromisoformat(written)


Clock = Annotated[
    time, BeforeValidator(_clock, json_schema_input_type=str), PlainSerializer(lambda at: f"{at:%H:%M}", str)
]
"""A time of day, written "HH:MM"."""


class Hours(BaseModel):
    """Outside of them no campaign calls anybody, by the clock of the callee; `to` at or before `from` is on
    the next day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    opens: Clock = Field(default=time(9), alias="from")
    closes: Clock = Field(default=time(21), alias="to")

    def window(self) -> Window:
        return Window(self.opens, self.closes)


class Campaigns(BaseModel):
    """`reserve` is the share of the lines, of the node and of each trunk, that campaigns leave to others.
    `country_code` is for numbers of the suppression list that are written without one. A campaign that has
    been over for `keep_days` is deleted with its contacts; without it none is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hours: Hours = Hours()
    reserve: float = Field(default=0.2, ge=0, lt=1)
    keep_days: int | None = Field(default=None, ge=1)
    country_code: str = Field(default="91", pattern=r"^[1-9][0-9]{0,3}$")
