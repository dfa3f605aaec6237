"""Grids of many rows that change: AG Grid with rows that have an id, virtual rows, and our look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def column(field: str, title: str, width: int, **more: Any) -> dict[str, Any]:
    """A column that can be sorted; `flex` has it take what room is left."""
    return {"field": field, "headerName": title, "width": width, "minWidth": 60, **more}


def grid_options(columns: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Options of a grid whose rows have an `id`, and are changed by transactions alone."""
    return {
        "columnDefs": list(columns),
        "rowData": [],
        ":getRowId": "p => p.data.id",
        "defaultColDef": {
            "sortable": True,
            "resizable": True,
            "suppressMovable": True,
            "suppressHeaderMenuButton": True,
        },
        "rowHeight": 34,
        "headerHeight": 36,
        "animateRows": False,
        "suppressCellFocus": False,
        "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True},
        "suppressNoRowsOverlay": True,
        "enableCellTextSelection": True,
        "ensureDomOrder": True,
    }
