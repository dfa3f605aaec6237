"""How the OpenAPI document tells of answers."""

from __future__ import annotations

from typing import Any, Final

from engines.service.encoding import MEDIA_TYPES
from engines.service.errors import RESPONSES

Responses = dict[int | str, dict[str, Any]]

ERRORS: Final[Responses] = {status: RESPONSES[status] for status in (400, 401, 404, 408, 413, 500, 503, 504)}
REFUSED: Final[Responses] = {401: RESPONSES[401]}

SOUND: Final[Responses] = {
    200: {"content": {kind: {} for kind in sorted(set(MEDIA_TYPES.values()))}},
    **ERRORS,
}
