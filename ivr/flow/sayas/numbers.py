"""Numbers in the Indian system, as far as it is the same in every language of India: groups and decimals."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

from ivr.flow.sayas.language import Language

LARGEST_IN_WORDS = 10**14
"""From here on ("one crore crore") nobody follows the words; digits are spoken one by one."""

CRORE, LAKH, THOUSAND = 10**7, 10**5, 10**3


def indian(
    below_thousand: Callable[[int], str], zero: str, thousand: str, lakh: str, crore: str, bridge: str = ""
) -> Callable[[int], str]:
    """A function from an int >= 0 to its words, grouped by thousand, lakh and crore (12,34,56,789).

    `bridge` stands before a last group under one hundred ("one thousand *and* five").
    """

    def cardinal(number: int) -> str:
        if number == 0:
            return zero
        parts = []
        crores, rest = divmod(number, CRORE)
        if crores:
            parts += [cardinal(crores), crore]
        lakhs, rest = divmod(rest, LAKH)
        if lakhs:
            parts += [below_thousand(lakhs), lakh]
        thousands, rest = divmod(rest, THOUSAND)
        if thousands:
            parts += [below_thousand(thousands), thousand]
        if rest:
            if bridge and parts and rest < 100:
                parts.append(bridge)
            parts.append(below_thousand(rest))
        return " ".join(parts)

    return cardinal


def integer(number: int, language: Language) -> str:
    """Any int in words, digit by digit where it is too large for them."""
    size = abs(number)
    words = language.cardinal(size) if size < LARGEST_IN_WORDS else digit_by_digit(str(size), language)
    return f"{language.minus} {words}" if number < 0 else words


def decimal(number: Decimal, language: Language) -> str:
    """A finite number in words; what follows the point digit by digit, trailing zeros dropped."""
    whole, _, fraction = f"{abs(number):f}".partition(".")
    fraction = fraction.rstrip("0")
    words = integer(int(whole), language)
    if fraction:
        words = f"{words} {language.point} {digit_by_digit(fraction, language)}"
    return f"{language.minus} {words}" if number < 0 and (fraction or int(whole)) else words


def digit_by_digit(digits: str, language: Language) -> str:
    return " ".join(language.digits[int(digit)] for digit in digits)


def rupees(amount: Decimal, language: Language) -> str:
    """A finite amount in rupees and paise, rounded half up to a paisa."""
    size = abs(amount)
    # Past this the context's 28 digits do not reach down to a paisa.
    size = size.quantize(Decimal("0.01"), ROUND_HALF_UP) if size < 10**20 else size // 1
    whole, paise = int(size), int(size % 1 * 100)
    parts = []
    if whole or not paise:
        parts.append(f"{integer(whole, language)} {language.rupee.after(whole)}")
    if paise:
        parts.append(f"{language.cardinal(paise)} {language.paisa.after(paise)}")
    words = language.and_.join(parts)
    return f"{language.minus} {words}" if amount < 0 and size else words
