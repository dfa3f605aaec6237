"""The index: what is found in three languages, what is kept, and what is gone for good."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ivr.knowledge.embedding import EmbeddingServer
from ivr.knowledge.fusing import fuse
from ivr.knowledge.index import build, erase
from ivr.knowledge.searching import Searcher
from ivr.knowledge.vectors import fill
from tests.fakes.llm_server import letters, llm_server
from tests.knowledge.shop import open_shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Never changed by a test."""
    folder = tmp_path_factory.mktemp("shop")
    build(folder / "k.db", {"shop": open_shop(folder / "shop")})
    return folder / "k.db"


@pytest.fixture
def searcher(shop: Path) -> Iterator[Searcher]:
    searcher = Searcher(shop)
    yield searcher
    searcher.close()


@pytest.mark.parametrize(
    ("question", "source"),
    [
        ("Can I return it after ten days?", "returns.md, Returns"),
        ("How is a refund paid in cash", "returns.md, Returns, Refunds, Cash"),
        ("when do I get the money back on my card", "returns.md, Returns, Refunds, Cards"),
        ("what does the saree cost", "prices.csv, line 3"),
        ("delivery of a kurta", "prices.csv, line 2"),
        ("सामान वापस करने के लिए कितने दिन हैं", "hindi/vapasi.md, वापसी"),
        ("नकद पैसों की वापसी कैसे होगी", "hindi/vapasi.md, वापसी, पैसे की वापसी"),
        ("दुकानें कब तक खुलती हैं", "hindi/vapasi.md, वापसी, दुकान का समय"),
        ("दुकान किस समय खुली है", "hindi/vapasi.md, वापसी, दुकान का समय"),
        ("वस्तूंची पावती असेल तर परत घेता का", "marathi.md, परतावा"),
        ("परताव्यासाठी रोख पैसे कधी", "marathi.md, परतावा, परताव्याचे पैसे"),
        ("दुकानाच्या वेळा काय", "marathi.md, परतावा, दुकानाची वेळ"),
        # in the other script: as a recogniser writes English words of a Hindi caller, and as people type
        ("रिफंड कैश में मिलेगा क्या", "returns.md, Returns, Refunds, Cash"),
        ("स्टोर में डिलीवरी कुर्ता", "prices.csv, line 2"),
        ("kurta कितने का है", "prices.csv, line 2"),
        ("दुपट्टा", "prices.csv, line 4"),
        ("samaan wapas rasid", "hindi/vapasi.md, वापसी"),
    ],
)
def test_the_passage_that_answers_comes_first(searcher: Searcher, question: str, source: str) -> None:
    found = searcher.find({"shop"}, question, most=4)
    assert found
    assert found[0].source == source, [passage.source for passage in found]
    assert [passage.score for passage in found] == sorted((one.score for one in found), reverse=True)


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("পণ্য দশ দিনের মধ্যে ফেরত দেওয়া যায়।", "পণ্য ফেরত কবে"),
        ("பொருட்களை பத்து நாட்களில் திரும்ப கொடுக்கலாம்.", "திரும்ப கொடுக்க"),
        ("વસ્તુઓ દસ દિવસમાં પરત કરી શકાય.", "પરત"),
        ("Die Ware kann zurückgegeben werden.", "ZURUCKGEGEBEN"),
    ],
)
def test_words_of_other_scripts_are_found_whole_and_by_their_beginning(
    tmp_path: Path, text: str, question: str
) -> None:
    (tmp_path / "a.md").write_text(f"{text}\n\n# Other\n\nNothing of it.\n", encoding="utf-8")
    build(tmp_path / "k.db", {"a": tmp_path / "a.md"})
    searcher = Searcher(tmp_path / "k.db")
    assert [passage.text for passage in searcher.find({"a"}, question, most=2)] == [text]
    searcher.close()


@pytest.mark.parametrize(
    ("question", "source"),
    [
        ("खाना ठंडा था, पैसे मिलेंगे क्या", "paise-wapas.md, पैसे वापस और शिकायत, खाना ठंडा या ख़राब था"),
        ("मेरा खाना अभी तक नहीं आया", "paise-wapas.md, पैसे वापस और शिकायत, खाना नहीं आया"),
        ("one dish was missing", "refunds.md, Refunds and complaints, Something is missing or wrong"),
        ("delivery charge in pune", "charges.csv, line 2"),
        ("नागपुर में डिलीवरी चार्ज", "charges.csv, line 5"),
    ],
)
def test_the_example_of_the_cookbook_answers(tmp_path: Path, question: str, source: str) -> None:
    folder = Path(__file__).parents[2] / "docs" / "cookbook" / "knowledge"
    report = build(tmp_path / "k.db", {"returns": folder})
    assert report.collections["returns"].faults == ()
    searcher = Searcher(tmp_path / "k.db")
    found = [passage.source for passage in searcher.find({"returns"}, question, most=3)]
    assert found[0] == source, found
    searcher.close()


def test_what_has_nothing_to_do_with_it_finds_nothing(searcher: Searcher) -> None:
    for question in ("क्या हाल है", "weather tomorrow", "", "  ", "?!", "मौसम"):
        assert searcher.find({"shop"}, question, most=4) == ()


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(max_size=60) | st.sampled_from(['"', "OR AND NOT", "NEAR(a b)", "a* -b", "^returns", "heading:x"])
)
def test_no_question_is_a_query(searcher: Searcher, question: str) -> None:
    assert len(searcher.find({"shop"}, question + " returns", most=3)) <= 3


def test_a_question_without_end_costs_no_more(searcher: Searcher) -> None:
    assert searcher.find({"shop"}, "refund cash " * 100_000, most=2)[0].source.endswith("Cash")


def test_common_words_rank_and_rare_ones_choose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivr.knowledge.searching._RANKED", 20)
    rows = "".join(f"shirt {n},{'red' if n % 2 else 'blue'} cotton\n" for n in range(300))
    (tmp_path / "shirts.csv").write_text(f"item,colour\n{rows}silk shirt,blue\n")
    build(tmp_path / "k.db", {"a": tmp_path / "shirts.csv"})
    searcher = Searcher(tmp_path / "k.db")
    assert searcher.find({"a"}, "a blue silk shirt", most=1)[0].text == "item: silk shirt; colour: blue"
    both = searcher.find({"a"}, "red cotton shirts", most=5)
    assert all("red cotton" in passage.text for passage in both), "where all are common they have to meet"
    searcher.close()


def test_collections_are_apart(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.md").write_text(f"# Refunds\n\nA refund in shop {name}.")
    places = {name: tmp_path / name for name in ("one", "two")}
    report = build(tmp_path / "k.db", places)
    assert {name: (one.files, one.pieces) for name, one in report.collections.items()} == {
        "one": (1, 1),
        "two": (1, 1),
    }
    searcher = Searcher(tmp_path / "k.db")
    assert [one.collection for one in searcher.find({"two"}, "refund", most=4)] == ["two"]
    assert {one.collection for one in searcher.find({"one", "two"}, "refund", most=4)} == {"one", "two"}
    assert searcher.find(set(), "refund", most=4) == ()
    build(tmp_path / "k.db", {"one": tmp_path / "one"})
    assert searcher.find({"two"}, "refund", most=4) == (), "it is not in the configuration any more"
    searcher.close()


def test_only_what_has_changed_is_read_again(tmp_path: Path) -> None:
    shop = open_shop(tmp_path / "shop")
    index = tmp_path / "k.db"
    assert build(index, {"shop": shop}).changed == 4
    (shop / "returns.md").touch()
    assert build(index, {"shop": shop}).changed == 0
    (shop / "returns.md").write_text("# Returns\n\nTwenty days.")
    (shop / "prices.csv").unlink()
    assert build(index, {"shop": shop}).changed == 2
    searcher = Searcher(index)
    assert searcher.find({"shop"}, "returns", most=1)[0].text == "Twenty days."
    assert searcher.find({"shop"}, "kurta", most=1) == ()
    searcher.close()


def test_bad_files_are_told_each_time_and_the_rest_is_found(tmp_path: Path) -> None:
    shop = open_shop(tmp_path / "shop")
    (shop / "old.md").write_bytes("Rücksendung".encode("latin-1"))
    (shop / "broken.csv").write_text('a,b\n1,2\n1,2,3\n"x')
    for _ in range(2):
        report = build(tmp_path / "k.db", {"shop": shop, "gone": tmp_path / "gone"})
        faults = dict(report.collections["shop"].faults)
        assert faults["old.md"] == "is not written in UTF-8 (byte 1): save it as UTF-8"
        assert "line 3: 3 cells under 2 columns" in [fault for _, fault in report.collections["shop"].faults]
        assert report.collections["gone"].faults == (("gone", "No such file or directory"),)
        assert report.collections["shop"].pieces > 8


def test_a_collection_has_so_many_passages_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ivr.knowledge.index.MOST_PIECES", 5)
    (tmp_path / "c").mkdir()
    for name in "ab":
        (tmp_path / "c" / f"{name}.csv").write_text("n\n" + "".join(f"{n}\n" for n in range(4)))
    report = build(tmp_path / "k.db", {"c": tmp_path / "c"}).collections["c"]
    assert report.pieces == 5
    assert report.faults[0] == ("b.csv", "is left out, or in part: 5 passages of a collection are the most")


def test_what_is_taken_out_is_gone_from_the_disk(tmp_path: Path) -> None:
    shop = open_shop(tmp_path / "shop")
    (shop / "staff.md").write_text("# Staff\n\nZarathustraphone is answered by Xylophonius.")
    index = tmp_path / "k.db"
    build(index, {"shop": shop})
    assert b"ylophonius" in index.read_bytes()
    (shop / "staff.md").unlink()
    build(index, {"shop": shop})
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("k.db*"))
    assert b"ylophonius" not in kept
    assert b"xylophon" not in kept
    assert erase(index)
    assert list(tmp_path.glob("k.db*")) == []
    assert not erase(index)


@pytest.mark.parametrize("broken", ["no database", "another form", "cut"])
def test_a_broken_index_is_made_anew(tmp_path: Path, broken: str) -> None:
    shop, index = open_shop(tmp_path / "shop"), tmp_path / "k.db"
    build(index, {"shop": shop})
    if broken == "no database":
        index.write_bytes(b"as you like it" * 1000)
    elif broken == "cut":
        whole = index.read_bytes()
        index.write_bytes(whole[: len(whole) // 2])
    else:
        with sqlite3.connect(index) as db:
            db.execute("PRAGMA user_version = 999")
        searcher = Searcher(index)
        assert searcher.find({"shop"}, "returns", most=1) == ()
        searcher.close()
    build(index, {"shop": shop})
    searcher = Searcher(index)
    assert searcher.find({"shop"}, "returns", most=1)
    searcher.close()


def test_it_is_searched_while_it_is_written_and_when_it_is_another_file(tmp_path: Path) -> None:
    shop, index = open_shop(tmp_path / "shop"), tmp_path / "k.db"
    searcher = Searcher(index)
    assert searcher.find({"shop"}, "returns", most=1) == (), "there is none yet"
    build(index, {"shop": shop})
    writing = sqlite3.connect(index, isolation_level=None)
    writing.execute("BEGIN IMMEDIATE")
    writing.execute("DELETE FROM pieces")
    assert searcher.find({"shop"}, "returns", most=1), "as it was"
    writing.execute("ROLLBACK")
    writing.close()
    erase(index)
    assert searcher.find({"shop"}, "returns", most=1) == ()
    build(index, {"shop": shop})
    assert searcher.find({"shop"}, "returns", most=1)
    searcher.close()


def test_a_search_can_be_ended(shop: Path) -> None:
    searcher = Searcher(shop)
    searcher.interrupt()
    assert searcher.find({"shop"}, "returns", most=1)
    thread = threading.Thread(target=searcher.interrupt)
    thread.start()
    thread.join()
    assert searcher.find({"shop"}, "returns", most=1)
    searcher.close()


# --- meaning


def test_rankings_are_fused_by_rank() -> None:
    assert [id for id, _ in fuse([[1, 2, 3], [3, 1]])] == [1, 3, 2]
    assert fuse([[7]]) == [(7, 1 / 61)]
    assert fuse([]) == []


async def test_vectors_are_made_once_and_found_by_their_angle(tmp_path: Path) -> None:
    shop, index = open_shop(tmp_path / "shop"), tmp_path / "k.db"
    build(index, {"shop": shop})
    async with llm_server() as llm:
        server = EmbeddingServer(llm.url, "letters", "sk-secret")
        assert await fill(index, server) == (0, "")
        texts = [text for batch in llm.embedded for text in batch]
        assert len(texts) == len(set(texts)) == 13
        assert "Returns, Refunds, Cash\nA refund in cash is paid at the counter." in texts
        assert await fill(index, server) == (0, "")
        assert len(llm.embedded) == 1, "none is made twice"
        (shop / "new.md").write_text("Alterations are free.")
        build(index, {"shop": shop})
        await fill(index, server)
        assert llm.embedded[1:] == [["\nAlterations are free."]]
        searcher = Searcher(index)
        searcher.load_vectors("letters")
        same = np.array(letters("\nAlterations are free."), dtype=np.float32)
        assert searcher.find({"shop"}, "weather", same, most=1)[0].text == "Alterations are free."
        words = searcher.find({"shop"}, "refund in cash", most=20)
        both = searcher.find({"shop"}, "refund in cash", same, most=20)
        assert words[0].text == both[0].text == "A refund in cash is paid at the counter."
        assert len(both) == 14 > len(words), "vectors put all in order, words those that have one"
        assert searcher.find({"shop"}, "weather", same[:10], most=1) == (), "of another length"
        await fill(index, EmbeddingServer(llm.url, "others"))
        assert len(llm.embedded[-1]) == 14, "another model has vectors of its own"
        searcher.load_vectors("letters")
        assert searcher.find({"shop"}, "weather", same, most=1) == ()
        searcher.close()


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        ([], "another shape"),
        ([0.0] * 4, "without a direction"),
        ([float("nan")] * 4, "is none"),
        (["x"], "none"),
    ],
)
async def test_vectors_that_are_none_are_told(tmp_path: Path, vector: list[float], message: str) -> None:
    (tmp_path / "a.md").write_text("One.")
    build(tmp_path / "k.db", {"a": tmp_path / "a.md"})
    async with llm_server() as llm:
        llm.vector_of = lambda text: vector
        missing, fault = await fill(tmp_path / "k.db", EmbeddingServer(llm.url, "letters"))
    assert missing == 1
    assert message in fault
    missing, fault = await fill(tmp_path / "k.db", EmbeddingServer(llm.url, "letters"))
    assert (missing, fault.startswith("letters: ")) == (1, True), "the server is away"
