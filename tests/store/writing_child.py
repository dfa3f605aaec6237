"""A process that writes calls as fast as it can and says on stdout what the store has acknowledged, until it
is killed.

A line is written only after the store's method returned, so every line read by the parent is a promise.
"""

from __future__ import annotations

import asyncio
import json
import sys
from itertools import count
from pathlib import Path

from ivr.store import CallEvent, CallRecord, CallState, Delivery, Ending, NewCall, Store, database_url, new_id


def say(*words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def webhook(record: CallRecord) -> list[Delivery]:
    return [Delivery(f"end-{record.id}", record.id, "hook", "{}", record.created_at)]


async def one_caller(store: Store) -> None:
    for number in count():
        call_id = new_id()
        await store.create_call(NewCall(call_id, "inbound", float(number), flow="child"))
        say("created", call_id)
        await store.advance(call_id, CallState.ANSWERED, float(number))
        for step in range(3):
            await store.append_events(call_id, [CallEvent(float(step), "queued")])
            await store.append_events(call_id, [CallEvent(float(step), "durable")], durable=True)
            say("event", call_id, 2 * step + 2)
        await store.commit_result(call_id, {"number": number})
        say("result", call_id, number)
        await store.finish_call(call_id, Ending(float(number), "normal", "caller"))
        say("finished", call_id)


async def main() -> None:
    store = await Store.open(database_url(Path(sys.argv[1])), announce=webhook)
    await store.recover(1e6)
    async with asyncio.TaskGroup() as callers:
        for _ in range(8):
            callers.create_task(one_caller(store))


asyncio.run(main())
