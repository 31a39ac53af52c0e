"""Frozen classes of ours behave as those of the standard library."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any, ClassVar

import pytest

from theano.core import record

MAKERS = [record.dataclass, dataclasses.dataclass]


@record.dataclass(frozen=True, slots=True)
class Known:
    """A class that pickle can find."""

    a: int
    b: tuple[int, ...] = (1,)


def made(maker: Any, slots: bool) -> Any:
    @maker(frozen=True, slots=slots)
    class Place:
        """A place."""

        name: str
        at: float
        more: tuple[int, ...] = ()

        origin = 7

        @property
        def twice(self) -> float:
            return 2 * self.at

    return Place


@pytest.mark.parametrize("slots", [True, False])
def test_the_same_as_the_standard_library(slots: bool) -> None:
    seen = []
    for maker in MAKERS:
        kind = made(maker, slots)
        a, b, c = kind("x", 1.5), kind(name="x", at=1.5, more=()), kind("x", 2.5, (3,))
        with pytest.raises(dataclasses.FrozenInstanceError) as caught:
            a.name = "y"
        with pytest.raises(dataclasses.FrozenInstanceError):
            del a.name
        with pytest.raises(TypeError):
            kind("x")
        with pytest.raises(TypeError):
            kind("x", 1.0, (), 4)
        seen.append((
            repr(a), hash(a) == hash(b), hash(a), a == b, a != c, a == ("x", 1.5, ()), a.twice,
            {a, b, c} == {a, c}, str(caught.value), a.origin, kind.__match_args__, kind.__doc__,
            [(f.name, f.type) for f in dataclasses.fields(a)], dataclasses.asdict(c),
            repr(dataclasses.replace(a, at=9.0)), dataclasses.is_dataclass(a),
            copy.copy(c) == c, copy.deepcopy(c) == c, hasattr(a, "__dict__"), kind.__name__,
        ))  # fmt: skip
    assert seen[0] == seen[1]


def test_pickles() -> None:
    value = Known(3, (4, 5))
    assert pickle.loads(pickle.dumps(value)) == value


def test_a_single_field_and_identical_values() -> None:
    @record.dataclass(frozen=True, slots=True)
    class One:
        """One field."""

        x: Any

    nan = float("nan")
    assert One(nan) == One(nan)
    assert hash(One(3)) == hash((3,))
    assert repr(One("a")).endswith("One(x='a')")


@pytest.mark.parametrize("slots", [True, False])
def test_classes_that_can_change_and_defaults_that_are_made(slots: bool) -> None:
    seen = []
    for maker in MAKERS:

        @maker(slots=slots)
        class Store:
            """A store."""

            name: str
            items: list[int] = dataclasses.field(default_factory=list)
            secret: str = dataclasses.field(default="?", repr=False)

            def add(self, item: int) -> None:
                self.items.append(item)

        a, b, c = Store("x"), Store(name="x", items=[4]), Store("x", secret="!")
        a.add(4)
        a.name += "y"
        b.name = "xy"
        with pytest.raises(TypeError):
            hash(a)
        with pytest.raises(TypeError):
            Store()
        seen.append((
            repr(a), a == b, a != c, c.items, a.secret, c.secret, dataclasses.asdict(a),
            [(f.name, f.type, f.repr) for f in dataclasses.fields(a)], hasattr(a, "__dict__"),
            repr(dataclasses.replace(a, items=[])), copy.deepcopy(b) == b,
        ))  # fmt: skip
    assert seen[0] == seen[1]


def test_what_is_unusual_is_left_to_the_standard_library() -> None:
    @record.dataclass(frozen=True)
    class Unusual:
        """Everything else."""

        count: ClassVar[int] = 0
        x: int
        y: list[int] = dataclasses.field(default_factory=list, compare=False)

        def __post_init__(self) -> None:
            type(self).count += 1

    assert Unusual(1) == Unusual(1, [2])
    assert Unusual.count == 2


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("maker", MAKERS)
def test_objects_that_are_only_equal_to_themselves(maker: Any, frozen: bool) -> None:
    @maker(frozen=frozen, eq=False)
    class Row:
        """A row."""

        name: str

    one, other = Row("a"), Row("a")
    assert one == one
    assert one != other
    assert len({one, other, one}) == 2
    assert repr(one).endswith("Row(name='a')")


@pytest.mark.parametrize("maker", MAKERS)
def test_derived_classes(maker: Any) -> None:
    base = made(maker, slots=False)

    @dataclasses.dataclass(frozen=True)
    class Derived(base):  # type: ignore[misc]
        """A place with a colour."""

        colour: str = "red"

    found = Derived("a", 1.0)
    assert (found.name, found.more, found.colour) == ("a", (), "red")
    assert found == Derived("a", 1.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.colour = "blue"
    with pytest.raises(TypeError, match="non-frozen"):
        dataclasses.dataclass(type("Loose", (base,), {"__annotations__": {"b": int}}))
