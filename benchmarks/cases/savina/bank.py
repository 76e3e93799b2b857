"""Savina's bank transaction: a teller moves money between 1,000 accounts, by a request inside a request.

The paying account waits for the answer of the other one, and takes nothing else meanwhile. Raw: a task each.
"""

from __future__ import annotations

import math
from collections import deque
from random import Random
from time import perf_counter

import trio

import actors
from benchmarks.case import RAW, Case, Side
from benchmarks.cases.common import Latch, both, check, open_bench

ACCOUNTS = 1_000
PAYING = 800
BALANCE = 1_000_000


def transfers(count: int) -> list[tuple[int, int, int]]:
    """(from, to, amount): the first 800 accounts pay, the others get, so that nobody waits in a circle."""
    pick = Random(count).randrange
    return [(pick(PAYING), pick(PAYING, ACCOUNTS), 1 + pick(10)) for _ in range(count)]


@actors.message
class Transfer:
    """Pay this to that account."""

    to: actors.Ref
    amount: int


@actors.message
class Begin:
    """Hand these out: who pays, and what."""

    orders: list[tuple[actors.Ref, Transfer]]


@actors.message
class Credit(actors.Request[int]):
    """Take this; answered with the new balance."""

    amount: int


@actors.message
class Balance(actors.Request[int]):
    """What is there?"""


@actors.message
class Credited:
    """The other account has it."""


class Teller(actors.Actor):
    """Hands all transfers out, and counts those that are done."""

    def __init__(self, done: Latch) -> None:
        self.done = done

    @actors.receive
    def begin(self, message: Begin) -> None:
        """All at once."""
        for account, transfer in message.orders:
            account.tell(transfer)

    @actors.receive
    def paid(self, message: int) -> None:
        """One is done."""
        self.done.down()


class AsyncTeller(Teller):
    """The same with `async` handlers."""

    @actors.receive
    async def begin(self, message: Begin) -> None:
        super().begin(message)

    @actors.receive
    async def paid(self, message: int) -> None:
        super().paid(message)


class AsyncAccount(actors.Actor):
    """Waits in its handler."""

    def __init__(self) -> None:
        self.balance = BALANCE

    @actors.receive
    async def transfer(self, message: Transfer) -> None:
        """Ask the other to take it, then tell the teller."""
        teller = self.ctx.sender
        assert teller is not None
        self.balance -= message.amount
        await message.to.ask(Credit(message.amount))
        teller.tell(message.amount)

    @actors.receive
    async def credit(self, message: Credit) -> int:
        """Take it."""
        self.balance += message.amount
        return self.balance

    @actors.receive
    async def tell_balance(self, message: Balance) -> int:
        """What is there."""
        return self.balance


class Account(actors.Actor):
    """Cannot wait in its handler: it puts aside what comes while it waits for an answer."""

    def __init__(self) -> None:
        self.balance = BALANCE
        self.teller: actors.Ref | None = None
        self.aside: deque[Transfer] = deque()
        self.amount = 0

    @actors.receive
    def transfer(self, message: Transfer) -> None:
        """Tell the other to take it, unless another transfer is under way."""
        self.teller = self.ctx.sender
        if self.amount:
            self.aside.append(message)
        else:
            self._pay(message)

    def _pay(self, message: Transfer) -> None:
        self.amount = message.amount
        self.balance -= message.amount
        message.to.tell(Credit(message.amount))

    @actors.receive
    def credit(self, message: Credit) -> None:
        """Take it, and say so."""
        assert self.ctx.sender is not None
        self.balance += message.amount
        self.ctx.sender.tell(Credited())

    @actors.receive
    def credited(self, message: Credited) -> None:
        """Tell the teller, and go on."""
        assert self.teller is not None
        self.teller.tell(self.amount)
        self.amount = 0
        if self.aside:
            self._pay(self.aside.popleft())

    @actors.receive
    def tell_balance(self, message: Balance) -> int:
        """What is there."""
        return self.balance


async def ours(kinds: tuple[type[Teller], type[actors.Actor]], count: int) -> float:
    """An actor each."""
    async with open_bench() as system:
        done = Latch(count)
        teller = await system.start(kinds[0], done)
        accounts = [await system.start(kinds[1]) for _ in range(ACCOUNTS)]
        orders = [(accounts[one], Transfer(accounts[to], amount)) for one, to, amount in transfers(count)]
        began = perf_counter()
        teller.tell(Begin(orders))
        await done.wait()
        took = perf_counter() - began
        check(sum([await account.ask(Balance()) for account in accounts]), ACCOUNTS * BALANCE)
        return took


Answer = trio.MemorySendChannel[int]
Letter = tuple[int, "trio.MemorySendChannel[Letter] | None", Answer]
"""The amount, who gets it (None: who reads this), and the channel for the answer."""


async def _account(number: int, receiver: trio.MemoryReceiveChannel[Letter], balances: list[int]) -> None:
    async for amount, to, answer in receiver:
        if to is None:
            balances[number] += amount
            await answer.send(balances[number])
        else:
            balances[number] -= amount
            credited, done = trio.open_memory_channel[int](1)
            await to.send((amount, None, credited))
            await done.receive()
            await answer.send(amount)


async def raw(count: int) -> float:
    """A task each; the channels hold any number, as our mailboxes do here."""
    balances = [BALANCE] * ACCOUNTS
    pairs = [trio.open_memory_channel[Letter](math.inf) for _ in range(ACCOUNTS)]
    orders = transfers(count)
    async with trio.open_nursery() as nursery:
        for number, (_, receiver) in enumerate(pairs):
            nursery.start_soon(_account, number, receiver, balances)
        paid, payments = trio.open_memory_channel[int](math.inf)
        began = perf_counter()
        for one, to, amount in orders:
            await pairs[one][0].send((amount, pairs[to][0], paid))
        for _ in range(count):
            await payments.receive()
        took = perf_counter() - began
        nursery.cancel_scope.cancel()
    check(sum(balances), ACCOUNTS * BALANCE)
    return took


CASES = [
    Case(
        name="savina-bank",
        title="Savina: bank transaction",
        question="How many transfers a second do 1,000 accounts make, each waiting for the other side?",
        unit="transfers/s",
        sides={**both(ours, (AsyncTeller, AsyncAccount), (Teller, Account)), RAW: Side(raw, 1024)},
    )
]
