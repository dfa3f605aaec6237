"""How long a question takes in a large collection, and how long the collection takes to be read.

    python -m bench.knowledge [PASSAGES]

The passages are made of words with the frequencies of natural language (Zipf), shared by the questions.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from ivr.knowledge.index import build
from ivr.knowledge.searching import Searcher

QUESTIONS: Final = (
    "सामान वापस करने के लिए कितने दिन मिलते हैं",
    "return policy",
    "मेरा ऑर्डर डिलीवरी का पता और मोबाइल नंबर बदलना है कल सुबह",
    "what is the price of the shirt in this colour and size, is there a discount",
    "शब्द17 word99",
)
_FILES: Final = 20
_RARE: Final = 3_000
_ASKED: Final = 40


def main(passages: int) -> None:
    random.seed(1)
    words = [word for question in QUESTIONS for word in question.split()]
    words += [f"{kind}{n}" for kind in ("शब्द", "word") for n in range(_RARE)]
    random.shuffle(words)
    weights = [1 / rank for rank in range(1, len(words) + 1)]

    def text(count: int) -> str:
        return " ".join(random.choices(words, weights, k=count))

    with tempfile.TemporaryDirectory() as folder:
        root, index = Path(folder, "files"), Path(folder, "index.db")
        root.mkdir()
        for file in range(_FILES):
            parts = (f"## {text(4)}\n\n{text(60)}.\n" for _ in range(passages // _FILES))
            (root / f"{file}.md").write_text("\n".join(parts), encoding="utf-8")
        began = time.perf_counter()
        report = build(index, {"all": root})
        took_s = time.perf_counter() - began
        print(f"{report.collections['all'].pieces} passages read in {took_s:.1f} s")
        searcher = Searcher(index)
        for question in QUESTIONS:
            times = []
            for _ in range(_ASKED):
                began = time.perf_counter()
                searcher.find({"all"}, question, most=4)
                times.append((time.perf_counter() - began) * 1000)
            print(f"{statistics.median(times):6.2f} ms  (worst {max(times):.2f})  {question}")
        searcher.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
