"""One spelling for whoever may be called, so that lists can be compared. Pure."""

from __future__ import annotations

import re
from typing import Final

from sip.trunks import Trunk, canonical
from sip.uri import Uri, UriError

_SCHEME: Final = re.compile(r"sips?:", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\+?[0-9][0-9 ().\u00a0-]{2,30}")


def number_key(called: str, country_code: str) -> str:
    """A number in E.164 where it can be told (`country_code` for one without), a short number as it is, and
    a SIP address as `user@host`, or as the number that its user is. Raises ValueError for what is neither."""
    text = called.strip()
    if not _SCHEME.match(text):
        if not _NUMBER.fullmatch(text):
            raise ValueError("is not a number: write it as +919876543210")
        return _canonical(text, country_code)
    try:
        uri = Uri.parse(text)
    except UriError as error:
        raise ValueError(str(error)) from error
    user = uri.user or ""
    if _NUMBER.fullmatch(user) and sum(map(str.isdigit, user)) >= 7:
        return _canonical(user, country_code)
    port = "" if uri.port is None else f":{uri.port}"
    return f"{user}@{uri.host.lower()}{port}"


def _canonical(number: str, country_code: str) -> str:
    return canonical(number, Trunk(number_format="e164", country_code=country_code))
