"""What a token of a language model costs this process, with many answers streaming at once.

    python -m bench.llm [ANSWERS]

The model is the scripted one of the tests, in a process of its own: 300 tokens, one every 20 ms. Figures are
CPU time of this process for each piece of an answer: HTTP, the `openai` client, and the reading of the piece.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import uvloop

from engines.llm.contract import ChatRequest, FromCaller
from engines.llm.openai_model import OpenAiModel, Provider

_TOKENS: Final = 300
_REQUEST: Final = ChatRequest((FromCaller("tell me all"),), most_tokens=2 * _TOKENS)


async def measure(url: str, answers: int) -> None:
    model = OpenAiModel(Provider("scripted", url, "scripted"))
    await model.start()

    async def one() -> int:
        return len([piece async for piece in model.chat(_REQUEST, deadline_s=60.0)])

    await one()  # imports, and the first connection
    began, cpu = time.perf_counter(), time.process_time()
    pieces = sum(await asyncio.gather(*(one() for _ in range(answers))))
    cpu_s, wall_s = time.process_time() - cpu, time.perf_counter() - began
    await model.close()
    print(f"{answers} answers at once, {pieces / wall_s:.0f} pieces a second")
    print(f"{cpu_s / pieces * 1e6:.0f} µs of CPU for each, {cpu_s / wall_s:.0%} of a core")


def main(answers: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        script, announced = Path(folder, "script.yaml"), Path(folder, "announced.json")
        script.write_text(json.dumps([{"say": "word " * _TOKENS}]))
        command = [sys.executable, "-m", "tests.fakes.llm_server", "--port", "0", "--script", str(script)]
        server = subprocess.Popen([*command, "--announce", str(announced)], stdout=subprocess.DEVNULL)
        try:
            while not announced.exists():
                if server.poll() is not None:
                    raise SystemExit("the scripted model did not start")
                time.sleep(0.05)
            uvloop.run(measure(json.loads(announced.read_text())["url"], answers))
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
