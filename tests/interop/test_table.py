"""docs/interop.md, as it is written and read back."""

from __future__ import annotations

import pytest

from tests.interop.table import Row, parsed, rendered

VERSIONS = {"baresip": "baresip 1.0.0", "pyVoIP": "pyVoIP 1.6.8"}
ROWS = {
    Row("pyVoIP", "hold", "own", "no: its calls have no such method"),
    Row("baresip", "hold", "pjsip", "yes"),
    Row("baresip", "hold", "own", "yes"),
    Row("baresip", "keys", "own", "yes"),
}


def test_a_page() -> None:
    page = rendered(ROWS, VERSIONS)
    assert page.endswith(
        """
## baresip

baresip 1.0.0

| | own | pjsip |
|---|---|---|
| hold | yes | yes |
| keys | yes | - |

## pyVoIP

pyVoIP 1.6.8

| | own | pjsip |
|---|---|---|
| hold | no: its calls have no such method | - |
"""
    )
    assert parsed(page) == ROWS


def test_two_tests_cannot_see_one_feature_differently() -> None:
    with pytest.raises(ValueError, match="baresip, keys"):
        rendered({*ROWS, Row("baresip", "keys", "own", "no: one in three")}, VERSIONS)
