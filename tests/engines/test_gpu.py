"""What fits on a card, what the driver tells of it, and what is said when there is none."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.catalogue import Installed, find
from engines.gpu.budget import PROFILES, Part, Share, card_budget
from engines.gpu.cards import memory_gb, read_cards
from engines.gpu.status import GpuMonitor
from tests.fakes.nvml import GB, FakeCard, FakeNvml

SIZES = st.floats(0.1, 8.0).map(lambda size: round(size, 1))


@pytest.mark.parametrize(("name", "needed_gb"), [("A", 8.0), ("B", 7.0), ("C", 8.5)])
def test_the_profiles_are_those_of_a_card_of_12_gb(name: str, needed_gb: float) -> None:
    profile = PROFILES[name]
    budget = card_budget([], total_gb=profile.card_gb, profile=profile)
    assert budget.needed_gb == needed_gb
    assert budget.refusal() == ""
    assert {share.part for share in budget.shares} <= {Part.RESERVED, Part.OTHER, Part.CUDA}


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_profiles_and_catalogue_agree(name: str) -> None:
    for engine, size_gb in PROFILES[name].engines.items():
        runs = find(engine).runs
        assert isinstance(runs, Installed)
        assert runs.vram_gb == size_gb


def test_what_a_profile_has_is_kept_free_until_it_runs() -> None:
    profile = PROFILES["C"]
    budget = card_budget([Share("faster-whisper", 2.4), Share("kokoro", 0.5)], total_gb=12, profile=profile)
    assert budget.share("faster-whisper") == Share("faster-whisper", 2.4)
    assert budget.share("indic-parler") == Share("indic-parler", 2.0, Part.RESERVED)
    assert budget.needed_gb == pytest.approx(8.5 + 0.4 + 0.5)


def test_a_refusal_names_each_with_its_size_the_sum_and_what_to_drop() -> None:
    engines = [Share("faster-whisper", 2.0), Share("indic-parler", 2.0), Share("xtts-v2", 3.5)]
    budget = card_budget(engines, total_gb=8, others={"vllm": 1.0}, name="RTX 4060")
    assert budget.refusal() == "\n".join(
        [
            "the models do not fit on card 0 (RTX 4060), which has 8.0 GB:",
            "  faster-whisper            2.0 GB",
            "  indic-parler              2.0 GB",
            "  xtts-v2                   3.5 GB",
            "  vllm                      1.0 GB",
            "  CUDA                      1.0 GB",
            "  together                  9.5 GB: 1.5 GB too much",
            (
                "Drop faster-whisper (2.0 GB) from the chains or the profile; or run it on the CPU "
                "(engines.setup.faster-whisper.device: cpu) or on another machine "
                "(engines.setup.faster-whisper.address)."
            ),
        ]
    )


def test_what_is_only_kept_free_is_dropped_first_and_several_where_one_is_not_enough() -> None:
    profile = PROFILES["A"]
    kept = card_budget([Share("faster-whisper", 2.0), Share("xtts-v2", 5.2)], total_gb=12, profile=profile)
    assert "Drop chatterbox-turbo (1.5 GB)" in kept.refusal()
    three = card_budget([Share(name, 2.0) for name in ("kokoro", "xtts-v2", "glm-tts")], total_gb=4)
    assert "Drop kokoro (2.0 GB) and xtts-v2 (2.0 GB)" in three.refusal()
    assert "the card is too small" in card_budget([], total_gb=2, others={"vllm": 9}).refusal()


def test_a_size_that_nobody_measured_is_told() -> None:
    budget = card_budget(
        [Share("indic-conformer", None), Share("kokoro", None)], total_gb=12, profile=PROFILES["B"]
    )
    assert budget.unmeasured == ("indic-conformer",)
    assert budget.share("kokoro") == Share("kokoro", 0.5)


@given(st.lists(SIZES, max_size=8), st.floats(1, 24), SIZES)
def test_a_budget_never_lies(sizes: list[float], total_gb: float, more_gb: float) -> None:
    """It fits exactly when the sum does; one more and one less are counted; every refusal names all."""
    budget = card_budget([Share(f"e{n}", gb) for n, gb in enumerate(sizes)], total_gb=total_gb)
    needed = sum(sizes) + 1.0
    assert (budget.refusal() == "") == (budget.free_gb >= 0)
    assert budget.needed_gb == pytest.approx(needed, abs=0.01)
    grown = budget.beside(Share("more", more_gb))
    assert grown.needed_gb == pytest.approx(needed + more_gb, abs=0.01)
    assert grown.without("more") == budget
    if refusal := budget.refusal():
        assert all(f"e{n} " in refusal for n in range(len(sizes)))


def test_a_model_takes_what_its_profile_keeps_for_it() -> None:
    budget = card_budget([], total_gb=12, profile=PROFILES["B"])
    grown = budget.beside(Share("kokoro", 0.7))
    assert grown.needed_gb == pytest.approx(budget.needed_gb + 0.2)


def test_cards_as_the_driver_tells_of_them() -> None:
    nvml = FakeNvml(
        FakeCard(processes={41: 2 * GB, 42: None}),
        FakeCard(name=b"Tesla T4", silent=frozenset({"utilisation", "temperature", "processes"})),
    )
    cards = read_cards(nvml)
    assert cards.reason == ""
    first, second = cards.cards
    assert (first.index, first.name, first.total_bytes, first.used_bytes) == (
        0,
        "NVIDIA GeForce RTX 3060",
        12 * GB,
        2 * GB,
    )
    assert (first.utilisation_percent, first.temperature_c) == (37, 61)
    assert [(each.pid, each.memory_bytes) for each in first.processes] == [(41, 2 * GB), (42, None)]
    assert (second.name, second.utilisation_percent, second.temperature_c, second.processes) == (
        "Tesla T4",
        None,
        None,
        (),
    )
    assert nvml.open == 0, "the library is left as it was found"
    assert [memory_gb(cards, pid) for pid in (41, 42, 43)] == [2.0, None, None]


def test_why_there_is_no_card() -> None:
    for failure, reason in (
        (FakeNvml.NVMLError_LibraryNotFound(), "no NVIDIA driver on this machine"),
        (FakeNvml.NVMLError_DriverNotLoaded(), "not loaded"),
        (FakeNvml.NVMLError("Unknown Error"), "cannot be asked: Unknown Error"),
    ):
        cards = read_cards(FakeNvml(failure=failure))
        assert cards.cards == ()
        assert reason in cards.reason
    assert read_cards(FakeNvml()).reason == "the NVIDIA driver knows no card"


def test_without_its_package_or_here(monkeypatch: pytest.MonkeyPatch) -> None:
    here = read_cards()
    assert bool(here.cards) != bool(here.reason)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert read_cards().reason == "nvidia-ml-py is not installed"


async def test_the_status_tells_our_processes_by_engine() -> None:
    nvml = FakeNvml(FakeCard(processes={41: 2 * GB, 99: 3 * GB}))
    budget = card_budget([Share("faster-whisper", 2.0), Share("glm-tts", None)], total_gb=12)
    monitor = GpuMonitor(
        lambda: {"faster-whisper": 41, "kokoro": None}, lambda: [budget], lambda: read_cards(nvml)
    )
    status = (await monitor.status()).model_dump()
    assert status["reason"] is None
    assert status["gpus"][0]["processes"] == [
        {"pid": 41, "engine": "faster-whisper", "memory_mb": 2048},
        {"pid": 99, "engine": None, "memory_mb": 3072},
    ]
    assert status["gpus"][0]["memory_total_mb"] == 12288
    assert status["budget"] == [
        {
            "card": 0,
            "total_gb": 12.0,
            "needed_gb": 3.0,
            "free_gb": 9.0,
            "fits": True,
            "shares": [
                {"name": "faster-whisper", "gb": 2.0, "part": "engine"},
                {"name": "glm-tts", "gb": None, "part": "engine"},
                {"name": "CUDA", "gb": 1.0, "part": "cuda"},
            ],
        }
    ]


async def test_the_status_says_why_there_is_none() -> None:
    nvml = FakeNvml(failure=FakeNvml.NVMLError_LibraryNotFound())
    status = await GpuMonitor(dict, list, lambda: read_cards(nvml)).status()
    assert (status.gpus, status.budget) == ([], [])
    assert status.reason is not None
    assert "no NVIDIA driver" in status.reason
