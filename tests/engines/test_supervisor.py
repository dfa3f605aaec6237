"""The life of a worker: it starts, works, is killed, hangs, grows, and is always replaced; its parent never
waits.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from engines.contract import EngineError, EngineTimeout, EngineUnavailable
from engines.launch import WorkerCommand
from engines.link import RemoteJob
from engines.supervisor import Limits, SupervisedWorker, WorkerState

ROOT = Path(__file__).parents[2]
SAMPLE = "tests.engines.sample_engine:"
QUICK = Limits(ping_every_s=0.1, ping_wait_s=0.5, backoff_first_s=0.05, backoff_most_s=0.2)


def command(factory: str = "SampleEngine") -> WorkerCommand:
    return WorkerCommand(SAMPLE + factory)


@asynccontextmanager
async def running(limits: Limits = QUICK) -> AsyncIterator[SupervisedWorker]:
    worker = SupervisedWorker("sample", command(), limits)
    await worker.start()
    try:
        yield worker
    finally:
        await worker.close()


async def answer(job: RemoteJob, wait_s: float = 20) -> bytes:
    """All that the job gives."""
    deadline = asyncio.get_running_loop().time() + wait_s
    data = b""
    while frame := await job.receive(deadline):
        data += frame.data
    return data


async def up_again(worker: SupervisedWorker, restarts: int) -> None:
    async with asyncio.timeout(20):
        while worker.health.state is not WorkerState.UP or worker.health.restarts < restarts:
            await asyncio.sleep(0.01)


def pid_of(worker: SupervisedWorker) -> int:
    pid = worker.health.pid
    assert pid is not None
    return pid


async def test_it_starts_works_and_ends() -> None:
    worker = SupervisedWorker("sample", command(), QUICK)
    assert worker.health.state is WorkerState.DOWN
    with pytest.raises(EngineUnavailable, match="sample is down"):
        worker.open({})
    facts = await worker.start()
    assert facts["version"] == "sample 1"
    assert await answer(worker.open({"mark": "ab", "parts": 3})) == b"ababab"
    health = worker.health
    assert (health.state, health.restarts, health.pid, health.jobs) == (WorkerState.UP, 0, facts["pid"], 0)
    assert health.last_latency_ms is not None
    await worker.close()
    assert not psutil.pid_exists(facts["pid"])
    assert worker.health.state is WorkerState.DOWN
    await worker.close()  # again: nothing


async def test_input_is_answered_while_it_streams() -> None:
    async with running() as worker:
        job = worker.open({"echo": True})
        deadline = asyncio.get_running_loop().time() + 20
        job.write(b"one")
        first = await job.receive(deadline)
        assert first is not None
        assert first.data == b"one"
        job.write(b"two")
        job.finish()
        assert await answer(job) == b"two"
        assert await answer(job) == b""  # over and over the same end
        job.write(b"too late")


async def test_many_jobs_at_once_never_mix() -> None:
    """Sixty jobs, each with answers of its own; each gets exactly what it gets alone."""
    async with running() as worker:
        marks = [f"<{n}>" for n in range(60)]
        sizes = [50 + 37 * n for n in range(60)]
        jobs = [
            worker.open({"mark": mark, "parts": 8, "size": size})
            for mark, size in zip(marks, sizes, strict=True)
        ]
        got = await asyncio.gather(*map(answer, jobs))
        assert got == [mark.encode() * size * 8 for mark, size in zip(marks, sizes, strict=True)]


async def test_jobs_take_turns() -> None:
    """A job of one part, opened behind one of 400 slow parts, does not wait for all of them."""
    async with running() as worker:
        long = worker.open({"mark": "l", "parts": 400, "sleep": 0.002})
        assert await answer(worker.open({"mark": "s", "parts": 1})) == b"s"
        deadline = asyncio.get_running_loop().time() + 20
        frame = await long.receive(deadline)
        assert frame is not None
        long.cancel()
        with pytest.raises(EngineUnavailable, match="cancelled"):
            await long.receive(deadline)


async def test_cancelling_in_the_middle_of_a_step_frees_the_place() -> None:
    """The job computes until it is cancelled; then the next one runs, and the engine has one job open: its
    own.
    """
    async with running() as worker:
        spinning = worker.open({"spin": True})
        frame = await spinning.receive(asyncio.get_running_loop().time() + 20)
        assert frame is not None
        assert frame.data == b"spinning"
        spinning.cancel()
        count = worker.open({"count": True})
        frame = await count.receive(asyncio.get_running_loop().time() + 20)
        assert frame is not None
        assert frame.fields == {"open": 1}
        assert await answer(count) == b""
        assert worker.health.jobs == 0


async def test_a_deadline_that_passes_is_a_timeout() -> None:
    async with running() as worker:
        job = worker.open({"sleep": 1.0, "mark": "x", "parts": 1})
        with pytest.raises(EngineTimeout):
            await job.receive(asyncio.get_running_loop().time() + 0.05)
        job.cancel()


async def test_a_refused_and_a_failing_job_cost_nothing_else() -> None:
    async with running() as worker:
        pid = pid_of(worker)
        with pytest.raises(EngineError, match="no such voice"):
            await answer(worker.open({"refuse": "no such voice"}))
        with pytest.raises(EngineError, match="a bug"):
            await answer(worker.open({"fail": "a bug"}))
        with pytest.raises(EngineError, match="too long"):
            worker.open({"text": "x" * 70_000})
        assert await answer(worker.open({"mark": "ok", "parts": 1})) == b"ok"
        assert pid_of(worker) == pid


async def test_a_killed_worker_fails_its_work_at_once_and_is_replaced() -> None:
    async with running() as worker:
        jobs = [worker.open({"echo": True}) for _ in range(3)]
        first = pid_of(worker)
        os.kill(first, signal.SIGKILL)
        results = await asyncio.gather(*map(answer, jobs), return_exceptions=True)
        assert [type(result) for result in results] == [EngineUnavailable] * 3
        jobs[0].write(b"into the void")
        jobs[0].cancel()
        await up_again(worker, restarts=1)
        assert pid_of(worker) != first
        assert "signal 9" in worker.health.last_failure
        assert await answer(worker.open({"mark": "again", "parts": 1})) == b"again"


async def test_a_stopped_worker_answers_no_ping_and_is_replaced() -> None:
    async with running() as worker:
        stopped = pid_of(worker)
        os.kill(stopped, signal.SIGSTOP)
        with pytest.raises(EngineUnavailable):
            await answer(worker.open({"mark": "x", "parts": 1}))
        await up_again(worker, restarts=1)
        assert not psutil.pid_exists(stopped)
        assert "ping" in worker.health.last_failure


async def test_a_step_that_never_ends_is_noticed_though_pings_are_answered() -> None:
    limits = Limits(ping_every_s=0.1, ping_wait_s=5, stuck_s=0.3, backoff_first_s=0.05)
    async with running(limits) as worker:
        with pytest.raises(EngineUnavailable):
            await answer(worker.open({"sleep": 60}))
        await up_again(worker, restarts=1)
        assert "hangs" in worker.health.last_failure


async def test_a_worker_that_grows_too_large_is_replaced() -> None:
    limits = Limits(ping_every_s=0.1, ping_wait_s=30, backoff_first_s=0.05, memory_bytes=120 * 1024 * 1024)
    async with running(limits) as worker:
        worker.open({"eat": 200 * 1024 * 1024})
        await up_again(worker, restarts=1)
        assert "MB allowed" in worker.health.last_failure


async def test_an_engine_that_cannot_load_says_why() -> None:
    worker = SupervisedWorker("sample", command("broken"), QUICK)
    with pytest.raises(EngineUnavailable, match="weights are missing: run the installer"):
        await worker.start()
    assert worker.health.state is WorkerState.DOWN


async def test_an_unknown_engine_is_named() -> None:
    with pytest.raises(EngineUnavailable, match="no engine is called 'espeek'"):
        await SupervisedWorker("x", WorkerCommand("espeek"), QUICK).start()


async def test_a_missing_interpreter_is_named() -> None:
    worker = SupervisedWorker("x", WorkerCommand("espeak", interpreter="/nowhere/python"), QUICK)
    with pytest.raises(EngineUnavailable, match="/nowhere/python"):
        await worker.start()


async def test_an_engine_that_takes_too_long_to_load_is_ended() -> None:
    worker = SupervisedWorker("slow", command("slow"), Limits(start_s=0.5))
    with pytest.raises(EngineUnavailable, match=r"not ready after 0\.5 s"):
        await worker.start()
    assert not [p for p in psutil.Process().children() if "sample_engine:slow" in " ".join(p.cmdline())]


def test_a_worker_does_not_outlive_its_parent() -> None:
    """The parent is killed without a word; the worker is in the middle of a step and ends all the same."""
    script = f"""
import asyncio
from engines.launch import WorkerCommand
from engines.supervisor import SupervisedWorker
async def main():
    worker = SupervisedWorker("sample", WorkerCommand("{SAMPLE}SampleEngine"))
    facts = await worker.start()
    worker.open({{"sleep": 60}})
    print(facts["pid"], flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT)
    try:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.communicate()
    gone, alive = psutil.wait_procs([child], timeout=20)
    assert gone
    assert not alive


async def test_nothing_is_left_behind() -> None:
    """Descriptors, children and tasks are as before, after starts, kills and closes."""

    def state() -> tuple[int, int, int]:
        me = psutil.Process()
        return me.num_fds(), len(me.children()), len(asyncio.all_tasks())

    async with running():
        pass  # the event loop's own descriptors are there from now on
    before = state()
    for _ in range(3):
        async with running() as worker:
            job = worker.open({"echo": True})
            os.kill(pid_of(worker), signal.SIGKILL)
            with pytest.raises(EngineUnavailable):
                await answer(job)
    with pytest.raises(EngineUnavailable):
        await SupervisedWorker("sample", command("broken"), QUICK).start()
    assert state() == before


@asynccontextmanager
async def batching() -> AsyncIterator[SupervisedWorker]:
    worker = SupervisedWorker("sample", command("BatchEngine"), QUICK)
    await worker.start()
    try:
        yield worker
    finally:
        await worker.close()


async def together(jobs: list[RemoteJob]) -> list[tuple[bytes, int] | str]:
    """What each job gives and with how many it was done, or why not."""
    deadline = asyncio.get_running_loop().time() + 20
    found: list[tuple[bytes, int] | str] = []
    for job in jobs:
        try:
            frame = await job.receive(deadline)
            assert frame is not None
            found.append((frame.data, int(frame.fields["together"])))
        except EngineError as error:
            found.append(str(error))
    return found


def asked(worker: SupervisedWorker, *requests: dict[str, object]) -> list[RemoteJob]:
    jobs = [worker.open(dict(request)) for request in requests]
    for number, job in enumerate(jobs):
        job.write(str(number).encode())
        job.finish()
    return jobs


async def test_jobs_are_served_in_one_go() -> None:
    async with batching() as worker:
        assert await together(asked(worker, {}, {}, {})) == [(b"0", 3), (b"1", 3), (b"2", 3)]


async def test_one_spoilt_job_costs_the_others_their_batch_alone() -> None:
    async with batching() as worker:
        found = await together(asked(worker, {}, {"poison": True}, {}))
        assert found == [(b"0", 1), "spoilt", (b"2", 1)]


async def test_a_full_queue_refuses_and_a_cancelled_job_makes_room() -> None:
    async with batching() as worker:
        silent = [worker.open({}) for _ in range(4)]
        assert await together(asked(worker, {})) == ["the queue is full: 4 jobs are open"]
        silent[0].cancel()
        spoken = asked(worker, {})
        for job in silent[1:]:
            job.cancel()  # nobody is left whom it is worth to wait for
        assert await together(spoken) == [(b"0", 1)]
