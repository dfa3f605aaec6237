import pytest

from ivr.masking import mask_number, mask_speech


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("+919876543210", "+91******3210"),
        ("09876543210", "09*****3210"),
        ("sip:+919876543210@192.0.2.7:5060", "sip:+91******3210@192.0.2.7:5060"),
        ("1001", "1001"),
        ("", ""),
    ],
)
def test_numbers_can_be_told_apart_but_not_called(text: str, masked: str) -> None:
    assert mask_number(text) == masked


def test_speech_is_never_shown() -> None:
    assert "सामान" not in mask_speech("सामान नहीं है")
