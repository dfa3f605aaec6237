"""From file to flow: what is read, what is refused, and what its hash covers."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.flow.loader import check_file, load_flow
from ivr.flow.model import Flow
from ivr.flow.nodes import MAX_BYTES
from ivr.flow.problems import FlowError, ParamError
from ivr.flow.types import to_json
from ivr.flow.verbs.menu import Menu
from tests.flow.calls import VENDOR_ORDER, write_wav

ALL_TYPES = """
flow: all-types
languages: [en, hi]
params:
  name: text
  code: digits
  items: count
  total: rupees
  share: percent
  wait: minutes
  day: date
  at: time
  spoken: language
  size: {one_of: [small, large]}
  note: optional text
result:
  outcome: {one_of: ["yes", "no"], default: "no"}
  when: {type: date, default: "2026-12-31"}
  cost: {type: rupees, default: 10.50}
  memo: optional text
variables:
  tries: {type: count, default: 0}
  reply: text
start: bye
steps:
  bye: {end: normal}
"""

GOOD = {
    "name": "Sharma",
    "code": "0042",
    "items": 3,
    "total": 1250.5,
    "share": "12.5",
    "wait": 20,
    "day": "2026-11-22",
    "at": "18:30",
    "spoken": "hi",
    "size": "large",
}


class TestTypes:
    @pytest.fixture
    def flow(self, flow_of: Callable[[str], Flow]) -> Flow:
        return flow_of(ALL_TYPES)

    def test_values_get_the_types_of_their_parameters(self, flow: Flow) -> None:
        assert flow.bind(GOOD) == {
            "name": "Sharma",
            "code": "0042",
            "items": 3,
            "total": Decimal("1250.5"),
            "share": Decimal("12.5"),
            "wait": 20,
            "day": dt.date(2026, 11, 22),
            "at": dt.time(18, 30),
            "spoken": "hi",
            "size": "large",
            "note": None,
        }

    def test_values_of_yaml_are_taken_as_they_come(self, flow: Flow) -> None:
        bound = flow.bind({**GOOD, "day": dt.date(2026, 1, 2), "at": dt.time(7), "items": 3.0})
        assert (bound["day"], bound["at"], bound["items"]) == (dt.date(2026, 1, 2), dt.time(7), 3)

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("name", 5, "must be a text, in quotes"),
            ("name", "x" * 501, "must be at most 500 characters"),
            ("code", 42, "must be digits in quotes (a number would lose leading zeros)"),
            ("code", "42a", "must be 1 to 64 digits, in quotes"),
            ("code", "४२", "must be 1 to 64 digits, in quotes"),
            ("items", "3", "must be a whole number"),
            ("items", 3.5, "must be a whole number"),
            ("items", True, "must be a whole number"),
            ("items", 10**13, "is too large to be spoken"),
            ("total", "x", "must be a number"),
            ("total", float("nan"), "must be a number"),
            ("total", 1.005, "must have at most two decimals (paise)"),
            ("total", True, "must be a number"),
            ("total", "9e99", "is too large to be spoken"),
            ("wait", -1, "must not be negative"),
            ("day", "31.12.2026", 'must be a date such as "2026-12-31"'),
            ("day", 20261231, 'must be a date such as "2026-12-31"'),
            ("at", 1110, 'must be a time such as "18:30", in quotes'),
            ("spoken", "ta", "must be one of en, hi"),
            ("size", "huge", "must be one of small, large"),
            ("size", None, "is missing"),
        ],
    )
    def test_an_ill_typed_value_is_named(self, flow: Flow, name: str, value: Any, message: str) -> None:
        with pytest.raises(ParamError) as caught:
            flow.bind({**GOOD, name: value})
        assert caught.value.fields == {name: message}

    def test_every_bad_parameter_is_named_at_once(self, flow: Flow) -> None:
        with pytest.raises(ParamError) as caught:
            flow.bind({"code": 1, "nmae": "x"})
        fields = caught.value.fields
        assert fields["name"] == "is missing"
        assert fields["nmae"] == 'is not a parameter of all-types (did you mean "name"?)'
        assert set(fields) == {*flow.params, "nmae"} - {"note"}

    def test_defaults_are_typed(self, flow: Flow) -> None:
        assert {name: field.default for name, field in flow.result.items()} == {
            "outcome": "no",
            "when": dt.date(2026, 12, 31),
            "cost": Decimal("10.5"),
            "memo": None,
        }

    @pytest.mark.parametrize(
        ("value", "json"),
        [
            (Decimal("1250.50"), 1250.5),
            (Decimal("1250.00"), 1250),
            (dt.date(2026, 12, 31), "2026-12-31"),
            (dt.time(18, 30), "18:30"),
            ("x", "x"),
            (3, 3),
            (None, None),
        ],
    )
    def test_values_go_back_to_json(self, value: Any, json: Any) -> None:
        assert to_json(value) == json
        assert type(to_json(value)) is type(json)


class TestVendorOrder:
    def test_the_example_is_read_as_it_is_written(self, vendor_order: Flow) -> None:
        assert vendor_order.name == "vendor-order"
        assert vendor_order.languages == ("hi", "mr", "en")
        assert vendor_order.language_name == "language"
        assert (vendor_order.limits.call_s, vendor_order.limits.visits) == (240.0, 4)
        assert list(vendor_order.steps) == [
            "offer", "eta", "reason", "booked", "noted", "report", "desk", "bye",
        ]  # fmt: skip
        assert vendor_order.silenced == {"report", "bye"}
        offer = vendor_order.steps["offer"]
        assert isinstance(offer, Menu)
        assert {key: choice.name for key, choice in offer.keys.items()} == {
            "1": "accept", "2": "reject", "9": "repeat",
        }  # fmt: skip
        assert [way.target.step for way in offer.exits()] == ["eta", "reason", "offer", "report"]

    def test_every_step_knows_its_place(self, vendor_order: Flow) -> None:
        lines = VENDOR_ORDER.read_text(encoding="utf-8").splitlines()
        for name, step in vendor_order.steps.items():
            assert lines[step.place.line - 1][step.place.column - 1 :].startswith(f"{name}:")


def variants(text: str) -> dict[str, str]:
    return {
        "comment": "# a comment\n" + text,
        "layout": text.replace("{end: normal}", "\n    end: normal"),
        "line ends": text.replace("\n", "\r\n"),
        "byte order mark": "\ufeff" + text,
    }


class TestHash:
    @pytest.mark.parametrize("name", list(variants("")))
    def test_comments_and_layout_do_not_change_it(self, flow_of: Callable[[str], Flow], name: str) -> None:
        assert flow_of(variants(ALL_TYPES)[name]).hash == flow_of(ALL_TYPES).hash

    def test_a_word_changes_it(self, flow_of: Callable[[str], Flow]) -> None:
        assert flow_of(ALL_TYPES.replace("small", "tiny")).hash != flow_of(ALL_TYPES).hash

    def test_the_content_of_an_audio_file_changes_it(
        self, flow_of: Callable[[str], Flow], tmp_path: Path
    ) -> None:
        text = (
            "flow: a\nlanguages: [en]\nstart: hi\nsteps: {hi: {say: {en: {audio: hi.wav}}, next: bye}, "
            "bye: {end: normal}}\n"
        )
        write_wav(tmp_path / "hi.wav", b"\0\1")
        before = flow_of(text).hash
        write_wav(tmp_path / "hi.wav", b"\0\2")
        assert flow_of(text).hash != before


class TestHostileFiles:
    """Each is refused with one message, within a second."""

    @pytest.fixture(autouse=True)
    def at_once(self) -> Any:
        before = time.process_time()
        yield
        assert time.process_time() - before < 1.0

    def messages(self, path: Path) -> list[str]:
        return [problem.message for problem in check_file(path)]

    def test_a_file_of_ten_megabytes(self, tmp_path: Path) -> None:
        path = tmp_path / "big.yaml"
        path.write_bytes(b"# " + b"x" * 10_000_000)
        assert self.messages(path) == [f"the file is larger than {MAX_BYTES // 1024} KiB"]

    def test_aliases_that_multiply(self, tmp_path: Path) -> None:
        path = tmp_path / "bomb.yaml"
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
        path.write_text("\n".join(lines))
        assert self.messages(path) == ["more than 50000 values when its aliases are written out"]

    @pytest.mark.parametrize("text", ["[" * 20_000, "a: " * 5_000 + "x", "{a: " * 900 + "1" + "}" * 900])
    def test_nesting_without_end(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "deep.yaml"
        path.write_text(text)
        assert len(self.messages(path)) == 1

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("{{ n + 1 }}{% if n > 1 %}a{% endif %}" * 90, "too many expressions from here on"),
            ("{{ " + "n + " * 900 + "n }}", "nested too deeply"),
            ("{{ " + "(" * 90 + "n" + ")" * 90 + " }}", "nested too deeply"),
            ("{{ " + "not " * 900 + "n }}", "nested too deeply"),
            ("{% if n > 1 %}" * 60 + "{% endif %}" * 60, "nested too deeply"),
            ("{{ n" + " | round" * 400 + " }}", "nested too deeply"),
            ("{% for a in range(1000000000) %}x{% endfor %}" * 80, "loops are not allowed here"),
            ("{{ 'a' * 1000000000 }}" * 150, '"a" cannot be computed with'),
            ("{{ 9 ** 9 ** 9 }}" * 200, "powers are not computed here"),
            ("{{ ''.__class__.__mro__ }}" * 150, "attributes (a.b) are not read here"),
        ],
    )  # fmt: skip
    def test_prompts_full_of_expressions(self, tmp_path: Path, text: str, message: str) -> None:
        path = tmp_path / "dense.yaml"
        prompts = "".join(f'  p{n}: {{en: "{text}"}}\n' for n in range(400_000 // len(text)))
        head = "flow: a\nlanguages: [en]\nparams: {n: count}\nstart: bye\nsteps: {bye: {end: normal}}\n"
        path.write_text(f"{head}prompts:\n{prompts}")
        assert any(message in found for found in self.messages(path))

    def test_a_great_many_steps(self, tmp_path: Path) -> None:
        path = tmp_path / "many.yaml"
        path.write_text("flow: a\nsteps:\n" + "".join(f"  s{n}: {{}}\n" for n in range(30_000)))
        assert self.messages(path)

    def test_what_is_no_text_at_all(self, tmp_path: Path) -> None:
        path = tmp_path / "binary.yaml"
        path.write_bytes(b"flow: a\n\xff\xfe\x00")
        assert self.messages(path) == ["the file is not UTF-8"]
        path.write_bytes(b"flow: \x00a\n")
        assert len(self.messages(path)) == 1

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(FlowError, match="the file cannot be read: No such file or directory"):
            load_flow(tmp_path / "none.yaml")


SCRAPS = (
    *("{", "}", "[", "]", ":", '"', "'", "#", "*x", "&a ", "{{", "}}", "\n", "  ", "- ", "? ", "|", "!!str "),
    *("null", "~", "no", "1", "next", "otherwise", "say", "menu", "set", "branch", "[]", "{}", '""'),
    *("{one_of: [a]}", '"{{ eta }}"'),
)


@given(st.data())
def test_a_damaged_flow_is_refused_or_read_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    text = VENDOR_ORDER.read_text(encoding="utf-8")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        gone = data.draw(st.integers(0, 12))
        text = text[:at] + data.draw(st.sampled_from(SCRAPS)) + text[at + gone :]
    path = tmp_path_factory.getbasetemp() / "damaged.yaml"
    path.write_text(text, encoding="utf-8")
    problems = check_file(path)
    assert problems == sorted(problems)
    if not problems:
        assert load_flow(path).steps


class TestPrompts:
    FLOW = """
flow: prompts
languages: [en, hi]
params: {vendor: text}
start: one
steps:
  one: {say: {en: "Inline {{ vendor }}.", hi: "यहीं {{ vendor }}।"}, next: two}
  two: {say: {prompt: named, barge_in: keys}, next: three}
  three: {say: {prompt: {en: Deep., hi: गहरा।}, barge_in: none}, next: bye}
  bye: {end: normal}
prompts:
  named: {en: {audio: named.wav, text: "Named 1."}, hi: {audio: named.wav}}
"""

    def test_a_prompt_is_a_name_or_written_in_place_and_a_file_or_a_text(
        self, flow_of: Callable[[str], Flow], tmp_path: Path
    ) -> None:
        write_wav(tmp_path / "named.wav")
        flow = flow_of(self.FLOW)
        assert set(flow.prompts) == {"named", "one.say", "three.prompt"}
        values = flow.bind({"vendor": "X"})
        spoken = {
            (name, language): prompt.utterances(values, language, lambda value, kind: str(value))
            for name, prompt in flow.prompts.items()
            for language in flow.languages
        }
        (inline,) = spoken["one.say", "en"]
        assert (inline.text, inline.personal) == ("Inline X.", True)  # type: ignore[union-attr]
        (both,) = spoken["named", "en"]
        assert both.path == "named.wav"  # type: ignore[union-attr]
        assert both.instead.text == "Named one."  # type: ignore[union-attr]
        assert not both.instead.personal  # type: ignore[union-attr]
        (file,) = spoken["named", "hi"]
        assert file.instead is None  # type: ignore[union-attr]
