"""Weights over a network that breaks, lies and refuses; environments; and what is remembered of them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from engines.catalogue import Checkout, Environment, Hub, Installed, Release, find
from engines.catalogue.model import CatalogueEntry
from engines.installing import environments
from engines.installing.install import InstallOptions, install
from engines.installing.shelf import STAMP, Shelf, Standing
from engines.installing.sources import Bases, InstallError, RemoteFile, files_of
from tests.fakes.hub import COMMIT, FakeHub, hub

WHISPER = find("faster-whisper")
WEIGHTS = bytes(range(256)) * 4000  # a megabyte
SMALL = b'{"a": 1}'


class Told:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.sizes: dict[str, int] = {}
        self.done: dict[str, int] = {}

    def say(self, text: str) -> None:
        self.said.append(text)

    def begin(self, path: str, size: int) -> None:
        self.sizes[path] = size

    def update(self, path: str, done: int) -> None:
        self.done[path] = done


@pytest.fixture
async def fake() -> AsyncIterator[FakeHub]:
    async with hub(model_bin=WEIGHTS, config_json=SMALL, README_md=b"no weights") as fake:
        yield fake


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "engines")


def options(fake: FakeHub, **more: bool) -> InstallOptions:
    return InstallOptions(Bases(fake.url, fake.url), environment=False, first_wait_s=0.01, **more)


def fetched(shelf: Shelf, entry: CatalogueEntry = WHISPER) -> dict[str, bytes]:
    folder = shelf.weights_folder(entry)
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


async def test_weights_are_fetched_and_remembered(fake: FakeHub, shelf: Shelf) -> None:
    told = Told()
    await install(WHISPER, shelf, told, options(fake))
    assert fetched(shelf) == {"model.bin": WEIGHTS, "config.json": SMALL}
    assert told.sizes == {"model.bin": len(WEIGHTS), "config.json": len(SMALL)}
    assert told.done == told.sizes
    files = shelf.record(WHISPER).files
    assert files["model.bin"].keys() == {"size", "sha256"}
    assert files["config.json"].keys() == {"size", "git-sha1"}
    assert shelf.weights(WHISPER) == shelf.weights_folder(WHISPER)
    before = fake.gets.total()
    await install(WHISPER, shelf, told, options(fake))
    assert fake.gets.total() == before  # what is right is left


async def test_a_connection_that_breaks_is_gone_on_with(fake: FakeHub, shelf: Shelf) -> None:
    """Cut half-way, again a little later, and once before the first byte: no byte is fetched twice."""
    fake.cuts = [500_000, 100_000, 0]
    fake.files = {"model.bin": WEIGHTS}
    await _only(fake, shelf)
    assert fetched(shelf)["model.bin"] == WEIGHTS
    assert fake.starts == [0, 500_000, 600_000, 600_000]


async def test_what_was_fetched_before_an_end_is_kept(fake: FakeHub, shelf: Shelf) -> None:
    """The network stays away: it is given up after some tries; the next call goes on where it was."""
    fake.files = {"model.bin": WEIGHTS}
    fake.cuts = [300_000, *[0] * 20]
    with pytest.raises(InstallError, match=r"model\.bin"):
        await _only(fake, shelf)
    assert shelf.weights(WHISPER) is None
    fake.cuts.clear()
    fake.starts.clear()
    await _only(fake, shelf)
    assert fake.starts == [300_000]


async def test_a_server_that_does_not_resume_is_begun_anew(fake: FakeHub, shelf: Shelf) -> None:
    fake.files = {"model.bin": WEIGHTS}
    fake.ranges = False
    fake.cuts = [400_000]
    await _only(fake, shelf)
    assert fetched(shelf)["model.bin"] == WEIGHTS


async def test_a_wrong_byte_is_noticed(fake: FakeHub, shelf: Shelf) -> None:
    fake.files = {"model.bin": WEIGHTS}
    fake.corrupt = 1
    await _only(fake, shelf)
    assert fetched(shelf)["model.bin"] == WEIGHTS
    shelf.remove(WHISPER)
    fake.corrupt = 9
    with pytest.raises(InstallError, match="wrong checksum"):
        await _only(fake, shelf)
    assert fetched(shelf) == {}


async def test_a_file_that_was_changed_is_fetched_again(fake: FakeHub, shelf: Shelf) -> None:
    await install(WHISPER, shelf, Told(), options(fake))
    path = shelf.weights_folder(WHISPER) / "config.json"
    path.write_bytes(b'{"a": 2}')
    await install(WHISPER, shelf, Told(), options(fake))
    assert path.read_bytes() == SMALL


@pytest.mark.parametrize(
    ("status", "says"), [(401, "HF_TOKEN"), (403, "HF_TOKEN"), (404, "is not there"), (500, "500")]
)
async def test_refusals_are_explained(fake: FakeHub, shelf: Shelf, status: int, says: str) -> None:
    fake.refuse = status
    with pytest.raises(InstallError, match=says):
        await install(WHISPER, shelf, Told(), options(fake))


async def test_no_network(shelf: Shelf) -> None:
    with pytest.raises(InstallError, match="mobiuslabsgmbh"):
        await install(WHISPER, shelf, Told(), InstallOptions(Bases("http://127.0.0.1:9"), environment=False))


async def test_the_token_goes_along(fake: FakeHub, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    await install(WHISPER, shelf, Told(), options(fake))
    assert fake.tokens == {"bearer hf_x"}
    fake.tokens.clear()
    fake.files = {"kokoro-v1.0.onnx": b"x", "voices-v1.0.bin": b"y"}
    await install(find("kokoro"), shelf, Told(), options(fake))
    assert fake.tokens == set()  # not to GitHub
    assert fetched(shelf, find("kokoro")) == fake.files


async def test_a_release_of_github() -> None:
    async with hub(a_onnx=WEIGHTS, b_txt=b"x") as fake, httpx.AsyncClient() as client:
        found = await files_of(client, Release("o/r", "v1", ("*.onnx",)), Bases(fake.url, fake.url))
        assert [(file.path, file.size) for file in found] == [("a.onnx", len(WEIGHTS))]
        assert found[0].checksum is not None
        assert found[0].checksum.kind == "sha256"
        with pytest.raises(InstallError, match=r"has no \*\.bin"):
            await files_of(client, Release("o/r", "v1", ("*.onnx", "*.bin")), Bases(fake.url, fake.url))


async def test_a_listing_cannot_write_elsewhere(fake: FakeHub, shelf: Shelf) -> None:
    fake.files = {"../../evil.bin": b"x"}
    with pytest.raises(InstallError, match="evil"):
        await install(WHISPER, shelf, Told(), options(fake))


async def test_a_branch_is_fixed_when_it_is_listed(fake: FakeHub) -> None:
    async with httpx.AsyncClient() as client:
        found = await files_of(client, Hub("o/r", ("*.json",)), Bases(fake.url))
    assert isinstance(found[0], RemoteFile)
    assert f"/resolve/{COMMIT}/" in found[0].url


async def test_weights_of_two_repositories_do_not_mix(fake: FakeHub) -> None:
    async with httpx.AsyncClient() as client:
        found = await files_of(client, Hub("o/r", ("*.json",), folder="description"), Bases(fake.url))
    assert {file.path.partition("/")[0] for file in found} == {"description"}
    assert "/description/" not in found[0].url


async def test_a_licence_must_be_accepted(fake: FakeHub, shelf: Shelf) -> None:
    xtts = find("xtts-v2")
    fake.files = {"model.pth": b"x", "config.json": SMALL}
    with pytest.raises(InstallError, match="--accept-licence"):
        await install(xtts, shelf, Told(), options(fake))
    await install(xtts, shelf, Told(), options(fake, licence_accepted=True))
    assert shelf.record(xtts).licence_accepted
    await install(xtts, shelf, Told(), options(fake))  # remembered


async def test_what_needs_no_installing(shelf: Shelf) -> None:
    told = Told()
    await install(find("espeak"), shelf, told)
    assert "nothing to install" in told.said[0]
    with pytest.raises(InstallError, match="DEEPGRAM_API_KEY"):
        await install(find("deepgram"), shelf, told)


def test_standing(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEEPGRAM_API_KEY", raising=False)
    assert shelf.standing(find("deepgram")) is Standing.KEY_MISSING
    monkeypatch.setenv("DEEPGRAM_API_KEY", "x")
    assert shelf.standing(find("deepgram")) is Standing.KEY_SET
    assert shelf.standing(find("pocketsphinx")) is Standing.EMBEDDED
    assert shelf.standing(WHISPER) is Standing.ABSENT
    shelf.note(WHISPER, files={"model.bin": {"size": 1}})
    shelf.weights_folder(WHISPER).mkdir(parents=True)
    assert shelf.standing(WHISPER) is Standing.ABSENT  # no environment yet
    assert isinstance(WHISPER.runs, Installed)
    python = shelf.environment(WHISPER.runs.environment) / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    (python.parents[1] / STAMP).touch()
    assert shelf.standing(WHISPER) is Standing.INSTALLED


def test_removing_keeps_an_environment_that_others_need(shelf: Shelf) -> None:
    assert isinstance(WHISPER.runs, Installed)
    environment = shelf.environment(WHISPER.runs.environment)
    environment.mkdir(parents=True)
    for name in ("faster-whisper", "kokoro"):
        shelf.weights_folder(find(name)).mkdir(parents=True)
    assert shelf.remove(WHISPER) == [shelf.weights_folder(WHISPER)]
    assert environment.exists()
    assert shelf.remove(find("kokoro")) == [shelf.weights_folder(find("kokoro")), environment]
    assert shelf.remove(WHISPER) == []


def test_a_broken_record_is_none(shelf: Shelf) -> None:
    shelf.note(WHISPER, latency_ms=12.5)
    assert shelf.record(WHISPER).latency_ms == 12.5
    (shelf.root / "records" / "faster-whisper.json").write_text("{")
    assert shelf.record(WHISPER).latency_ms is None


async def test_an_environment_is_made_once(tmp_path: Path) -> None:
    """An empty one, so that no index is asked."""
    folder = tmp_path / "envs" / "tiny"
    said: list[str] = []
    with pytest.raises(InstallError, match="no such option"):
        await environments.build(Environment("tiny", ("--no-such-option",)), folder, say=said.append)
    assert not folder.exists()
    await environments.build(Environment("tiny", ()), folder, say=said.append)
    stamp = (folder / STAMP).stat().st_mtime_ns
    count = len(said)
    await environments.build(Environment("tiny", ()), folder, say=said.append)
    assert ((folder / STAMP).stat().st_mtime_ns, len(said)) == (stamp, count)


async def test_a_python_that_is_too_new_is_refused(tmp_path: Path) -> None:
    old = Environment("old", ("x",), newest_python=(3, 8))
    with pytest.raises(InstallError, match=r"runs on Python 3\.8 at the latest"):
        await environments.build(old, tmp_path / "old", sys.executable)
    with pytest.raises(InstallError, match="nowhere"):
        await environments.build(old, tmp_path / "old", "/nowhere/python")


async def test_a_repository_is_put_on_the_path(tmp_path: Path) -> None:
    repository = tmp_path / "made" / "Engine"
    repository.mkdir(parents=True)
    (repository / "engine_of_tests.py").write_text("ANSWER = 42\n")
    for command in (
        ("init", "--quiet", "--initial-branch", "main"),
        ("add", "."),
        ("-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "--quiet", "-m", "x"),
    ):
        process = await asyncio.create_subprocess_exec("git", "-C", str(repository), *command)
        assert await process.wait() == 0
    folder = tmp_path / "envs" / "own"
    environment = Environment("own", (), (Checkout(repository.as_uri(), "main", ""),))
    await environments.build(environment, folder, say=lambda _: None)
    process = await asyncio.create_subprocess_exec(
        str(folder / "bin" / "python"), "-c", "import engine_of_tests; assert engine_of_tests.ANSWER == 42"
    )
    assert await process.wait() == 0


async def _only(fake: FakeHub, shelf: Shelf) -> None:
    """Installs model.bin alone, file by file, so that the order of requests is known."""
    assert isinstance(WHISPER.runs, Installed)
    runs = replace(WHISPER.runs, weights=(Hub("o/r", ("*.bin",)),))
    await install(replace(WHISPER, runs=runs), shelf, Told(), options(fake))
