"""`ivr trunk doctor` and `ivr trunk list` as processes, with a server as the far end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ivr.local import LocalServer, local_server

KEY = "a-key-for-tests-only"


def ivr(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ivr.cli", "trunk", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def written(folder: Path, proxy: str, *, api_port: int = 0, **trunk: Any) -> str:
    path = folder / "near.yaml"
    config = {
        "sip": {"listen": ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"]},
        "api": {"port": api_port, "keys": {"doctor": {"key": KEY, "scopes": ["calls:read"]}}},
        "trunks": {"far": {"proxy": proxy, "allow": ["127.0.0.1"], **trunk}},
        "store": {"path": str(folder / "var")},
    }
    path.write_text(json.dumps(config), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    folder = tmp_path_factory.mktemp("far")
    trunks = {"local": {"allow": ["127.0.0.0/8"], "proxy": "sip:127.0.0.1:9", "caller_id": "1000"}}
    keys = {"doctor": {"key": KEY, "scopes": ["calls:read"]}, "all": {"key": KEY + "-2", "scopes": []}}
    with local_server(folder, {"trunks": trunks, "api": {"port": 0, "keys": keys}}) as server:
        yield server


def test_a_healthy_trunk_as_text(far: LocalServer, tmp_path: Path) -> None:
    done = ivr("doctor", "far", "--config", written(tmp_path, f"sip:127.0.0.1:{far.port};transport=udp"))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"Trunk far: sip:127.0.0.1:{far.port};transport=udp"
    assert f"  ok   OPTIONS to udp:127.0.0.1:{far.port}: 200 OK in " in done.stdout
    assert "ivr-server" in done.stdout
    assert "\x1b" not in done.stdout
    assert ", 0 failures, " in lines[-1]


def test_a_broken_trunk_as_json(far: LocalServer, tmp_path: Path) -> None:
    path = written(tmp_path, "sip:127.0.0.1:1;transport=tcp")
    done = ivr("doctor", "far", "--config", path, "--format", "json")
    assert done.returncode == 1
    shown = json.loads(done.stdout)
    assert (shown["trunk"], shown["ok"]) == ("far", False)
    assert shown["counts"]["fail"] == 1
    [bad] = [one for one in shown["findings"] if one["level"] == "fail"]
    assert bad["code"] == "reach.connect"
    assert bad["mend"]


def test_nothing_to_examine(tmp_path: Path) -> None:
    path = written(tmp_path, "sip:127.0.0.1:5060")
    unknown = ivr("doctor", "near", "--config", path)
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "there is no trunk 'near'; there are: far" in unknown.stderr
    missing = ivr("doctor", "far", "--config", str(tmp_path / "none.yaml"))
    assert missing.returncode == 2
    assert "No such file" in missing.stderr
    asked = ivr("doctor", "far", "--config", path, "--call", "1001")  # and nobody there to agree
    assert (asked.returncode, asked.stdout.strip()) == (2, "")
    assert "This calls 1001" in asked.stderr


def test_the_running_server_is_asked(far: LocalServer, tmp_path: Path) -> None:
    """The doctor is given what the server runs with; the ports that it was started with are the real ones."""
    config = json.loads((far.folder / "ivr.yaml").read_text(encoding="utf-8"))
    config["sip"]["listen"] = list(far.sip)
    config["api"]["port"] = int(far.url.rpartition(":")[2])
    path = tmp_path / "same.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    done = ivr("doctor", "local", "--config", str(path), "--format", "json")
    found = {one["code"]: one for one in json.loads(done.stdout)["findings"]}
    assert f"running on {', '.join(far.sip)}" in found["server.running"]["seen"]
    assert found["server.trunk"]["level"] in ("fail", "ok")  # down, or not known to be yet
    assert found["system.files"]["seen"].count("of the running server") == 1
    listed = ivr("list", "--config", str(path))
    assert listed.returncode == 0
    assert listed.stdout.split()[0] == "local"
    assert listed.stdout.split()[1] in ("down", "unknown")
    assert listed.stdout.split()[-1] == "sip:127.0.0.1:9"


def test_the_list_without_a_server(tmp_path: Path) -> None:
    done = ivr("list", "--config", written(tmp_path, "sip:gw.example.net"))
    assert (done.returncode, done.stdout) == (0, "far  not running   sip:gw.example.net\n")
