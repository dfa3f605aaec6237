"""What is wrong with a text that is no YAML, in words for its author.

The library tells where it gave up; the cause is mostly an unquoted sign or a quote left open, on that line or
some lines before. What is known is looked for there; what is not is told in the library's words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import yaml

from ivr.flow.problems import START, Place, Report, Rule

WHOLE: Final = 'put the whole text in quotes: "..."'
BRACES: Final = 'put the whole text in quotes: "{{ ... }}"'
_SWALLOWED: Final = re.compile(r"(?:[:,\[{]|^\s*-)\s+#")
_FORBIDDEN: Final = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|(?<!^)\ufeff", re.DOTALL
)
"""What YAML takes for no text (YAML 1.2, 5.1), and a byte order mark that is not at the beginning."""


_KEY_ALONE: Final = re.compile(r"\s*[\w-]+\s*")


class Cause(NamedTuple):
    """What is wrong, where, and what to write."""

    place: Place
    message: str
    hint: str


def swallows(line: str) -> bool:
    """Whether a comment begins in a line where a value was to be expected."""
    return _SWALLOWED.search(line) is not None


def report_syntax(text: str, error: yaml.YAMLError, report: Report) -> None:
    """Adds the cause of the error to the report."""
    invisible = _FORBIDDEN.search(text)
    if invisible is not None:
        before = text[: invisible.start()]
        place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
        message = f"an invisible sign stands here (U+{ord(invisible[0]):04X})"
        report.add(place, Rule.YAML, message, "delete it, and type what stands around it again")
        return
    if not isinstance(error, yaml.MarkedYAMLError):
        first = str(error).splitlines()[0]
        report.add(START, Rule.YAML, f"the file cannot be read as YAML: {first}")
        return
    trouble = _Trouble(text, error)
    cause = next(trouble.causes(), None)
    if cause is not None:
        report.add(cause.place, Rule.YAML, cause.message, cause.hint)
        return
    context = f" ({error.context})" if error.context else ""
    problem = error.problem or "not understood"
    report.add(trouble.place, Rule.YAML, f"not valid YAML: {problem}{context}")


_BARE: Final = (
    (_SWALLOWED, 1, "# begins a comment here, and the rest of the line is lost", 'quote it: "#"'),
    (re.compile(r"[:\[,{]\s+\{\{"), 2, "{{ begins a YAML mapping here", BRACES),
    (re.compile(r"[:\[,{]\s*\*"), 1, "* begins a YAML alias here", 'quote it: "*"'),
    (re.compile(r"[:,{]\s+&(?!\w)"), 1, "& begins a YAML anchor here", WHOLE),
    (re.compile(r"[:\[,{]\s+[%@`]"), 1, "a text cannot begin with this sign unless it is in quotes", WHOLE),
    (re.compile(r":\s+\[[^\]]*\](?=\s*[^\s,\]}#])"), 0, "[ begins a YAML list here", WHOLE),
    (re.compile(r":\s+[|>](?=\s+[^\s#])"), 1, "a block of text begins on the line after its sign", WHOLE),
    (re.compile(r":\s+-(?=\s)"), 1, "- begins an item of a list, which goes on a line of its own", WHOLE),
)  # fmt: skip
"""Signs that mean something else than the author thought, and how much of the match the sign is (0: it is
the bracket)."""


class _Trouble:
    """The lines in which the cause lies: from where the library was, to where it gave up."""

    def __init__(self, text: str, error: yaml.MarkedYAMLError) -> None:
        mark: Any = error.problem_mark or error.context_mark
        self.problem = error.problem or ""
        self.lines = text.splitlines()
        self.last = mark.line if mark else 0
        self.column = mark.column if mark else 0
        self.context: Any = error.context_mark
        self.first = min(self.context.line if self.context else self.last, self.last)
        self.place = Place(self.last + 1, self.column + 1)

    def line(self, number: int) -> str:
        return self.lines[number] if 0 <= number < len(self.lines) else ""

    def causes(self) -> Iterator[Cause]:
        """The likeliest first."""
        if "document start" in self.problem:
            yield Cause(self.place, "... ends the file, and something follows it", "a file holds one flow")
        yield from self._bare_signs()
        yield from self._indentation()
        yield from self._quotes()
        yield from self._colons()
        yield from self._open_brackets()

    def _bare_signs(self) -> Iterator[Cause]:
        for number in range(self.first, self.last + 1):
            line = self.line(number)
            for pattern, length, message, hint in _BARE:
                found = pattern.search(line)
                if found is not None and not _quoted(line, found.start()):
                    column = found.end() - length if length else found[0].index("[") + found.start()
                    yield Cause(Place(number + 1, column + 1), message, hint)

    def _indentation(self) -> Iterator[Cause]:
        for number in range(self.first, self.last + 1):
            if "\xa0" in _blank(self.line(number)):
                message = "a no-break space cannot indent YAML"
                yield Cause(Place(number + 1, 1), message, "use plain spaces")
        line = self.line(self.last)
        blank = _blank(line)
        if line[self.column : self.column + 1] == "\t" or "\t" in blank:
            yield Cause(self.place, "a tab cannot indent YAML", "use spaces")
        elif self.problem == "did not find expected key" and self.column == len(blank):
            message = f"this line is indented by {self.column}, and the lines it belongs to are not"
            yield Cause(self.place, message, "begin what belongs together in the same column")

    def _quotes(self) -> Iterator[Cause]:
        line = self.line(self.last)
        before, after = line[self.column - 1 : self.column], line[self.column : self.column + 1]
        if self.column and before in "\"'" and after.isalnum():
            hint = "write \\\" for a quote within the text, or put '...' around the whole"
            yield Cause(Place(self.last + 1, self.column), "the text ends with this quote", hint)
            return
        if "end of stream" not in self.problem and self.last == self.first:
            return
        for number in range(self.first, self.last + 1):
            opened = _open_quote(self.line(number))
            if opened is not None:
                message = "the quote that begins here is not closed on this line"
                yield Cause(Place(number + 1, opened + 1), message, "close it")
                return

    def _colons(self) -> Iterator[Cause]:
        line = self.line(self.last)
        if self.problem == "mapping values are not allowed in this context":
            yield Cause(self.place, "a colon within a text makes a key of what stands before it", WHOLE)
        elif self.problem == "could not find expected ':'":
            hint = "write key: value, with a space after the colon"
            place = Place(self.first + 1, 1 + len(_blank(self.line(self.first))))
            yield Cause(place, "this is no key: value", hint)
        elif (
            line[self.column : self.column + 1] == ":"
            and "expected ',' or" in self.problem
            and not _KEY_ALONE.fullmatch(line[: self.column])
        ):
            yield Cause(self.place, "a colon within a text makes a key of what stands before it", WHOLE)

    def _open_brackets(self) -> Iterator[Cause]:
        if self.context is None or "expected ',' or" not in self.problem or self.last == self.first:
            return
        sign = self.line(self.first)[self.context.column : self.context.column + 1]
        if sign in ("{", "["):
            closing = {"{": "}", "[": "]"}[sign]
            message = f"the {sign} that begins here is not closed"
            place = Place(self.first + 1, self.context.column + 1)
            yield Cause(place, message, f"end it with {closing}; between its entries stand commas")


def _blank(line: str) -> str:
    """What a line is indented with."""
    return line[: len(line) - len(line.lstrip())]


def _quotes_of(line: str) -> Iterator[tuple[int, bool]]:
    """The double quotes of a line: where, and whether each opens a text."""
    opened = False
    at = 0
    while at < len(line):
        if opened and line[at] == "\\":
            at += 1
        elif line[at] == '"':
            opened = not opened
            yield at, opened
        elif not opened and line[at] == "#" and line[at - 1 : at] in ("", " "):
            return
        at += 1


def _open_quote(line: str) -> int | None:
    """Where a double quote opens that the line does not close."""
    at: int | None = None
    for place, opens in _quotes_of(line):
        at = place if opens else None
    return at


def _quoted(line: str, at: int) -> bool:
    """Whether that place lies within double quotes."""
    inside = False
    for place, opens in _quotes_of(line):
        if place > at:
            break
        inside = opens
    return inside
