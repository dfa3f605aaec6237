"""What an evaluation found, as a table, as JSON, and as JUnit XML. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ivr.evaluation.talk.scoring import Score
from ivr.flow import junit
from ivr.flow.scenario_player import Failed
from ivr.trace.model import share


@dataclass(frozen=True, slots=True)
class Outcome:
    """One scenario played by one caller; `took_s` on the wall clock."""

    path: Path
    flow: str
    scenario: str
    caller: str
    score: Score
    took_s: float


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """As JSON, with the figures of all of them together."""
    replies = sorted(ms for outcome in outcomes for ms in outcome.score.replies_ms)
    scores = [outcome.score for outcome in outcomes]
    return {
        "played": len(outcomes),
        "passed": sum(score.passed for score in scores),
        "reply_ms": {
            name: share(replies, of) if replies else None
            for name, of in (("p50", 0.5), ("p95", 0.95), ("max", 1.0))
        },
        "replies": len(replies),
        "unanswered": sum(score.unanswered for score in scores),
        "false_barge_ins": sum(score.false_barge_ins for score in scores),
        "listening": sum(score.listening for score in scores),
        "missed_barge_ins": sum(score.missed_barge_ins for score in scores),
        "interruptions": sum(score.interruptions for score in scores),
        "talked_over_words": round(sum(score.talked_over for score in scores), 2),
        "scenarios": [_one(outcome) for outcome in outcomes],
    }


def _one(outcome: Outcome) -> dict[str, Any]:
    score = outcome.score
    return {
        "file": str(outcome.path),
        "flow": outcome.flow,
        "scenario": outcome.scenario,
        "caller": outcome.caller,
        "passed": score.passed,
        "replies_ms": list(score.replies_ms),
        "unanswered": score.unanswered,
        "false_barge_ins": score.false_barge_ins,
        "missed_barge_ins": score.missed_barge_ins,
        "talked_over_words": score.talked_over,
        "failures": list(score.failures),
        "took_s": round(outcome.took_s, 1),
    }


def table(outcomes: Sequence[Outcome]) -> str:
    """One line for each, and what failed below it; ends with a line feed."""
    rows = [("", "scenario", "caller", "reply p50", "worst", "false", "missed", "over"), *map(_row, outcomes)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        cells = [
            cell.ljust(width) if place < 3 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
        if number:
            lines += [f"   {failure}" for failure in outcomes[number - 1].score.failures]
    return "\n".join([*lines, "", *_summary(outcomes)]) + "\n"


def xml(outcomes: Sequence[Outcome]) -> bytes:
    """JUnit, a suite for each file."""
    suites = []
    for path in dict.fromkeys(outcome.path for outcome in outcomes):
        of_file = [outcome for outcome in outcomes if outcome.path == path]
        cases = tuple(
            junit.Case(
                f"{outcome.scenario} [{outcome.caller}]",
                1,
                outcome.took_s,
                Failed(1, None, "; ".join(outcome.score.failures)) if outcome.score.failures else None,
            )
            for outcome in of_file
        )
        suites.append(junit.Suite(path, of_file[0].flow, cases))
    return junit.junit(suites)


def _row(outcome: Outcome) -> tuple[str, ...]:
    score = outcome.score
    replies = sorted(score.replies_ms)
    return (
        "✓" if score.passed else "✗",
        outcome.scenario,
        outcome.caller,
        f"{share(replies, 0.5):.0f} ms" if replies else "-",
        f"{replies[-1]:.0f} ms" if replies else "-",
        f"{score.false_barge_ins}/{score.listening}" if score.listening else "-",
        f"{score.missed_barge_ins}/{score.interruptions}" if score.interruptions else "-",
        f"{score.talked_over:.1f}",
    )


def _summary(outcomes: Sequence[Outcome]) -> Iterator[str]:
    told = figures(outcomes)
    yield f"{told['passed']} of {told['played']} as expected"
    if told["replies"]:
        ms = told["reply_ms"]
        yield f"{told['replies']} replies: p50 {ms['p50']:.0f}, p95 {ms['p95']:.0f}, worst {ms['max']:.0f} ms"
    if told["listening"]:
        yield f"false barge-ins: {told['false_barge_ins']} of {told['listening']}"
    if told["interruptions"]:
        yield f"missed barge-ins: {told['missed_barge_ins']} of {told['interruptions']}"
