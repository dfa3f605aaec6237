"""Everything the store has acknowledged outlives a kill -9 at any moment."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path

from ivr.store import INTERRUPTED, CallRecord, CallState, Delivery, Store, database_url

ROOT = Path(__file__).parents[2]
KILLS = 4
LINES = (1, 400)


async def write_until_killed(folder: Path, lines: int) -> list[list[object]]:
    """Runs the child on the database until it has made that many promises; gives all it made."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.store.writing_child",
        str(folder),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    promises: list[bytes] = []
    try:
        async with asyncio.timeout(60):
            promises += [await child.stdout.readline() for _ in range(lines)]
    finally:
        child.kill()
    promises += (await child.stdout.read()).splitlines()
    await child.wait()
    # The kill may cut the last line in two.
    return [json.loads(line) for line in promises if line.rstrip().endswith(b"]")]


def webhook(record: CallRecord) -> list[Delivery]:
    return [Delivery(f"end-{record.id}", record.id, "hook", "{}", record.created_at)]


async def test_what_was_acknowledged_is_there_after_each_kill(tmp_path: Path) -> None:
    chance = random.Random(7)
    promises: list[list[object]] = []
    for _ in range(KILLS):
        made = await write_until_killed(tmp_path, chance.randint(*LINES))
        assert made, "the child died by itself"
        promises += made

    store = await Store.open(database_url(tmp_path), announce=webhook)
    await store.recover(1e6)
    records = {record.id: record for record in await all_calls(store)}
    due = {each.delivery.id for each in await store.due_deliveries(1e9, 100_000)}
    finished = {str(call_id) for what, call_id, *_ in promises if what == "finished"}
    for what, call_id, *detail in promises:
        record = records[str(call_id)]
        if what == "event":
            stored = await store.list_events(record.id)
            assert [event.seq for event in stored[: int(str(detail[0]))]] == list(
                range(1, int(str(detail[0])) + 1)
            )
        elif what == "result":
            assert record.result == {"number": detail[0]}
    for record in records.values():
        assert record.state is CallState.ENDED
        assert record.cause in {"normal", INTERRUPTED}
        assert record.cause == "normal" or record.id not in finished
        assert f"end-{record.id}" in due, "every call that ended, by whatever hand, is announced"
    assert any(record.cause == INTERRUPTED for record in records.values()), "the kills hit live calls"
    await store.close()


async def all_calls(store: Store) -> list[CallRecord]:
    records: list[CallRecord] = []
    cursor = None
    while True:
        page = await store.list_calls(limit=500, cursor=cursor)
        records += page.calls
        cursor = page.next
        if cursor is None:
            return records
