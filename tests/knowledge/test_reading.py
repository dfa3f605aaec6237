"""Files as passages, and all that is wrong with files."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.knowledge.folder import contents, listing
from ivr.knowledge.reading import LONGEST, MOST_BYTES, MOST_PIECES, CannotRead, Contents, Piece, read
from tests.knowledge.shop import HINDI, PRICES, RETURNS, open_shop


def pieces(text: str, name: str = "a.md") -> list[Piece]:
    return list(read(name, text.encode()).pieces)


def test_markdown_is_cut_by_its_headings() -> None:
    assert pieces(RETURNS) == [
        Piece("Returns", "Goods may be returned within ten days with the receipt."),
        Piece("Returns, Refunds, Cash", "A refund in cash is paid at the counter."),
        Piece("Returns, Refunds, Cards", "Cards are credited within seven working days."),
        Piece("Returns, What cannot be returned", "Cut cloth, and earrings."),
    ]
    assert [piece.heading for piece in pieces(HINDI)] == [
        "वापसी",
        "वापसी, पैसे की वापसी",
        "वापसी, दुकान का समय",
    ]


def test_headings_of_the_other_kind_and_what_only_looks_like_one() -> None:
    text = "Returns\n=======\n\nTen days.\n\nCash\n----\n\nAt once.\n\n```\n# no heading\n```\n\n#none\n"
    assert pieces(text) == [
        Piece("Returns", "Ten days."),
        Piece("Returns, Cash", "At once.\n# no heading\n#none"),
    ]


def test_text_without_a_heading_is_a_passage_and_windows_writes_lines_its_own_way() -> None:
    assert pieces("\ufeffOne.\r\n\r\nTwo.\r\n", "a.txt") == [Piece("", "One.\nTwo.")]


def test_long_texts_are_cut_between_sentences() -> None:
    sentences = [f"यह वाक्य {n} है और इसमें कुछ शब्द हैं।" for n in range(200)]
    found = pieces("# लंबा\n\n" + " ".join(sentences))
    assert len(found) > 5
    assert all(len(piece.text) <= LONGEST for piece in found)
    assert " ".join(piece.text.replace("\n", " ") for piece in found) == " ".join(sentences)
    assert all(piece.text.endswith("।") for piece in found)
    assert [len(piece.text) for piece in pieces("x" * 2000)] == [LONGEST, LONGEST, 400]


def test_a_table_is_read_row_by_row_with_the_names_of_its_columns() -> None:
    assert pieces(PRICES, "prices.csv") == [
        Piece("line 2", "item: kurta; price: ₹450; delivery: two days"),
        Piece("line 3", "item: saree, silk; price: ₹2 500; delivery: five days"),
        Piece("line 4", "item: dupatta; price: ₹180; delivery: two days"),
    ]
    assert pieces("a;b\n1,5;2\n\n;3\n", "x.csv") == [
        Piece("line 2", "a: 1,5; b: 2"),
        Piece("line 4", "b: 3"),
    ]
    assert pieces("a\tb\n1\t2\n", "x.tsv") == [Piece("line 2", "a: 1; b: 2")]


@pytest.mark.parametrize(
    ("text", "kept", "fault"),
    [
        ("a,b\n1,2\n1,2,3\n4,5\n", 2, "line 3: 3 cells under 2 columns"),
        ('a,b\n1,2\n"3,4\n5,6\n', 1, "what follows is left out"),
        ('a,b\n1,"2"x\n', 0, "what follows is left out"),
        ("a,b\n1," + "x" * 200_000 + "\n", 0, "field larger than field limit"),
        ("a,b\n", 0, "holds a header and no row"),
        ("\n\n", 0, "holds no text"),
    ],
)
def test_what_is_wrong_with_a_table_is_told_and_the_rest_is_kept(text: str, kept: int, fault: str) -> None:
    found = read("a.csv", text.encode())
    assert len(found.pieces) == kept
    assert fault in found.faults[0]


def test_many_faults_are_told_shortly() -> None:
    found = read("a.csv", b"a,b\n" + b"1,2,3\n" * 100)
    assert len(found.faults) == 6
    assert found.faults[-1] == "and 95 more lines like that"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.md", "é".encode("latin-1"), r"is not written in UTF-8 \(byte 0\): save it as UTF-8"),
        ("a.csv", "वापस".encode("utf-16"), "UTF-16"),
        ("a.md", b"\x7fELF\x01\0\0\xff", "is no text"),
        ("a.md", b"a\x00b", "holds control characters"),
        ("a.md", b"x" * (MOST_BYTES + 1), "is over 4 MiB"),
        ("a.csv", b"x," * 100 + b"\n1\n", "has 101 columns"),
    ],
)
def test_files_that_cannot_be_used_are_told_why(name: str, data: bytes, message: str) -> None:
    with pytest.raises(CannotRead, match=message):
        read(name, data)


def test_a_file_has_so_many_passages_and_no_more() -> None:
    found = read("a.csv", b"a\n" + b"x\n" * (MOST_PIECES + 7))
    assert len(found.pieces) == MOST_PIECES
    assert f"only the first {MOST_PIECES} of its {MOST_PIECES + 7}" in found.faults[0]


@settings(max_examples=60)
@given(st.text(max_size=300), st.sampled_from(["a.md", "a.csv", "a.tsv"]))
def test_whatever_a_text_is_it_is_read_or_refused(text: str, name: str) -> None:
    try:
        found = read(name, text.encode("utf-8", "surrogatepass"))
    except CannotRead:
        return
    assert found.pieces or found.faults
    assert all(piece.text.strip() and len(piece.text) <= 2 * LONGEST for piece in found.pieces)


def test_empty_files_say_so() -> None:
    assert read("a.md", b"") == Contents((), ("holds no text",))
    assert read("a.md", b"<!-- nothing\n") == Contents((), ("holds no text",))


# --- folders


def test_a_folder_is_looked_through_in_order(tmp_path: Path) -> None:
    root = open_shop(tmp_path / "shop")
    (root / ".git").mkdir()
    (root / ".git" / "x.md").write_text("hidden")
    (root / "~$returns.md").write_text("of an editor")
    found = listing(root)
    assert [file.name for file in found.files] == [
        "hindi/vapasi.md",
        "marathi.md",
        "prices.csv",
        "returns.md",
    ]
    assert found.faults == ()
    assert [file.name for file in listing(root / "prices.csv").files] == ["prices.csv"]


def test_what_is_not_read_is_told(tmp_path: Path) -> None:
    root = open_shop(tmp_path / "shop")
    (root / "manual.pdf").write_bytes(b"%PDF-1.7")
    (tmp_path / "secret.md").write_text("elsewhere")
    (root / "link.md").symlink_to(tmp_path / "secret.md")
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe.md")
    with (root / "big.md").open("wb") as big:
        big.truncate(100 * 1024 * 1024)
    found = listing(root)
    assert len(found.files) == 4
    assert dict(found.faults) == {
        "big.md": "is 100 MiB; 4 MiB are the most: split it",
        "link.md": "is a link; links are not followed",
        "loop": "is a link; links are not followed",
        "manual.pdf": "is neither Markdown (.md, .txt) nor a table (.csv, .tsv)",
        "pipe.md": "is no file",
    }


def test_a_folder_that_is_not_there_and_one_that_is_too_deep(tmp_path: Path) -> None:
    assert listing(tmp_path / "gone").faults == (("gone", "No such file or directory"),)
    deep = tmp_path / "a"
    deep.joinpath(*["b"] * 12).mkdir(parents=True)
    ((name, fault),) = listing(deep).faults
    assert (name.count("b"), fault) == (9, "lies more than 8 folders deep")


def test_a_file_that_became_something_else_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("x")
    (found,) = listing(tmp_path).files
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(CannotRead, match="no file"):
        contents(found)
    path.unlink()
    with pytest.raises(CannotRead, match="No such file"):
        contents(found)


def test_files_beyond_the_most_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivr.knowledge.folder.MOST_FILES", 3)
    names = [f"{n}.md" for n in range(5)]
    random.Random(1).shuffle(names)
    for name in names:
        (tmp_path / name).write_text("x")
    found = listing(tmp_path)
    assert [file.name for file in found.files] == ["0.md", "1.md", "2.md"]
    assert found.faults == (("3.md", "and all after it: 3 files are the most"),)
