"""One server of each SIP stack for all phones of a worker, on free loopback ports with a data folder of its
own; and the table of what was seen with which phone.

A test says by `@pytest.mark.shows(PEER, FEATURE, ...)` what it shows. When it has passed, docs/interop.md
must say so too; `pytest tests/interop --write-interop` writes that page anew.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ivr.local import LocalServer, ServerFailed, local_server
from tests.interop import needs, versions
from tests.interop.linphone import Linphone, linphone
from tests.interop.ports import free_udp
from tests.interop.security import Identity
from tests.interop.table import Row, parsed, rendered

HERE = Path(__file__).parent
FLOWS = HERE / "flows"
PAGE = HERE.parents[1] / "docs" / "interop.md"

REASON = "cannot"
_rows: set[Row] = set()
_failed: list[str] = []


@pytest.fixture(scope="session", params=["own", "pjsip"])
def stack(request: pytest.FixtureRequest) -> str:
    """`sip.stack`: whose signalling the phones meet."""
    name: str = request.param
    if name == "pjsip":
        needs.module("pjsua2", "pjsua2-python")
    return name


@pytest.fixture(scope="session")
def server(stack: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """Who calls 3000 is transferred to the desk, which is the same server's order flow, at 2002. The trunk
    `strict` is for calls of ours."""
    port = free_udp()
    trunk: dict[str, Any] = {"allow": ["127.0.0.0/8"], "max_calls": 1000, "caller_id": "1000"}
    trunk["codecs"] = ["PCMA", "PCMU", "G722"]
    if stack == "own":
        trunk["refer_to"] = ["sip:127.0.0.1"]  # PJSIP takes no REFER, and refuses to start with this
    config = {
        "sip": {"stack": stack, "listen": [f"udp:127.0.0.1:{port}", "tcp:127.0.0.1:0"]},
        "flows": str(FLOWS),
        "trunks": {"local": trunk, "strict": {**trunk, "rel100": "required", "session_expires_s": 90}},
        "queues": {"desk": f"sip:2002@127.0.0.1:{port}"},
        "numbers": {"3000": {"flow": "handover"}, "*": {"flow": "order", "params": {"order": "48213"}}},
    }
    with local_server(tmp_path_factory.mktemp("server"), config) as server:
        yield server


class Secure(NamedTuple):
    """A server that takes and offers nothing but SRTP, by TLS; None where the stack refuses to be one."""

    server: LocalServer | None
    identity: Identity

    def uri(self, number: str) -> str:
        assert self.server is not None
        address = next(address for address in self.server.sip if address.startswith("tls:"))
        return f"sip:{number}@{address.removeprefix('tls:')};transport=tls"


@pytest.fixture(scope="session")
def secure(stack: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    folder = tmp_path_factory.mktemp("secure")
    identity = Identity.made(folder)
    trunk = {"allow": ["127.0.0.0/8"], "caller_id": "1000", "srtp": "required", "tls": {"ca": identity.ca}}
    config = {
        "sip": {
            "stack": stack,
            "listen": ["udp:127.0.0.1:0", "tls:127.0.0.1:0"],
            "tls": {"certificate": identity.certificate, "key": identity.key},
        },
        "flows": str(FLOWS),
        "trunks": {"local": trunk},
        "queues": {"desk": "sip:desk@127.0.0.1"},
        "numbers": {"*": {"flow": "order", "params": {"order": "48213"}}},
    }
    if stack == "pjsip":
        with (
            pytest.raises(ServerFailed, match=r"not with sip\.stack"),
            local_server(folder / "server", config),
        ):
            pass
        yield Secure(None, identity)
        return
    with local_server(folder / "server", config) as server:
        yield Secure(server, identity)


@pytest.fixture
def bystander(tmp_path: Path) -> Iterator[Linphone]:
    """A phone that answers, for others to transfer calls to."""
    with linphone(tmp_path / "bystander", answers=True) as phone:
        yield phone


@pytest.fixture
def cannot(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Says why what the test shows is not to be had; the test has seen that it is so."""
    return lambda reason: record_property(REASON, reason)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-interop", action="store_true", help="write docs/interop.md from what is seen")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "shows(peer, *features): what the test shows, in docs/interop.md")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.interop)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that has passed with something else than the page says has failed."""
    report = yield
    rows = _seen(item, report)
    if rows and not _writes(item.config):
        told = parsed(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else set()
        if missing := rows - told:
            report.outcome = "failed"
            lines = [f"{row.peer} | {row.feature} | {row.stack}: {row.outcome}" for row in missing]
            report.longrepr = "docs/interop.md does not say (make interop writes it):\n" + "\n".join(lines)
    report.user_properties += [("row", (row.peer, row.feature, row.stack, row.outcome)) for row in rows]
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """On the controller, where there are workers."""
    _rows.update(Row(*value) for name, value in report.user_properties if name == "row")  # type: ignore[misc]
    if report.failed:
        _failed.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not _writes(session.config) or hasattr(session.config, "workerinput"):
        return
    if _failed or not _whole(session.config):  # the summary says what failed
        return
    PAGE.write_text(rendered(_rows, versions.of_all()), encoding="utf-8")


def _whole(config: pytest.Config) -> bool:
    """Whether all phones take part: the page of a few would lack the others."""
    everything = all(Path(argument).resolve() == HERE for argument in config.args)
    return everything and not (config.option.keyword or config.option.markexpr)


def _writes(config: pytest.Config) -> bool:
    return bool(config.getoption("--write-interop", default=False))


def _seen(item: pytest.Item, report: pytest.TestReport) -> set[Row]:
    if report.when != "call" or not (report.passed or report.skipped):
        return set()
    outcome = "yes"
    if report.skipped:
        assert isinstance(report.longrepr, tuple)
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if needs.ABSENT in reason:
            return set()
        outcome = f"not tried: {reason}"
    for name, value in item.user_properties:
        if name == REASON:
            outcome = f"no: {value}"
    parameters = (
        item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    )
    stack = str(parameters.get("stack", "own"))
    return {
        Row(mark.args[0], feature, stack, outcome)
        for mark in item.iter_markers("shows")
        for feature in mark.args[1:]
    }
