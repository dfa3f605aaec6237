"""The compose file, the images and the units, held against what the commands really take."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from typer.testing import CliRunner

from ivr.cli import app
from ivr.config import Config, load

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "deploy" / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if service["image"].startswith("ivr-server"))
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
NAMES = re.findall(r"^(\w+)=", (DOCKER / "env.example").read_text(encoding="utf-8"), re.M)


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> Config:
    for name in NAMES:
        monkeypatch.setenv(name, "203.0.113.7" if name.endswith("ADDRESS") else f"a-value-of-{name.lower()}")
    return load(DOCKER / "ivr.yaml")


def takes(arguments: list[str]) -> str:
    """What is wrong with these arguments of `ivr`; nothing is run."""
    result = CliRunner().invoke(app, [*arguments, "--help"])
    return "" if result.exit_code == 0 else result.output


def listens(service: dict[str, Any], config: Config) -> int:
    """The port of the process behind a service of the compose file."""
    command: list[str] = service["command"]
    if "--port" in command:
        return int(command[command.index("--port") + 1])
    return {
        "serve": config.api.port,
        "admin": config.admin.port,
        "asr": config.services.asr.port,
        "tts": config.services.tts.port,
    }[command[0]]


def test_there_are_the_four_processes_and_a_broker():
    assert {"gateway", "asr", "tts", "admin", "mosquitto"} <= set(SERVICES)
    assert {name for name in OURS if "profiles" in SERVICES[name]} == {"asr-gpu", "tts-gpu"}
    assert all(SERVICES[name]["profiles"] == ["gpu"] for name in ("asr-gpu", "tts-gpu"))


@pytest.mark.parametrize("name", OURS)
def test_each_command_is_one_that_ivr_takes(name: str):
    assert takes(SERVICES[name]["command"]) == ""


def test_a_command_that_it_does_not_take_would_be_found():
    assert "No such option" in takes(["serve", "--konfig", "x"])
    assert "No such command" in takes(["server"])


@pytest.mark.parametrize("name", OURS)
def test_health_is_asked_where_the_process_listens(name: str, config: Config):
    service = SERVICES[name]
    asked = urlsplit(re.search(r"http://[^']+", service["healthcheck"]["test"][-1])[0])  # type: ignore[index]
    assert (asked.port, asked.path) == (listens(service, config), "/health/live")


@pytest.mark.parametrize("name", OURS)
def test_what_is_published_is_what_the_process_listens_on(name: str, config: Config):
    service = SERVICES[name]
    if service.get("network_mode") == "host":
        assert "ports" not in service
        assert (config.api.host, config.admin.host) == ("127.0.0.1", "127.0.0.1")
    else:
        port = listens(service, config)
        assert service["ports"] == [f"127.0.0.1:{port}:{port}"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_none_is_root_or_may_write_where_it_need_not(name: str):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "cap_add" not in service
    assert "healthcheck" in service
    if name not in OURS:
        assert service["user"].partition(":")[0] not in ("", "0", "root")


def test_what_is_written_lies_in_a_volume(config: Config):
    for name in OURS:
        assert any(volume.endswith(":/var/lib/ivr") for volume in SERVICES[name]["volumes"])
    for path in (config.store.path, config.admin.users):
        assert path.is_relative_to("/var/lib/ivr")
    named = {v.partition(":")[0] for s in SERVICES.values() for v in s["volumes"] if v[0] not in "./"}
    assert named == set(COMPOSE["volumes"])


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_what_is_mounted_from_here_is_there(name: str):
    for volume in SERVICES[name]["volumes"]:
        if volume.startswith("./"):
            assert (ROOT / volume.partition(":")[0]).exists()


def test_a_stop_waits_for_calls_as_long_as_the_server_does():
    from engines.service.serving import DRAIN_S as SPEECH_S
    from ivr.main import DRAIN_S

    assert int(SERVICES["gateway"]["stop_grace_period"].removesuffix("s")) > DRAIN_S
    for name in ("asr", "tts", "asr-gpu", "tts-gpu"):
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > SPEECH_S


def test_every_secret_of_the_configuration_is_in_the_example():
    used = set(re.findall(r"\$\{(\w+)\}", (DOCKER / "ivr.yaml").read_text(encoding="utf-8")))
    assert used == set(NAMES)


def test_the_dashboard_may_do_all_that_it_shows(config: Config):
    assert config.api.keys["dashboard"].key == config.admin.key
    assert "calls:supervise" in config.api.keys["dashboard"].scopes


def test_every_flow_that_a_number_names_is_shipped(config: Config):
    shipped = {path.stem.replace("_", "-") for path in (ROOT / "flows").glob("*.yaml")}
    assert {number.flow for number in config.numbers.values()} <= shipped


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.gpu"])
def test_an_image_copies_what_is_there_and_runs_as_nobody_special(name: str):
    text = re.sub(r"\\\n", " ", (DOCKER / name).read_text(encoding="utf-8"))
    lines = [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]
    allowed = (DOCKER / f"{name}.dockerignore").read_text(encoding="utf-8").splitlines()
    for instruction, rest in lines:
        if instruction == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in allowed, source
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "sipp_scenarios"}
    assert packages <= {rest.split()[0] for instruction, rest in lines if instruction == "COPY"}
    users = [rest for instruction, rest in lines if instruction == "USER"]
    assert users == ["10001:10001"]
    command = next(rest for instruction, rest in lines if instruction == "CMD")
    assert takes(yaml.safe_load(command)) == ""


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_a_unit_starts_what_ivr_takes(unit: Path):
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(unit.read_text(encoding="utf-8"))
    program, *arguments = shlex.split(parser["Service"]["ExecStart"])
    assert program.endswith("/ivr")
    assert takes(arguments) == ""
    assert parser["Service"]["User"] == "ivr"
    target = (ROOT / "deploy" / "systemd" / "ivr.target").read_text(encoding="utf-8")
    assert unit.name in target


def test_a_unit_of_calls_is_given_the_time_of_the_last_one():
    from ivr.main import DRAIN_S

    text = (ROOT / "deploy" / "systemd" / "ivr-gateway.service").read_text(encoding="utf-8")
    assert int(re.search(r"TimeoutStopSec=(\d+)", text)[1]) > DRAIN_S  # type: ignore[index]
