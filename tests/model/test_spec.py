"""The base of all specs: every fault at once, with its path, in labvirt's words."""

from __future__ import annotations

import pickle
from typing import Annotated, Literal

import pytest
from pydantic import Field, SecretStr

from labvirt.errors import SpecError
from labvirt.model.spec import Spec, did_you_mean
from labvirt.model.units import Size


class Apple(Spec):
    kind: Literal["apple-kind"] = "apple-kind"
    size: Size = Field(gt=0)
    seeds: int = Field(5, ge=0, le=9)


class Pear(Spec):
    kind: Literal["pear-kind"] = "pear-kind"
    colour: Literal["green", "yellow"] = "green"


class Basket(Spec):
    name: str = Field(max_length=10, min_length=2)
    fruit: Annotated[Apple | Pear, Field(discriminator="kind")] | None = None
    more: tuple[Apple, ...] = ()
    secret: SecretStr | None = None
    password: Annotated[str, Field(max_length=3)] | None = None
    code: Annotated[str, Field(pattern="^[a-z]+$")] = "a"


def problems(**fields):
    with pytest.raises(SpecError) as caught:
        Basket(**fields)
    assert caught.value.exit_code == 2
    return {problem.field: problem for problem in caught.value.problems}


def test_every_problem_is_told_at_once_with_its_path():
    found = problems(
        name="x" * 99,
        fruit={"kind": "apple-kind", "size": "12 parsecs", "seeds": 10, "sise": 1},
        more=[{"size": "1 KiB"}, {"size": "-1"}, {}],
        nmae="x",
    )
    assert set(found) == {
        "name",
        "fruit.size",
        "fruit.seeds",
        "fruit.sise",
        "more[1].size",
        "more[2].size",
        "nmae",
    }
    assert "unknown unit 'parsecs'" in found["fruit.size"].why
    assert found["fruit.seeds"].why == "must be at most 9"
    assert found["name"].hint == "at most 10"
    assert found["more[2].size"].why == "is missing"
    assert "did you mean 'size'" in found["fruit.sise"].hint
    assert "did you mean 'name'" in found["nmae"].hint
    assert len(found["name"].value) <= 60


def test_problems_of_a_nested_spec_that_was_made_before_have_its_own_path():
    with pytest.raises(SpecError) as caught:
        Basket(name="ab", fruit=Apple(size="1"))
    assert caught.value.field == "size"


@pytest.mark.parametrize(
    ("fruit", "field", "word"),
    [
        ({"kind": "aple-kind", "size": "1 KiB"}, "fruit", "did you mean 'apple-kind'"),
        ({"size": "1 KiB"}, "fruit", "add kind="),
        ({"kind": "pear-kind", "colour": "grene"}, "fruit.colour", "did you mean 'green'"),
        ({"kind": "pear-kind", "size": 1}, "fruit.size", "allowed: kind, colour"),
        ("apple", "fruit", ""),
        (7, "fruit", ""),
    ],
)
def test_unions_are_explained(fruit, field, word):
    assert word in problems(name="ab", fruit=fruit)[field].hint


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (256, "256 of what?"),
        ("256", "256 of what?"),
        (0, "0 of what?"),
        ("0 b", "must be more than 0"),
        (None, "is neither a size nor text"),
        (1.5, "1.5 of what?"),
        ("9 EiB", "larger than libvirt can count"),
    ],
)
def test_sizes_that_are_none_are_explained(value, why):
    with pytest.raises(SpecError) as caught:
        Apple(size=value)
    assert caught.value.problems[0].field == "size"
    assert caught.value.problems[0].why == why


def test_values_of_secrets_are_never_shown():
    found = problems(name="ab", password="hunter2", secret=["hunter2"])
    assert found["password"].value == "***"
    assert "hunter2" not in "".join(str(problem) for problem in found.values())


def test_a_pattern_is_told():
    assert "must match ^[a-z]+$" in problems(name="ab", code="A")["code"].hint


@pytest.mark.parametrize("wrong", [None, [], "text", 5, {"name": 5}])
def test_other_input_than_a_mapping_is_one_error_too(wrong):
    with pytest.raises(SpecError):
        Basket.model_validate(wrong)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "a"}', "null", "\0"])
def test_json_that_is_none_is_one_error_too(text):
    with pytest.raises(SpecError):
        Basket.model_validate_json(text)


def test_a_spec_cannot_be_changed_but_replaced():
    apple = Apple(size="1 KiB")
    with pytest.raises(SpecError, match=r"replace\(size=...\)"):
        apple.size = Size(5)
    bigger = apple.replace(size="2 KiB")
    assert (apple.size, bigger.size) == (1024, 2048)
    with pytest.raises(SpecError, match="did you mean 'seeds'"):
        apple.replace(seed=1)
    with pytest.raises(SpecError, match="of what"):
        apple.replace(size=1)


def test_json_has_what_was_given_and_gives_the_same_spec():
    basket = Basket(name="ab", fruit=Apple(size="1536 MiB"))
    assert basket.to_json() == '{"name":"ab","fruit":{"kind":"apple-kind","size":"1536 MiB"}}'
    assert Basket.model_validate_json(basket.to_json()) == basket


def test_specs_are_equal_by_value_hashable_and_can_be_pickled():
    one, other = Apple(size="1 KiB"), Apple(size="1024 b")
    assert one == other
    assert len({one, other}) == 1
    assert pickle.loads(pickle.dumps(one)) == one


def test_a_hint_lists_some_words_and_the_nearest_first():
    assert (
        did_you_mean("virtoi", ["virtio", "scsi"]) == "did you mean 'virtio'? allowed: virtio, scsi"
    )
    assert did_you_mean("VNC", ["vnc", "spice"]).startswith("did you mean 'vnc'?")
    assert did_you_mean("x", [str(n) for n in range(50)], limit=3) == "allowed: 0, 1, 2, ..."
    assert did_you_mean("x", []) == ""
