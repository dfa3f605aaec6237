"""Prompts in memory: the size is kept, the least recently used go first, personal ones go by themselves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ivr.prompt_cache.memory import PromptMemory


def filled(limit: int, **sizes: int) -> PromptMemory[str, object]:
    memory: PromptMemory[str, object] = PromptMemory(limit, personal_s=60.0)
    for name, size in sizes.items():
        add(memory, name, size)
    return memory


def add(memory: PromptMemory[str, object], name: str, size: int, *, personal: bool = False) -> object:
    value = object()
    memory.put(name, value, personal=personal, now=0.0)
    memory.weigh(name, value, size)
    return value


def test_the_least_recently_used_goes_first() -> None:
    memory = filled(30, a=10, b=10, c=10)
    assert memory.get("a", 1.0) is not None
    add(memory, "d", 10)
    assert [name for name in "abcd" if memory.get(name, 2.0)] == ["a", "c", "d"]
    assert (memory.bytes, memory.evicted) == (30, 1)


def test_what_still_grows_is_never_spared() -> None:
    memory = filled(10)
    memory.put("growing", object(), personal=False, now=0.0)
    add(memory, "a", 8)
    add(memory, "b", 8)
    assert memory.get("growing", 1.0) is not None
    assert memory.get("a", 1.0) is None


def test_one_that_is_larger_than_all_of_it_is_not_kept() -> None:
    memory = filled(10)
    add(memory, "large", 11)
    assert memory.get("large", 0.0) is None
    assert (memory.bytes, len(memory)) == (0, 0)


def test_a_value_that_was_replaced_meanwhile_does_not_count() -> None:
    memory = filled(100)
    old, new = object(), object()
    memory.put("a", old, personal=False, now=0.0)
    memory.put("a", new, personal=False, now=0.0)
    memory.weigh("a", old, 50)
    memory.drop("a", old)
    assert (memory.get("a", 0.0), memory.bytes) == (new, 0)


def test_personal_values_go_after_their_time_and_others_stay() -> None:
    memory = filled(100, static=10)
    add(memory, "name", 10, personal=True)
    memory.expire(59.9)
    assert memory.holds_personal
    memory.get("name", 59.9)
    memory.expire(119.8)
    assert memory.holds_personal, "it was used meanwhile"
    memory.expire(119.9)
    assert not memory.holds_personal
    assert memory.get("static", 120.0) is not None
    assert (memory.bytes, memory.evicted) == (10, 0)


def test_personal_values_are_forgotten_on_demand() -> None:
    memory = filled(100, static=10)
    add(memory, "name", 10, personal=True)
    memory.forget_personal()
    assert memory.get("name", 0.0) is None
    assert memory.bytes == 10


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.integers(0, 40), st.booleans(), st.booleans()), max_size=40
    )
)
def test_the_books_are_right_whatever_comes(steps: list[tuple[str, int, bool, bool]]) -> None:
    memory: PromptMemory[str, tuple[int, int]] = PromptMemory(60, personal_s=5.0)
    for number, (name, size, personal, drop) in enumerate(steps):
        value = (number, size)
        memory.put(name, value, personal=personal, now=float(number))
        if drop:
            memory.drop(name)
        else:
            memory.weigh(name, value, size)
        memory.expire(float(number))
        held = [value for value in (memory.get(each, float(number)) for each in "abcdef") if value]
        assert memory.bytes == sum(size for _, size in held) <= 60
        assert len(memory) == len(held)
