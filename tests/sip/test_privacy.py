"""What may stand in a log line."""

from __future__ import annotations

from sip.privacy import masked


def test_numbers_are_cut_down() -> None:
    assert masked("sip:+919876543210@192.0.2.1") == "sip:+***10@192.0.2.1"


def test_no_stranger_ends_a_line_or_commands_a_terminal() -> None:
    assert masked("x\r\nroot: all is well\x1b[2J\u2028") == "x??root: all is well?[2J?"


def test_bytes_that_are_no_text_do_not_break_the_log() -> None:
    assert masked(b"caf\xe9".decode("utf-8", "surrogateescape")) == "caf?"
    assert masked("half \ud800") == "half ?"
    assert masked("नमस्ते\tx") == "नमस्ते\tx"
