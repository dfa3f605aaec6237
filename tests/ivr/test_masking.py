import pytest

from ivr.masking import mask_number


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("+919876543210", "+91******3210"),
        ("09876543210", "09*****3210"),
        ("sip:+919876543210@192.0.2.7:5060", "sip:+91******3210@192.0.2.7:5060"),
        ("1001", "1001"),
        ("", ""),
        ("x\n2026-01-01 ERROR all is lost\x1b[2J", "x?2026-01-01 ERROR all is lost?[2J"),
    ],
)
def test_numbers_can_be_told_apart_but_not_called(text: str, masked: str) -> None:
    assert mask_number(text) == masked
