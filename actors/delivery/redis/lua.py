"""The part of the Redis scripts that all of them share: how a ticket is kept, found, moved and told of. Pure.

Every state change of the Redis engine is one script, so it happens whole or not at all, one after another.
What may happen is not written here: `TABLE` is made from `ticket.MOVES` and `shelf.OUTCOMES`.

Keys, all behind the prefix; {inc} is the incarnation of a node:

    t:{id}          hash    a ticket
    ask:{id}        set     incarnations that are told of its changes
    q:{prio}:{path} stream  the live tickets of a recipient, by place; one consumer group, `owner`
    lines:{path}    zset    the priorities of which there is such a stream
    work:{path}     hash    tickets that somebody has in hand -> the incarnation that has
    k:{path}        hash    key -> ticket
    of:{path}       zset    all tickets of a recipient by place
    in:{state}      zset    all tickets in a state by place
    old:{state}     zset    ended tickets that nobody works on, by when they ended
    due             zset    live tickets by when they time out
    live            hash    path -> how many live tickets
    s:{path}        string  a saved state, behind its checksum
    states          zset    the paths of saved states, by themselves
    h:{id}          hash    a ticket of another node that was handled here; all by time in `handled`
    feed            stream  the changes; their numbers are its ids
    dir:{path}      hash    who owns a name
    want:{path}     set     incarnations that were refused the name, and hear of it
    lease:{inc}     string  the epoch of a node's lease; it lapses by itself
    names:{inc}     set     the names that it has claimed; all incarnations in `nodes`
    node:{node}     string  the newest incarnation of a node
    wake:{inc}      stream  signals to a node
    said:{inc}      hash    what came of its latest writes, for one that did not hear it
    seq, number, token, epoch      counters; `meta` has the version

A place in a stream is `{seq}-0`: entries come out in the order of receipts, also to a new owner, for whom the
group begins at the front again. It is the lease that decides who that is, and never how long an entry has
been idle: a slow owner that lives is not robbed.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from actors.delivery.shelf import CHANGES_KEPT, OUTCOMES
from actors.delivery.ticket import LIVE, MOVES, TicketState

__all__ = ["COMMON", "SIGNALS_KEPT", "TABLE"]

SIGNALS_KEPT: Final = 5000
"""Signals to one node that are kept while it does not read them."""


def _flag(value: bool) -> str:
    return "1" if value else "0"


def _states(states: Collection[TicketState]) -> str:
    return "{" + ",".join(sorted(f"{state.value}=true" for state in states)) + "}"


def _table() -> str:
    moves = ",".join(
        f'["{state.value} {_flag(working)} {what.value}"]={{"{to.value}",{str(then).lower()}}}'
        for (state, working, what), (to, then) in MOVES.items()
    )
    outcomes = ",".join(f'["{what.value}"]={_states(states)}' for what, states in OUTCOMES.items())
    return f"local MOVES={{{moves}}}\nlocal OUTCOMES={{{outcomes}}}\nlocal LIVE={_states(LIVE)}\n"


TABLE: Final = _table()
"""The table of tickets, in Lua."""

COMMON: Final = (
    TABLE
    + f"local SIGNALS_KEPT, CHANGES_KEPT = {SIGNALS_KEPT}, {CHANGES_KEPT}\n"
    + r"""
local call = redis.call
local P, ME = ARGV[1], ARGV[2]
local GROUP = 'owner'

-- arguments come one after another; an optional one is '', or '+' and the text
local cursor = 2
local function arg() cursor = cursor + 1; return ARGV[cursor] end
local function opt() local v = arg(); if v == '' then return nil end; return string.sub(v, 2) end
local function int(n) return string.format('%.0f', n) end
local function key(kind, name) return P .. ':' .. kind .. ':' .. name end
local function has(name) return call('EXISTS', name) == 1 end

-- signals ---------------------------------------------------------------------

local function wake(inc, ...)
  local stream = key('wake', inc)
  local newest = call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  if not newest then return false end  -- it has gone, or looks at everything anyway
  local number = tonumber(string.match(newest[1], '^%d+')) + 1
  call('XADD', stream, 'MAXLEN', '~', SIGNALS_KEPT, int(number) .. '-0', ...)
  return true
end

local function wake_all(set, told, ...)
  for _, inc in ipairs(call('SMEMBERS', set)) do
    if not told[inc] then
      told[inc] = true
      if not wake(inc, ...) then call('SREM', set, inc) end
    end
  end
end

local function arrived(path, priority)
  local told = {}
  local inc = call('HGET', key('dir', path), 'inc')
  if inc then told[inc] = true; wake(inc, 'arrived', path, 'priority', priority) end
  wake_all(key('want', path), told, 'arrived', path, 'priority', priority)
end

local function changed(t)
  local told = {[ME] = true}
  local inc = call('GET', key('node', t.node))
  if inc and not told[inc] then told[inc] = true; wake(inc, 'changed', t.id, 'state', t.state) end
  if t.asked then wake_all(key('ask', t.id), told, 'changed', t.id, 'state', t.state) end
end

-- owners ----------------------------------------------------------------------

local function owner(path)
  local v = call('HMGET', key('dir', path), 'node', 'inc', 'token', 'epoch')
  if not v[1] or call('GET', key('lease', v[2])) ~= v[4] then return nil end
  return {node = v[1], inc = v[2], token = v[3]}
end

local function owns(path, token)
  local one = owner(path)
  return one ~= nil and one.token == token
end

-- tickets ---------------------------------------------------------------------

local HEAD = {'path', 'state', 'attempts', 'max', 'working', 'priority', 'seq', 'node', 'due', 'asked', 'key'}

local function load(id)  -- what moves, without the payload
  local v = call('HMGET', key('t', id), unpack(HEAD))
  if not v[1] then return nil end
  local t = {id = id}
  for i, name in ipairs(HEAD) do t[name] = v[i] or nil end
  t.attempts, t.max, t.working = tonumber(t.attempts), tonumber(t.max), t.working == '1'
  return t
end

local function whole(id) return call('HGETALL', key('t', id)) end

local function line(t) return key('q', t.priority .. ':' .. t.path) end

local function feed(t, when)
  local number = int(call('INCR', P .. ':number'))
  call('XADD', P .. ':feed', 'MAXLEN', '~', CHANGES_KEPT, number .. '-0',
    'i', t.id, 'p', t.path, 's', t.state, 'n', int(t.attempts), 't', when)
end

local function enter(t)  -- into its line
  local q = line(t)
  if call('ZADD', key('lines', t.path), t.priority, t.priority) == 1 then
    call('XGROUP', 'CREATE', q, GROUP, '0', 'MKSTREAM')
  end
  call('XADD', q, t.seq .. '-0', 't', t.id)
  call('HINCRBY', P .. ':live', t.path, 1)
  if t.due then call('ZADD', P .. ':due', t.due, t.id) end
end

local function leave(t)  -- acknowledged, and gone from its line
  local q = line(t)
  call('XACK', q, GROUP, t.seq .. '-0')
  call('XDEL', q, t.seq .. '-0')
  if call('XLEN', q) == 0 then
    call('DEL', q)
    call('ZREM', key('lines', t.path), t.priority)
  end
  if call('HINCRBY', P .. ':live', t.path, -1) <= 0 then call('HDEL', P .. ':live', t.path) end
  if t.due then call('ZREM', P .. ':due', t.id) end
end

local function put(t)  -- a new one; the fields that are kept, as text
  t.seq, t.state, t.attempts, t.changed = int(call('INCR', P .. ':seq')), 'pending', 0, t.posted
  local fields = {'attempts', '0', 'working', '0'}
  for _, name in ipairs({'path', 'payload', 'sum', 'posted', 'priority', 'key', 'reply', 'max', 'sender',
      'node', 'hops', 'answers', 'due', 'seq', 'state', 'changed'}) do
    if t[name] then fields[#fields + 1] = name; fields[#fields + 1] = t[name] end
  end
  call('HSET', key('t', t.id), unpack(fields))
  if t.key then call('HSET', key('k', t.path), t.key, t.id) end
  call('ZADD', key('of', t.path), t.seq, t.id)
  call('ZADD', key('in', t.state), t.seq, t.id)
  enter(t)
  feed(t, t.posted)
  arrived(t.path, t.priority)
end

local function shift(t, state, working, attempts, when)
  local before = t.state
  if working and not t.working then call('HSET', key('work', t.path), t.id, ME) end
  if t.working and not working then call('HDEL', key('work', t.path), t.id) end
  t.state, t.working, t.attempts = state, working, attempts
  call('HSET', key('t', t.id), 'state', state, 'working', working and '1' or '0', 'attempts', int(attempts),
    'changed', when)
  if before ~= state then
    call('ZREM', key('in', before), t.id)
    call('ZADD', key('in', state), t.seq, t.id)
    if LIVE[before] and not LIVE[state] then leave(t) end
    feed(t, when)
  end
  if not LIVE[state] and not working then call('ZADD', key('old', state), when, t.id) end
  changed(t)
end

local function move(t, what, when)  -- ticket.move: false where the table has no such move
  local to = MOVES[t.state .. ' ' .. (t.working and '1' or '0') .. ' ' .. what]
  if not to then return false end
  local state, attempts = to[1], t.attempts
  if what == 'deliver' then attempts = attempts + 1
  elseif what == 'return' then attempts = attempts - 1
  elseif what == 'fail' and state == 'pending' and attempts >= t.max then state = 'dead' end
  shift(t, state, to[2], attempts, when)
  return true
end

local function failed(id, failure)  -- a list in JSON grows by one
  local h = key('t', id)
  local known = call('HGET', h, 'failures')
  if known then failure = string.sub(known, 1, -2) .. ',' .. failure else failure = '[' .. failure end
  call('HSET', h, 'failures', failure .. ']')
end

local function remove(t)
  call('DEL', key('t', t.id), key('ask', t.id))
  if t.key and call('HGET', key('k', t.path), t.key) == t.id then call('HDEL', key('k', t.path), t.key) end
  call('ZREM', key('of', t.path), t.id)
  call('ZREM', key('in', t.state), t.id)
  call('ZREM', key('old', t.state), t.id)
end
"""
)
