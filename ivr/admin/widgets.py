"""The few shapes that pages are made of, so that all of them look alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

Tone = Literal["neutral", "good", "warn", "bad", "info"]


class Words(TextElement):
    """Text in an element of any kind; `text` may be changed."""

    def __init__(self, tag: str, text: str, classes: str = "") -> None:
        super().__init__(tag=tag, text=text)
        self.classes(classes)


@contextmanager
def panel(title: str = "", *, hint: str = "", classes: str = "") -> Iterator[Element]:
    """A framed part of a page, with a heading."""
    with ui.element("section").classes(f"panel {classes}") as section:
        if title:
            with ui.element("div").classes("panel-head"):
                Words("h2", title, "panel-title")
                if hint:
                    Words("span", hint, "panel-hint")
        yield section


@contextmanager
def figures() -> Iterator[Element]:
    """A row of `figure`s."""
    with ui.element("div").classes("figures") as row:
        yield row


def figure(label: str, value: str, hint: str = "", tone: Tone = "neutral") -> Words:
    """One number, large, with what it is; gives the number, whose text may be changed."""
    with ui.element("div").classes("figure"):
        Words("span", label, "figure-label")
        number = Words("span", value, f"figure-value tone-{tone}")
        if hint:
            Words("span", hint, "figure-hint")
    return number


def pill(text: str, tone: Tone = "neutral") -> Words:
    """A state, in one word."""
    return Words("span", text, f"pill tone-{tone}")


def empty(text: str) -> Words:
    """What stands where there is nothing."""
    return Words("p", text, "empty")


def fault(text: str) -> Words:
    """Why there is nothing where something should be."""
    words = Words("p", text, "fault")
    words.props("role=alert")
    return words
