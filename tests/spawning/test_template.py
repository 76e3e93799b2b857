"""Templates: what to spawn with which arguments, checked before anything is started (contract §7)."""

from __future__ import annotations

import abc
import functools
import inspect
import operator
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

import actors
import actors.core.recipe
from actors import InvalidTemplate, Policy, Template
from actors.process import Command
from actors.spawning.constructor import Constructor
from actors.spawning.template import definition_of
from tests.spawning.crew import Agent, Config, waiter


class Anything(actors.Actor):
    def __init__(self, first: int, /, second: int = 0, **rest: Any) -> None:
        self.config = (first, second, rest)

    @actors.receive
    def on_config(self, message: Config) -> Any:
        return self.config


class Bare(actors.Actor):
    """Takes no arguments."""


class Unfinished(actors.Actor, abc.ABC):
    @abc.abstractmethod
    def finish(self) -> None: ...


def _short(_: object, field: attrs.Attribute[str], value: str) -> None:
    if len(value) > 5:
        raise ValueError(f"{field.alias} is longer than 5")


def _below_ceiling(self: Any, _: object, value: int) -> None:
    if value > self.ceiling:
        raise ValueError("above the ceiling")


def _scaled(value: int, self: Any, field: attrs.Attribute[int]) -> int:
    return value * 2


@attrs.define(eq=False)
class Fields(actors.Actor):
    _label: str = attrs.field(validator=_short)
    count: int = attrs.field(default=1, converter=int)
    level: int = attrs.field(default=1, alias="height", validator=_below_ceiling)
    ceiling: int = 10
    twice: int = attrs.field(
        default=1,
        converter=attrs.Converter(_scaled, takes_self=True, takes_field=True),  # type: ignore[misc]
    )
    inner: list[int] = attrs.field(factory=list[int], init=False)


@attrs.define(eq=False)
class OwnInit(actors.Actor):
    count: int = attrs.field(validator=attrs.validators.ge(5))

    def __init__(self, count: str) -> None:
        self.__attrs_init__(len(count))  # type: ignore[attr-defined]


class Below(Fields):
    def __init__(self, count: str) -> None:
        super().__init__(count)


async def gather(ctx: actors.Context, *parts: int, sep: str = ",", **options: Any) -> str:
    return sep.join(map(str, parts))


async def exact(ctx: actors.Context, first: int, /, second: int, *, third: int = 0) -> Any:
    return first, second, third


# --- config -----------------------------------------------------------------------------


@pytest.mark.row(61)
async def test_the_config_reaches_the_constructor_by_parameter_name(autojump_clock: MockClock) -> None:
    template = Template(Agent, {"style": "terse", "topic": "birds"})
    async with actors.open_system("s") as system:
        assert await system.spawn(template).ask(Config()) == ("birds", 1, "terse")


@pytest.mark.row(61)
async def test_overrides_are_laid_over_the_config_of_the_template(autojump_clock: MockClock) -> None:
    template = Template(Agent, {"topic": "birds", "depth": 2})
    special = template.specialise(depth=3, style="long")
    async with actors.open_system("s") as system:
        assert await system.spawn(special).ask(Config()) == ("birds", 3, "long")
        assert await system.spawn(template).ask(Config()) == ("birds", 2, "plain")


def test_the_config_is_a_frozen_copy() -> None:
    given = {"topic": "birds"}
    template = Template(Agent, given)
    given["topic"] = "fish"
    assert template.config == {"topic": "birds"}
    with pytest.raises(TypeError):
        template.config["topic"] = "fish"  # type: ignore[index]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        template.name = "x"  # type: ignore[misc]


def test_the_values_in_a_config_are_shared_by_all_that_are_spawned_of_it() -> None:
    topics: list[str] = []
    assert Template(Agent, {"topic": topics}).specialise(depth=2).config["topic"] is topics


@pytest.mark.row(61)
@pytest.mark.parametrize(
    ("what", "key", "text"),
    [
        (Agent, "tpoic", "Agent does not know 'tpoic': it knows topic, depth, style"),
        (waiter, "minutes", "waiter does not know 'minutes': it knows seconds"),
        (functools.partial(Agent, "birds"), "topic", "Agent does not know 'topic': it knows depth, style"),
        (functools.partial(gather, 1, 2), "ctx", "gather does not know 'ctx': it takes any others"),
        (Fields, "_label", "Fields does not know '_label': it knows label, count, height, ceiling, twice"),
        (Fields, "inner", "Fields does not know 'inner'"),
        (OwnInit, "label", "OwnInit does not know 'label': it knows count"),
        (Bare, "topic", "Bare does not know 'topic': it takes none"),
        (exact, "first", "exact does not know 'first': it knows second, third"),
        (Command(["echo"]), "cwd", "Command does not know 'cwd': it takes none"),
        (Template(Agent, name="scout"), "tpoic", "scout does not know 'tpoic'"),
        (Template(Agent), "tpoic", "Agent does not know 'tpoic'"),
    ],
)
def test_a_key_that_the_constructor_does_not_know_is_named_at_once_with_the_known_ones(
    what: Any, key: str, text: str
) -> None:
    for make in (lambda: Template(what, {key: 1}), lambda: Template(what).specialise(**{key: 1})):
        with pytest.raises(InvalidTemplate) as caught:
            make()
        assert text in str(caught.value)


def test_all_unknown_keys_are_named_together() -> None:
    with pytest.raises(InvalidTemplate, match="does not know 'a', 'b', 3: it knows"):
        Template(Agent, {"a": 1, "topic": 2, "b": 3, 3: 4})  # type: ignore[dict-item]


def test_an_invalid_template_is_a_value_error_and_a_type_error() -> None:
    for kind in (ValueError, TypeError, actors.ActorError):
        with pytest.raises(kind):
            Template(Agent, {"nope": 1})


def test_with_keywords_of_its_own_a_constructor_takes_any_name_but_those_that_are_given() -> None:
    assert Template(Anything, {"anything": 1, "second": 2}).config["anything"] == 1
    assert Template(Anything, {"first": 1}).config["first"] == 1  # it goes into the keywords
    with pytest.raises(InvalidTemplate, match="does not know 'second'"):
        Template(functools.partial(Anything, 1, 2), {"second": 3})


def test_names_behind_any_number_of_places_stay_known() -> None:
    assert Template(functools.partial(gather, 1, 2, 3), {"sep": "-"}).config["sep"] == "-"


@pytest.mark.parametrize("config", [None, ["topic"], "topic", 3])
def test_a_config_that_is_no_mapping_is_refused(config: Any) -> None:
    with pytest.raises(InvalidTemplate, match="config must be a mapping of parameter names"):
        Template(Agent, config)


@pytest.mark.row(61)
@pytest.mark.parametrize(
    ("what", "text"),
    [
        (Unfinished, "Unfinished is abstract: implement finish"),
        (Bare.__new__(Bare), "is an instance"),
        (dict, "dict is not an Actor class"),
        (3, "3 cannot be an actor"),
        (len, "is not an async function"),
        (None, "None cannot be an actor"),
        (functools.partial(len), "is not an async function"),
    ],
)
def test_what_cannot_be_an_actor_is_refused_at_once(what: Any, text: str) -> None:
    with pytest.raises(InvalidTemplate, match=text):
        Template(what)


def test_a_coroutine_that_was_called_already_is_refused_and_closed() -> None:
    with pytest.raises(InvalidTemplate, match="was called already"):
        Template(waiter(None))  # type: ignore[arg-type]


@pytest.mark.parametrize("policy", ["worker", {}, Policy])
def test_a_policy_that_is_none_is_refused(policy: Any) -> None:
    with pytest.raises(InvalidTemplate, match="policy must be a Policy"):
        Template(Agent, policy=policy)


@pytest.mark.parametrize("name", ["", "a b", "/a", 3, "x" * 129])
def test_a_name_that_cannot_be_one_is_refused(name: Any) -> None:
    with pytest.raises(actors.InvalidName):
        Template(Agent, name=name)


def test_a_callable_that_does_not_tell_its_parameters_takes_what_it_is_given() -> None:
    class Mute:
        def __actor_recipe__(self) -> Any:
            return attrs.evolve(Command(["echo"]).__actor_recipe__(), call=_without_signature, bind=None)

    assert Template(Mute(), {"anything": 1}).title.endswith(".Mute")


class _Mute:
    __signature__ = "none"

    def __call__(self, *args: Any) -> Any: ...


_without_signature = _Mute()


# --- attrs classes ----------------------------------------------------------------------


@pytest.mark.row(61)
@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"label": "too long"}, "Fields refuses label='too long': _label|Fields refuses label='too long'"),
        ({"label": 3}, "Fields refuses label=3: object of type 'int' has no len"),
        ({"count": "many"}, "Fields refuses count='many': invalid literal"),
        ({"height": 9, "ceiling": 8}, "Fields refuses height=9: above the ceiling"),
        ({"twice": None}, "Fields refuses twice=None: unsupported operand"),
    ],
)
def test_a_value_that_an_attrs_class_refuses_is_refused_at_once(config: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidTemplate, match=text):
        Template(Fields, config)


def test_a_validator_that_looks_at_other_fields_is_left_to_the_start() -> None:
    template = Template(Fields, {"label": "a", "height": 11})
    with pytest.raises(ValueError, match="above the ceiling"):
        Fields(**template.config)


@attrs.define(eq=False)
class Converting(actors.Actor):
    most: int = attrs.field(default=10, converter=int)
    _size: int = attrs.field(default=1, validator=attrs.validators.instance_of(int))
    twice: int = attrs.field(default=2)

    @_size.validator
    def _fits(self, _: object, size: int) -> None:
        if size > self.most:
            raise ValueError("too large")

    @twice.validator
    def _doubles(self, _: object, twice: int) -> None:
        if twice != 2 * self._size:
            raise ValueError("not twice the size")


def test_validators_see_other_fields_under_their_own_names_and_converted() -> None:
    """As in the constructor itself, whatever their order."""
    assert Template(Converting, {"twice": 6, "size": 3, "most": "4"}).config["most"] == "4"
    with pytest.raises(InvalidTemplate, match="refuses size=5: too large"):
        Template(Converting, {"size": 5, "most": "4"})
    with pytest.raises(InvalidTemplate, match="refuses twice=5: not twice the size"):
        Template(Converting, {"size": 3, "twice": 5})


def test_what_a_validator_of_attrs_says_comes_without_its_objects() -> None:
    with pytest.raises(InvalidTemplate) as caught:
        Template(Converting, {"size": "3"})
    assert str(caught.value).endswith(
        "refuses size='3': '_size' must be <class 'int'> (got '3' that is a <class 'str'>)."
    )


def test_values_that_an_attrs_class_accepts_are_kept_as_they_were_given() -> None:
    assert Template(Fields, {"label": "a", "count": "3", "twice": 4}).config["count"] == "3"


def test_an_init_of_ones_own_is_not_judged_by_the_fields() -> None:
    assert Template(OwnInit, {"count": "abcdef"}).config["count"] == "abcdef"
    assert Template(Below, {"count": "abc"}).config["count"] == "abc"


# --- name and policy --------------------------------------------------------------------


class Boss(actors.Supervisor):
    def __init__(self, template: Template) -> None:
        self.template = template

    async def on_start(self) -> None:
        self.child = self.spawn(self.template)


POLICY = Policy(restart="temporary", shutdown=2.0)


async def test_a_child_spawned_without_name_and_policy_has_those_of_the_template(
    autojump_clock: MockClock,
) -> None:
    template = Template(Agent, name="scout", policy=POLICY)
    async with actors.open_system("s") as system:
        first = system.spawn(template)
        second = await system.start(template, name="other", policy=Policy(shutdown=3.0))
        boss = await system.start(Boss, template, name="boss")
        assert (first.path, first.cell.policy) == ("/scout", POLICY)
        assert (second.path, second.cell.policy.shutdown) == ("/other", 3.0)
        assert system.find("/boss/scout") is not None
        assert boss.cell.policy == Policy()
        with pytest.raises(actors.NameTaken):
            system.spawn(template)
        assert system.spawn(Template(Agent)).name is None


@pytest.mark.parametrize("name", ["system", "jobs"])
async def test_a_reserved_name_is_refused_below_the_root_alone(autojump_clock: MockClock, name: str) -> None:
    template = Template(Agent, name=name)
    async with actors.open_system("s") as system:
        with pytest.raises(actors.NameReserved):
            system.spawn(template)
        boss = await system.start(Boss, template, name="boss")
        assert system.find(f"{boss.path}/{name}") is not None


async def test_required_arguments_may_be_left_to_a_later_specialisation(autojump_clock: MockClock) -> None:
    template = Template(exact, {"third": 3})
    async with actors.open_system("s") as system:
        with pytest.raises(TypeError, match="exact cannot be started with these arguments: missing"):
            system.spawn(template)
        ref = system.spawn(template, 1, 2)
        assert (await ref.wait_stopped()).value == (1, 2, 3)


# --- templates of templates -------------------------------------------------------------


async def test_of_templates_in_templates_and_partials_later_names_win(autojump_clock: MockClock) -> None:
    inner = Template(functools.partial(Agent, topic="a", depth=1, style="x"), {"depth": 2, "style": "y"})
    outer = Template(Template(inner, {"style": "z"}), name="outer")
    async with actors.open_system("s") as system:
        assert await system.spawn(inner).ask(Config()) == ("a", 2, "y")
        ref = system.spawn(outer)
        assert await ref.ask(Config()) == ("a", 2, "z")
        assert ref.name == "outer"


async def test_a_template_in_a_template_gives_name_and_policy_where_the_outer_has_none(
    autojump_clock: MockClock,
) -> None:
    inner = Template(Agent, name="inner", policy=POLICY)
    async with actors.open_system("s") as system:
        ref = system.spawn(Template(inner))
        assert (ref.name, ref.cell.policy) == ("inner", POLICY)
        assert system.spawn(Template(inner, name="outer")).name == "outer"


@pytest.mark.parametrize(
    ("template", "title", "stem"),
    [
        (Template(Agent), "Agent", None),
        (Template(Agent, name="scout"), "scout", "scout"),
        (Template(Template(Agent, name="scout")), "scout", "scout"),
        (Template(waiter), "waiter", None),
        (Template(Command(["echo"])), "Command", None),
    ],
)
def test_a_template_is_called_by_its_name_or_by_what_it_is_of(
    template: Template, title: str, stem: str | None
) -> None:
    assert (template.title, template.stem) == (title, stem)


# --- equality ---------------------------------------------------------------------------


class Odd:
    """As an array: comparing says neither yes nor no."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("ambiguous")

    __hash__ = None  # type: ignore[assignment]


class Holder:
    async def run(self, ctx: actors.Context) -> None: ...


HOLDER = Holder()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Template(Agent),
        lambda: Template(Agent, {"topic": "a"}, "n", POLICY),
        lambda: Template(functools.partial(Agent, "a", style="b")),
        lambda: Template(functools.partial(functools.partial(Agent, "a"), depth=3)),
        lambda: Template(functools.partial(Agent, ["a"], style={"b"})),
        lambda: Template(Template(Agent, {"topic": [1]})),
        lambda: Template(HOLDER.run),
        lambda: Template(Command(["echo"], env={"A": "b"})),
        lambda: Template(Agent, {"topic": "a"}).specialise(topic="b"),
    ],
)
def test_templates_made_alike_are_equal_and_have_one_hash(make: Callable[[], Template]) -> None:
    assert make() == make()
    assert hash(make()) == hash(make())
    assert make() in {make()}


@pytest.mark.parametrize(
    "make",
    [
        lambda n: Template(Agent, {"depth": n}),
        lambda n: Template(functools.partial(Agent, "a", n)),
        lambda n: Template(functools.partial(Agent, "a", depth=n)),
    ],
)
def test_templates_that_differ_in_a_value_alone_are_told_apart_by_their_hash(
    make: Callable[[int], Template],
) -> None:
    """Else each question about one of many would look at all of them."""
    assert len({hash(make(n)) for n in range(1000)}) == 1000


@pytest.mark.parametrize(
    ("one", "other"), [(frozenset("a"), {"a"}), (b"a", bytearray(b"a")), (1, 1.0), (True, 1)]
)
def test_equal_values_of_other_types_make_equal_templates_with_one_hash(one: Any, other: Any) -> None:
    template, same = Template(Agent, {"topic": one}), Template(Agent, {"topic": other})
    assert template == same
    assert hash(template) == hash(same)


def test_what_has_no_hash_can_be_in_a_template_all_the_same() -> None:
    @attrs.define
    class Made:
        topics: list[str]

        def __actor_recipe__(self) -> Any:
            return Command(["echo"]).__actor_recipe__()

    assert Template(Made(["a"])) in {Template(Made(["a"])): 1}
    assert Template(Made(["a"])) not in {Template(Made(["b"])): 1}


def test_templates_that_spawn_something_else_differ() -> None:
    different = [
        Template(Agent),
        Template(Bare),
        Template(Agent, {"topic": "a"}),
        Template(Agent, name="n"),
        Template(Agent, policy=POLICY),
        Template(functools.partial(Agent, "a")),
        Template(functools.partial(Agent, "b")),
        Template(functools.partial(Agent, topic="a")),
        Template(Template(Agent)),
        Template(Agent, {"topic": Odd()}),
        Template(Agent, {"topic": Odd()}),
    ]
    for one in different:
        assert [one == other for other in different].count(True) == 1
    assert operator.eq(Template(Agent), Agent) is False


def test_values_that_cannot_be_compared_are_equal_to_themselves() -> None:
    odd = Odd()
    assert Template(Agent, {"topic": odd}) == Template(Agent, {"topic": odd})


def test_what_a_template_says_of_itself_is_how_to_write_it() -> None:
    assert repr(Template(waiter, {"seconds": 2.0}, name="w")) == (
        f"Template(what={waiter!r}, config={{'seconds': 2.0}}, name='w', policy=None)"
    )


def test_a_specialised_template_knows_what_it_was_specialised_from_first() -> None:
    root = Template(Agent, name="n")
    special = root.specialise(topic="a").specialise(depth=2)
    assert special.root is special.base is root
    assert root.root is root
    assert root.base is None
    assert special == Template(Agent, {"topic": "a", "depth": 2}, "n")
    assert special.name == "n"


@pytest.mark.parametrize("overrides", [None, ["topic"], "topic"])
def test_overrides_that_are_no_mapping_are_refused(overrides: Any) -> None:
    with pytest.raises(InvalidTemplate, match="overrides must be a mapping"):
        Template(Agent).overlaid(overrides)


# --- the definition of an actor that lives ----------------------------------------------


async def places(ctx: actors.Context, a: int, b: int = 10, *, c: int = 20) -> Any:
    await trio.sleep(1)
    return a, b, c


async def only_places(ctx: actors.Context, a: int, /, b: int = 10, *, c: int = 20) -> Any:
    await trio.sleep(1)
    return a, b, c


async def many(ctx: actors.Context, a: int, *rest: int, c: int = 20, **more: int) -> Any:
    await trio.sleep(1)
    return a, rest, c, more


ways = st.fixed_dictionaries(
    {
        "what": st.sampled_from([places, only_places, many]),
        "args": st.lists(st.integers(0, 9), min_size=1, max_size=2),
        "in_partial": st.integers(0, 2),
        "c": st.none() | st.integers(0, 9),
        "c_in": st.sampled_from(["partial", "template", "both"]),
        "modification": st.none() | st.integers(0, 9),
    }
)


def _wrapped(way: dict[str, Any]) -> tuple[Any, list[int]]:
    """Something to spawn with the arguments of `way`, and those that are left for the spawn."""
    n = min(way["in_partial"], len(way["args"]))
    named = {} if way["c"] is None else {"c": way["c"]}
    what: Any = way["what"]
    if n or (named and way["c_in"] != "template"):
        inner = {"c": 99} if named and way["c_in"] == "both" else named
        what = functools.partial(what, *way["args"][:n], **inner)
    if named and way["c_in"] != "partial":
        what = Template(what, named)
    return what, way["args"][n:]


@pytest.mark.row(61)
@given(ways)
async def test_the_definition_of_a_living_actor_makes_another_like_it(way: dict[str, Any]) -> None:
    async with actors.open_system("s") as system:
        what, args = _wrapped(way)
        original = system.spawn(what, *args, policy=Policy(shutdown=0.0))
        definition = definition_of(original.cell)
        if way["modification"] is not None:
            definition = definition.specialise(c=way["modification"])
        twin = system.spawn(definition)
        assert twin.cell.policy == original.cell.policy
        assert definition == (
            definition_of(original.cell).overlaid(
                {} if way["modification"] is None else {"c": way["modification"]}
            )
        )
        got = [_arguments(ref) for ref in (original, twin)]
        if way["modification"] is not None:
            got[0] = (got[0][0], {**got[0][1], "c": way["modification"]})
        bound = [_bound(way["what"], *one) for one in got]
        assert bound[0] == bound[1]


def _arguments(ref: actors.Ref) -> tuple[tuple[Any, ...], dict[str, Any]]:
    cell = ref.cell
    return (*cell.recipe.given, *cell.args), dict(cell.recipe.keywords)


def _bound(what: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    bound = inspect.signature(what).bind(None, *args, **keywords)
    bound.apply_defaults()
    return bound.arguments


async def test_arguments_by_place_become_arguments_by_name_where_they_can(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = system.spawn(Agent, "birds", 3)
        assert definition_of(ref.cell) == Template(Agent, {"topic": "birds", "depth": 3}, policy=Policy())
        bare = system.spawn(Bare)
        assert definition_of(bare.cell) == Template(Bare, policy=Policy())
        method = system.spawn(HOLDER.run)
        assert definition_of(method.cell) == Template(HOLDER.run, policy=Policy())


async def test_what_says_itself_how_it_is_made_is_made_so_again(autojump_clock: MockClock) -> None:
    class Maker:
        def __actor_recipe__(self) -> Any:
            recipe = actors.core.recipe.recipe_of(Agent)
            return actors.core.recipe.with_arguments(recipe, ("made",), {})

    class Special:
        def __actor_recipe__(self) -> Any:
            recipe = actors.core.recipe.recipe_of(Agent)
            return attrs.evolve(recipe, call=lambda self: recipe.call(self, "special"), bind=None)

    async with actors.open_system("s") as system:
        twin = system.spawn(definition_of(system.spawn(Maker()).cell).specialise(depth=5))
        assert await twin.ask(Config()) == ("made", 5, "plain")
        original = system.spawn(Special())
        definition = definition_of(original.cell)
        assert definition == definition_of(original.cell)
        assert await system.spawn(definition).ask(Config()) == ("special", 1, "plain")


def test_a_constructor_without_a_signature_is_not_known() -> None:
    recipe = attrs.evolve(Command(["echo"]).__actor_recipe__(), call=_without_signature)
    assert Constructor.of(recipe) is None
