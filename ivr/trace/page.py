"""A trace as one HTML page that needs nothing else: the picture, and its figures as a table. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from ivr.trace.model import CallTrace
from ivr.trace.picture import NAMES, picture
from ivr.trace.text import at, reply
from ivr.waterfall import TurnTimes

_STYLE: Final = """
body{font-family:'Noto Sans','DejaVu Sans',sans-serif;font-size:14px;color:#1c2733;margin:16px}
svg{max-width:100%;height:auto} table{border-collapse:collapse;margin:8px 0 24px}
th,td{padding:3px 12px;text-align:left;border-bottom:1px solid #dfe6ec} td.ms{text-align:right}
tr.turn td{font-weight:600;border-top:2px solid #9fb3c8}
"""


def page(trace: CallTrace) -> str:
    rows = "\n".join(row for turn in trace.turns for row in _rows(turn))
    name = escape(f"{trace.flow} {trace.call_id}")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{name}</title><style>{_STYLE}</style></head>
<body>
{picture(trace)}
<table>
<tr><th>Turn</th><th>Stage</th><th>Engine</th><th>Took (ms)</th><th>At (ms)</th></tr>
{rows}
</table>
</body></html>
"""


def _rows(turn: TurnTimes) -> Iterator[str]:
    where = escape(f"{at(turn.began)} {turn.trigger} {turn.about.step}")
    yield f'<tr class="turn"><td>{turn.number}</td><td colspan="3">{where}</td><td>{reply(turn)}</td></tr>'
    for bar in turn.bars:
        took, until = (f"{seconds * 1000:.1f}" for seconds in (bar.end_s - bar.start_s, bar.end_s))
        yield (
            f"<tr><td></td><td>{NAMES[bar.stage]}</td><td>{escape(bar.by)}</td>"
            f'<td class="ms">{took}</td><td class="ms">{until}</td></tr>'
        )
