"""What keeps posted messages of a run: as its file says it, the command line, or neither."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.cli.stores import StoreSpec, make_store, store_of
from actors.delivery import MemoryStore, RedisStore
from actors.delivery.errors import StoreInvalid
from actors.policy import Backoff, Delivery
from actors.posting import Posting
from tests.cli.cast import instance_of, team_of

OK = '[[agents]]\nname = "a"\ncommand = ["true"]\n'
ROLE = '[[roles]]\nname = "a"\ncommand = ["true"]\n'


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('store = "sqlite:shop.db"\n', "{folder}/shop.db"),
        ('store = "sqlite:///var/shop.db"\n', "/var/shop.db"),
        ('store = "sqlite:/var/shop.db"\n', "/var/shop.db"),
        ('store = { url = "sqlite:shop.db" }\n', "{folder}/shop.db"),
        ('store = "redis://127.0.0.1:6379/1"\n', "redis://127.0.0.1:6379/1"),
        ("", "{folder}/team.tickets.db"),
        ("store = false\n", "{folder}/team.tickets.db"),
    ],
)
def test_a_file_says_what_keeps_what_is_posted(tmp_path: Path, text: str, where: str) -> None:
    """Files count from its folder; without a word it is a file beside it."""
    assert store_of(team_of(tmp_path, text + OK), None).where == where.format(folder=tmp_path)


def test_the_keys_of_a_server_have_a_prefix(tmp_path: Path) -> None:
    """In a table."""
    team = team_of(tmp_path, f'{OK}[store]\nurl = "redis://x"\nprefix = "shop"\n')
    assert team.store == StoreSpec(url="redis://x", prefix="shop")
    assert isinstance(store_of(team, None), RedisStore)


def test_a_team_has_a_file_of_its_own_name(tmp_path: Path) -> None:
    """Two instances of one template do not share it."""
    assert store_of(instance_of(tmp_path, ROLE).team, None).where == str(tmp_path / "crew.tickets.db")
    assert store_of(instance_of(tmp_path, ROLE, "two").team, None).where == str(tmp_path / "two.tickets.db")
    said = instance_of(tmp_path, f'store = "memory"\n{ROLE}')
    assert isinstance(store_of(said.team, None), MemoryStore)


def test_the_command_line_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files count from the current folder."""
    team = team_of(tmp_path, f'store = "memory"\n{OK}')
    assert store_of(team, "sqlite:x.db").where == "x.db"
    assert isinstance(store_of(team_of(tmp_path, OK), "memory"), MemoryStore)
    with pytest.raises(ValueError, match=r'unknown store "x\.db": write "sqlite:FILE"'):
        store_of(team, "x.db")


def test_an_address_that_is_none_is_told_by_its_store(tmp_path: Path) -> None:
    """When the store is made, or opened."""
    with pytest.raises(StoreInvalid):
        make_store(StoreSpec(url="sqlite:a\0b"), tmp_path)


def test_a_file_bounds_what_is_posted(tmp_path: Path) -> None:
    """For all, and for each agent how it is delivered."""
    policy = "{ delivery = { cooldown = 0.5, at_once = 2, ordered = false, backoff = { initial = 1.0 } } }"
    team = team_of(
        tmp_path, f"{OK}policy = {policy}\n[posting]\ncapacity = 5\nhops = false\nkeep_unclaimed = false\n"
    )
    assert team.posting == Posting(capacity=5, hops=None, keep_unclaimed=None)
    spec = team.agents[0].spec.policy
    assert spec is not None
    assert spec.delivery == Delivery(cooldown=0.5, at_once=2, ordered=False, backoff=Backoff(initial=1.0))
    assert instance_of(tmp_path, f"{ROLE}[posting]\ncapacity = 5").team.posting.capacity == 5
