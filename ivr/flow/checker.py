"""The rules that a flow is checked against once it has been read.

Rule 9 (strict YAML) and what concerns a single prompt or expression is proved while reading; here is what
needs the whole flow. What concerns one step alone (rules 2 and 7) is proved by its verb.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from ivr.flow.assigned import assigned_at
from ivr.flow.graph import Stretch, components, edges_of, reached_from, way_to
from ivr.flow.model import Flow, Reference, Step
from ivr.flow.problems import Report, Rule, did_you_mean
from ivr.flow.timing import longest_stretches, seconds_of
from ivr.flow.verbs import VERBS

Offered = Mapping[str, Collection[str]]
"""section -> the names that the configuration has in it; where it is a mapping, with what each wants."""

_WHERE: Final = {"topics": "broker.topics"}
"""Where a section stands in the configuration, if not at its top."""


def check_flow(
    flow: Flow,
    report: Report,
    *,
    unread: frozenset[str] = frozenset(),
    offered: Offered | None = None,
) -> None:
    """Adds every problem to the report.

    `unread` are steps that stand in the file and could not be understood; what cannot be known because of
    them is not reported. `offered` are the names of the configuration by section; None: of rule 8 only the
    audio files are proved.
    """
    _Checker(flow, report, unread).check(offered or {})


class _Checker:
    def __init__(self, flow: Flow, report: Report, unread: frozenset[str]) -> None:
        self._flow = flow
        self._report = report
        self._unread = unread
        self._edges = edges_of(flow)
        events = flow.events
        self._targets = {
            event: target
            for event, target in (
                ("hangup", events.hangup),
                ("failure", events.failure),
                ("operator", events.operator),
            )
            if target is not None
        }
        roots = (flow.start.step, *(target.step for target in self._targets.values()))
        self._reached = reached_from(self._edges, roots)

    def check(self, offered: Offered) -> None:
        complete = self._targets_exist() and not self._unread
        if complete:
            self._steps_are_reached()
            self._ends_are_reached()
        for step in self._flow.steps.values():
            step.check(self._flow, self._report)
        self._prompts_agree()
        self._one_language()
        self._result_is_complete()
        if complete:
            self._values_are_there()
            self._silent_after_hang_up()
            self._longest_way_fits()
        self._audio_can_be_played()
        self._configuration_offers(offered)

    # --- rule 1

    def _targets_exist(self) -> bool:
        """Whether every outcome leads somewhere; if not, what could be reached is not known."""
        complete = bool(self._flow.start.step)
        known = {*self._flow.steps, *self._unread}
        wanted = [("start", self._flow.start)] if self._flow.start.step else []
        wanted += [(f"event {event}", target) for event, target in self._targets.items()]
        for step in self._flow.steps.values():
            wanted += [(f"{way.outcome} of step {step.name}", way.target) for way in step.exits()]
        for what, target in wanted:
            if target.step not in known:
                hint = did_you_mean(target.step, known)
                message = f'{what} leads to "{target.step}", and there is no such step'
                self._report.add(target.place, Rule.OUTCOMES, message, hint)
                complete = False
        return complete

    def _steps_are_reached(self) -> None:
        for name, step in self._flow.steps.items():
            if name not in self._reached:
                hint = "name it in a next, an otherwise or an event, or take it out"
                self._report.add(step.place, Rule.OUTCOMES, f"no step leads to step {name}", hint)

    def _ends_are_reached(self) -> None:
        backwards: dict[str, list[str]] = {name: [] for name in self._edges}
        for name, targets in self._edges.items():
            for target in targets:
                backwards[target].append(name)
        ends = [name for name, step in self._flow.steps.items() if step.ends]
        closing = reached_from({name: tuple(before) for name, before in backwards.items()}, ends)
        for name, step in self._flow.steps.items():
            if name in self._reached and name not in closing:
                hint = "every way must come to a step with end: normal"
                self._report.add(step.place, Rule.OUTCOMES, f"no end can be reached from step {name}", hint)

    # --- rule 3

    def _prompts_agree(self) -> None:
        for prompt in self._flow.prompts.values():
            missing = [language for language in self._flow.languages if language not in prompt.wordings]
            if missing:
                message = f"prompt {prompt.name} is missing in {', '.join(missing)}"
                self._report.add(
                    prompt.place, Rule.PROMPTS, message, "every prompt is needed in every language"
                )
            worded = [(lang, w) for lang, w in prompt.wordings.items() if w.text is not None]
            for language, wording in worded:
                for name in sorted(prompt.names):
                    if wording.text is not None and name not in wording.text.names:
                        other = next(
                            lang for lang, w in worded if w.text is not None and name in w.text.names
                        )
                        message = f'prompt {prompt.name} speaks of "{name}" in {other} and not in {language}'
                        self._report.add(wording.place, Rule.PROMPTS, message, f"add {{{{ {name} }}}} to it")

    def _one_language(self) -> None:
        named = [name for name, type_ in self._flow.scope.items() if type_.kind == "language"]
        if len(named) > 1:
            fields = {**self._flow.variables, **self._flow.result}
            place = next((fields[name].place for name in named if name in fields), self._flow.start.place)
            message = f"{' and '.join(named)} are both of type language, and a call speaks one"
            self._report.add(place, Rule.PROMPTS, message, "keep one of type language, make the other one_of")

    def _values_are_there(self) -> None:
        """A value is used only where it surely has been set (rule 4 for results, else rule 3)."""
        known = assigned_at(self._flow, self._targets)
        for name, step in self._flow.steps.items():
            if name not in known:
                continue
            present = known[name]
            for prompt in step.prompts():
                for missing in sorted(prompt.needs - present - step.filled_for(prompt)):
                    self._not_there(step, missing, f"prompt {prompt.name} speaks of it")
            for use in step.uses():
                for missing in sorted(use.expression.needs - present - use.given) if not use.bare else ():
                    self._not_there(step, missing, f'"{use.expression.source}" needs it')
            for way in step.exits():
                have = set(present)
                for assign in way.assigns:
                    source = assign.source
                    for missing in sorted(getattr(source, "needs", frozenset[str]()) - have):
                        self._not_there(step, missing, f"{assign.name} is computed from it")
                    have.add(assign.name)

    def _not_there(self, step: Step, name: str, why: str) -> None:
        rule = Rule.RESULT if name in self._flow.result else Rule.PROMPTS
        message = f'step {step.name}: "{name}" may not have a value yet, and {why}'
        self._report.add(
            step.place, rule, message, f'set it before, give it a default, or test "{name} is not none"'
        )

    # --- rule 4

    def _result_is_complete(self) -> None:
        for name, field in self._flow.result.items():
            if not field.type.optional and field.default is None:
                message = f'result "{name}" is neither optional nor has a default'
                hint = f"write {name}: optional {field.type}"
                if field.type.kind == "one_of":
                    hint = f"add default: {field.type.options[-1]}"
                self._report.add(field.place, Rule.RESULT, message, hint)

    # --- rule 5

    def _silent_after_hang_up(self) -> None:
        hangup = self._flow.events.hangup
        if hangup is not None:
            found = reached_from(self._edges, (hangup.step,))
            self._all_silent(found, "hangup", "runs after a hang-up")
            for loop in self._loops(frozenset(found)):
                message = f"{' and '.join(loop)} would run again and again after a hang-up"
                hint = "what runs after a hang-up runs once: let it lead on to an end"
                self._report.add(self._flow.steps[loop[0]].place, Rule.HANG_UP, message, hint)
        for step in self._flow.steps.values():
            if step.leaves and step.name in self._reached:
                target = step.exits()[0].target.step
                self._all_silent(
                    reached_from(self._edges, (target,)), step.name, "runs after the caller was handed over"
                )

    def _all_silent(self, found: Mapping[str, str | None], root: str, why: str) -> None:
        for name in found:
            step = self._flow.steps[name]
            if not step.silent:
                way = " -> ".join((root, *way_to(found, name)))
                message = f"step {name} ({step.verb}) {why}, when nobody hears it: {way}"
                hint = f"only {_SILENT_VERBS} may run then, and flows of such steps"
                self._report.add(step.place, Rule.HANG_UP, message, hint)

    # --- rule 6

    def _longest_way_fits(self) -> None:
        flow = self._flow
        seconds = seconds_of(flow)
        way = longest_stretches(flow, self._edges, seconds)
        total = sum(part.seconds for part in way)
        if total > flow.limits.call_s:
            longest = sorted(way, key=lambda part: -part.seconds)[:3]
            listed = ", ".join(self._stretch(part) for part in longest if part.seconds)
            message = (
                f"the longest way through takes about {_clock(total)}, "
                f"and limits.call is {_clock(flow.limits.call_s)} (longest: {listed})"
            )
            hint = f"raise limits.call to {_clock(_whole_minutes(total))}, or lower limits.visits or retries"
            self._report.add(flow.limits.place, Rule.LOOPS, message, hint)
        self._loops_can_pass_time(seconds)

    def _stretch(self, part: Stretch) -> str:
        names = (
            " and ".join(part.steps)
            if len(part.steps) < 4
            else f"{part.steps[0]} and {len(part.steps) - 1} more"
        )
        often = f" up to {self._flow.limits.visits} times" if part.loop else ""
        return f"{names}{often} {_clock(part.seconds)}"

    def _loops_can_pass_time(self, seconds: Mapping[str, float]) -> None:
        """A loop of steps that wait for nothing would only spin until `visits` ends it."""
        for loop in self._loops(frozenset(self._flow.steps)):
            if not any(seconds[name] for name in loop):
                message = f"the loop {', '.join(loop)} waits for nothing, and only limits.visits would end it"
                place = self._flow.steps[loop[0]].place
                self._report.add(place, Rule.LOOPS, message, "let the loop say or ask something")

    def _loops(self, names: frozenset[str]) -> list[list[str]]:
        """Sets of steps that lead back to themselves."""
        found = components(self._edges, names)
        return [sorted(loop) for loop in found if len(loop) > 1 or loop[0] in self._edges[loop[0]]]

    # --- rule 8

    def _audio_can_be_played(self) -> None:
        for prompt in self._flow.prompts.values():
            for wording in prompt.wordings.values():
                recording = wording.recording
                if recording.fault:
                    message = f"prompt {prompt.name}: {recording.fault}"
                    self._report.add(wording.place, Rule.NAMES, message, recording.hint)

    def _configuration_offers(self, offered: Offered) -> None:
        manner = self._flow.manner
        for language, voice in manner.voices.items():
            known = offered.get(voices_of(language))
            if known is not None and voice not in known:
                message = f'there is no voice "{voice}" for {language}'
                hint = (
                    did_you_mean(voice, known) or f"there are, among others, {', '.join(sorted(known)[:12])}"
                )
                self._report.add(manner.places[language], Rule.NAMES, message, hint)
        for step in self._flow.steps.values():
            for reference in step.references():
                names = offered.get(reference.section)
                if names is not None and reference.name not in names:
                    one = reference.section.removesuffix("s")
                    message = f'step {step.name}: the configuration has no {one} "{reference.name}"'
                    where = _WHERE.get(reference.section, reference.section)
                    hint = did_you_mean(reference.name, names) or f"add it under {where}"
                    self._report.add(reference.place, Rule.NAMES, message, hint)
                elif isinstance(names, Mapping):
                    self._given(step, reference, names[reference.name])

    def _given(self, step: Step, reference: Reference, wanted: Iterable[str]) -> None:
        """A topic that is made of values of the event gets them."""
        given = frozenset(self._flow.result) if reference.gives is None else reference.gives
        for name in sorted(set(wanted) - given):
            message = f'step {step.name}: the topic "{reference.name}" is made with "{name}" of the body'
            hint = f'add it to the body: {name}: "{{{{ ... }}}}"'
            self._report.add(reference.place, Rule.NAMES, f"{message}, which has none", hint)


_SILENT = [v for v, step in VERBS.items() if v != "flow" and getattr(step, "silent") is not False]  # noqa: B009
_SILENT_VERBS: Final = f"{', '.join(_SILENT[:-1])} and {_SILENT[-1]}"


def voices_of(language: str) -> str:
    """The section of what is offered that names the voices of a language."""
    return f"voices {language}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest}s"
    return f"{minutes}m {rest}s" if rest else f"{minutes}m"


def _whole_minutes(seconds: float) -> float:
    return (seconds // 60 + 1) * 60
