"""Asks DNS where a SIP URI leads, and keeps what was said."""

from __future__ import annotations

import asyncio
import random

from ivr.doctor.facts import Asked, Search
from sip.locate import Found, NoPlace, Query, Reach, advance, locate
from sip.resolver import FIND_S, Resolver
from sip.uri import Uri


async def search(resolver: Resolver, uri: Uri, reach: Reach) -> Search:
    """The places of a URI as the server would find them, within `FIND_S` seconds."""
    asked: list[Asked] = []
    walk = locate(uri, reach, random.random)
    try:
        async with asyncio.timeout(FIND_S):
            step = advance(walk)
            while not isinstance(step, Found):
                answers = await asyncio.gather(*(_ask(resolver, query) for query in step))
                asked += answers
                step = advance(walk, {one.query: one.records for one in answers if one.records is not None})
    except NoPlace as error:
        silent = any(one.records is None for one in asked)
        why = f"{error}: the name servers do not answer" if silent else str(error)
        return Search(uri.host, tuple(asked), why=why)
    except TimeoutError:
        return Search(uri.host, tuple(asked), why=f"the name servers do not answer within {FIND_S:g} s")
    return Search(uri.host, tuple(asked), step.places)


async def _ask(resolver: Resolver, query: Query) -> Asked:
    loop = asyncio.get_running_loop()
    began = loop.time()
    found = await resolver.look_up(query)
    return Asked(query, found.records, found.ttl_s, loop.time() - began)
