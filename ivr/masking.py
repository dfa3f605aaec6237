"""Personal data in logs: enough to tell calls apart, not enough to call somebody."""

from __future__ import annotations

import re

from sip.privacy import one_line

_NUMBER = re.compile(r"\+?\d{7,15}")


def mask_number(text: str) -> str:
    """`+919876543210` becomes `+91******3210`, also inside a SIP address; short internal numbers stay. One
    line, whatever the far end calls itself."""
    return _NUMBER.sub(lambda match: _mask(match[0]), one_line(text))


def _mask(number: str) -> str:
    head = 3 if number.startswith("+") else 2
    return number[:head] + "*" * (len(number) - head - 4) + number[-4:]
