"""What a shop tells its callers, in three languages."""

from __future__ import annotations

from pathlib import Path
from typing import Final

RETURNS: Final = """---
title: not to be read aloud
---
# Returns
<!-- ask Anu whether this still holds -->

Goods may be returned within **ten days** with the [receipt](https://shop.example/receipt).

## Refunds

### Cash

A refund in cash is paid at the counter.

### Cards

Cards are credited within seven working days.

## What cannot be returned

Cut cloth, and earrings.
"""

HINDI: Final = """# वापसी

सामान दस दिन के भीतर रसीद के साथ वापस किया जा सकता है।

## पैसे की वापसी

नकद के पैसे दुकान पर मिलते हैं, कार्ड के सात दिन में।

## दुकान का समय

दुकान सुबह दस बजे से रात नौ बजे तक खुली रहती है।
"""

MARATHI: Final = """# परतावा

वस्तू दहा दिवसांत पावतीसह परत करता येतात.

## परताव्याचे पैसे

रोख पैसे दुकानात मिळतात, कार्डाचे सात दिवसांत.

## दुकानाची वेळ

दुकान सकाळी दहा ते रात्री नऊ पर्यंत उघडे असते.
"""

PRICES: Final = """item,price,delivery
kurta,₹450,two days
"saree, silk",₹2 500,five days
dupatta,₹180,two days
"""


def open_shop(folder: Path) -> Path:
    """Writes all of it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "returns.md").write_text(RETURNS, encoding="utf-8")
    (folder / "hindi").mkdir()
    (folder / "hindi" / "vapasi.md").write_text(HINDI, encoding="utf-8")
    (folder / "marathi.md").write_text(MARATHI, encoding="utf-8")
    (folder / "prices.csv").write_text(PRICES, encoding="utf-8")
    return folder
