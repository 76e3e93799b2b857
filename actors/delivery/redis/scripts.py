"""The Redis scripts: one for what is written, and one for each question. Pure."""

from __future__ import annotations

from hashlib import sha1
from typing import Final

import attrs

from actors.delivery.redis.lua import COMMON

__all__ = [
    "CHANGES",
    "CLAIM",
    "CLOSE",
    "CONDEMN",
    "DUE",
    "FIND",
    "GET",
    "HANDLED",
    "LAST_CHANGE",
    "LISTEN",
    "LOAD",
    "NEXT_DUE",
    "OPEN",
    "OWNER",
    "RELEASE",
    "RENEW",
    "STATES",
    "TAKE",
    "WAITING",
    "WRITE",
    "Script",
]


@attrs.frozen
class Script:
    """A script, and the name that the server knows it by once it was sent."""

    text: str
    sha: str


def _script(text: str) -> Script:
    text = COMMON + text
    return Script(text, sha1(text.encode(), usedforsecurity=False).hexdigest())


WRITE: Final = _script(r"""
local function said()  -- an entry that is to be put
  return {id = arg(), path = arg(), payload = arg(), sum = arg(), posted = arg(), priority = arg(),
    key = opt(), reply = arg(), max = arg(), sender = opt(), node = arg(), hops = arg(), answers = opt(),
    due = opt()}
end

local function save(path, state)
  if not path then return end
  call(state and 'ZADD' or 'ZREM', P .. ':states', unpack(state and {0, path} or {path}))
  if state then call('SET', key('s', path), state) else call('DEL', key('s', path)) end
end

local function settled_already(t, what, attempt)  -- shelf.settled_already
  if not OUTCOMES[what][t.state] then return false end
  if not attempt then return true end
  if what == 'deliver' then return t.working and t.attempts == attempt end
  return not t.working and t.attempts + (what == 'return' and 1 or 0) == attempt
end

local function ended(t, id, what, state)  -- nil, or how it is refused
  if not t then return {'unknown', id} end
  if LIVE[t.state] or t.working or (state and t.state ~= state) then return {'illegal', id, t.state, what} end
end

local function keyed(t) return t.key and call('HGET', key('k', t.path), t.key) end  -- who has its key

local RUN = {}

function RUN.append()
  local t, capacity = said(), tonumber(arg())
  if has(key('t', t.id)) then return {'entry', t.id, whole(t.id)} end
  local known = keyed(t)
  if known then
    local payload = call('HGET', key('t', known), 'payload')
    if payload ~= t.payload then return {'conflict', t.path, t.key, known} end
    return {'entry', known, whole(known)}
  end
  local live = tonumber(call('HGET', P .. ':live', t.path) or 0)
  if live >= capacity then return {'full', t.path, int(capacity)} end
  put(t)
  return {'new', t.seq}
end

function RUN.moved()
  local id, what, when = arg(), arg(), arg()
  local number, answer, answer_sum, failure = opt(), opt(), opt(), opt()
  local path, state, token = opt(), opt(), opt()
  local follow = arg() == '1' and said() or nil
  local t = load(id)
  if not t then return {'unknown', id} end
  if token and not owns(t.path, token) then return {'stranger', t.path} end
  local attempt = number and tonumber(number)
  local standing = function() return {'standing', t.state, t.attempts, t.max, t.working and 1 or 0} end
  if settled_already(t, what, attempt) then return standing() end
  local before, refused = t.state, nil
  if attempt and attempt ~= t.attempts + (what == 'deliver' and 1 or 0) then
    refused = what .. ' of delivery ' .. number
  elseif not move(t, what, when) then
    refused = what
  end
  if refused then
    if before == 'cancelled' and t.attempts == attempt then save(path, state) end  -- shelf.saves_anyway
    return {'illegal', id, before, refused}
  end
  if what == 'answer' and answer then
    call('HSET', key('t', id), 'answer', answer, 'answer_sum', answer_sum)
  end
  if failure and (what == 'fail' or what == 'refuse') then failed(id, failure) end
  save(path, state)
  if follow and not has(key('t', follow.id)) and not keyed(follow) then put(follow) end
  return standing()
end

function RUN.save()
  local path, state, token = opt(), opt(), opt()
  if token and not owns(path, token) then return {'stranger', path} end
  save(path, state)
  return {'done'}
end

function RUN.drop()
  local id = arg()
  local t = load(id)
  local refused = ended(t, id, 'dropping it')
  if refused then return refused end
  remove(t)
  return {'done'}
end

function RUN.redeliver()
  local id, new, posted = arg(), arg(), arg()
  if has(key('t', new)) then return {'entry', new, whole(new)} end
  local t = load(id)
  local refused = ended(t, id, 'redelivering it', 'dead')
  if refused then return refused end
  local fields = whole(id)
  remove(t)
  t = {}
  for i = 1, #fields, 2 do t[fields[i]] = fields[i + 1] end
  t.id, t.posted, t.due = new, posted, nil
  put(t)
  return {'entry', new, whole(new)}
end

function RUN.handled()
  local id, path, when, answer, failure, sum = arg(), arg(), arg(), opt(), opt(), arg()
  local saved, state = opt(), opt()
  if not has(key('h', id)) then
    call('HSET', key('h', id), 'path', path, 'at', when, 'sum', sum)
    if answer then call('HSET', key('h', id), 'answer', answer) end
    if failure then call('HSET', key('h', id), 'failure', failure) end
    call('ZADD', P .. ':handled', when, id)
    save(saved, state)
  end
  return {'done'}
end

function RUN.prune()
  local before, limit, count = '(' .. arg(), tonumber(arg()), 0
  for _ = 1, tonumber(arg()) do
    local old = key('old', arg())
    for _, id in ipairs(call('ZRANGEBYSCORE', old, '-inf', before, 'LIMIT', 0, limit - count)) do
      remove(load(id))
      count = count + 1
    end
  end
  for _, id in ipairs(call('ZRANGEBYSCORE', P .. ':handled', '-inf', before, 'LIMIT', 0, limit - count)) do
    call('DEL', key('h', id))
    call('ZREM', P .. ':handled', id)
    count = count + 1
  end
  return {'count', count}
end

local slot, serial, results = arg(), arg(), {}
local said_before = call('HGET', key('said', ME), slot)
if said_before then
  local known = cmsgpack.unpack(said_before)
  if known[1] == serial then return known[2] end
end
for i = 1, tonumber(arg()) do results[i] = RUN[arg()]() end
call('HSET', key('said', ME), slot, cmsgpack.pack({serial, results}))
return results
""")
"""Operations, in their order; one result each: the same ones where it is written again under its serial."""

TAKE: Final = _script(r"""
local path, limit, again, token = arg(), tonumber(arg()), arg() == '1', opt()
if not token or not owns(path, token) then return 'stranger' end
local found = {}

local function read(q, from)  -- what the group has; the id of the last, or nil where that is all
  local want = limit - #found
  local reply = call('XREADGROUP', 'GROUP', GROUP, ME, 'COUNT', want, 'STREAMS', q, from)
  local entries = reply and reply[1][2] or {}
  for _, entry in ipairs(entries) do
    local id = entry[2] and entry[2][2]  -- none where the entry was removed by hand
    if id and call('HGET', key('t', id), 'state') == 'pending' then found[#found + 1] = {id, whole(id)} end
  end
  return #entries == want and entries[#entries][1] or nil
end

for _, priority in ipairs(call('ZREVRANGE', key('lines', path), 0, -1)) do
  local q = key('q', priority .. ':' .. path)
  local from = again and '0' or nil
  while from and #found < limit do from = read(q, from) end
  from = '>'
  while from and #found < limit do from = read(q, '>') end
  if #found >= limit then break end
end
return found
""")

GET: Final = _script(r"""
local id = arg()
local t = load(id)
if not t then return false end
if LIVE[t.state] or t.working then
  if call('SADD', key('ask', id), ME) == 1 then call('HSET', key('t', id), 'asked', '1') end
end
return whole(id)
""")

FIND: Final = _script(r"""
local path, after, limit, states = opt(), arg(), tonumber(arg()), {}
for i = 1, tonumber(arg()) do states[i] = arg() end
local found = {}
if not path then
  for _, state in ipairs(states) do
    local in_state = key('in', state)
    local range = call('ZRANGEBYSCORE', in_state, '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
    for i = 1, #range, 2 do found[#found + 1] = {range[i], tonumber(range[i + 1])} end
  end
  table.sort(found, function(one, other) return one[2] < other[2] end)
  for i = #found, limit + 1, -1 do found[i] = nil end
  for i, one in ipairs(found) do found[i] = {one[1], whole(one[1])} end
  return {'', found}
end
local wanted, seen, batch = {}, 0, math.max(limit, 100)
for _, state in ipairs(states) do wanted[state] = true end
while #found < limit do
  local range = call('ZRANGEBYSCORE', key('of', path), '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, batch)
  for i = 1, #range, 2 do
    after = range[i + 1]
    if #found < limit and wanted[call('HGET', key('t', range[i]), 'state')] then
      found[#found + 1] = {range[i], whole(range[i])}
    end
  end
  if #range < 2 * batch then return {'', found} end
  seen = seen + batch
  if seen > 5000 then return {after, found} end  -- others want to be served too: go on from here
end
return {'', found}
""")
"""Tickets; and from where to go on, where there may be more."""

DUE: Final = _script(r"""
local found = {}
for i, id in ipairs(call('ZRANGEBYSCORE', P .. ':due', '-inf', arg(), 'LIMIT', 0, arg())) do
  found[i] = {id, whole(id)}
end
return found
""")

HANDLED: Final = _script("return call('HGETALL', key('h', arg()))")

NEXT_DUE: Final = _script("return call('ZRANGE', P .. ':due', 0, 0, 'WITHSCORES')[2]")

WAITING: Final = _script("return call('HGETALL', P .. ':live')")

LOAD: Final = _script("return call('GET', key('s', arg()))")

STATES: Final = _script(r"""
local below, after, found = arg(), opt(), {}
local from = after and '(' .. after or '[' .. below
for i, path in ipairs(call('ZRANGEBYLEX', P .. ':states', from, '(' .. below .. '\255', 'LIMIT', 0, arg())) do
  found[i] = {path, call('GET', key('s', path))}
end
return found
""")
"""A page of saved states, in the order of paths: no byte of a text is 255."""

CHANGES: Final = _script("return call('XRANGE', P .. ':feed', arg() .. '-0', '+', 'COUNT', arg())")

LAST_CHANGE: Final = _script("return call('GET', P .. ':number')")

CONDEMN: Final = _script(r"""
local id, when, failure = arg(), arg(), arg()
local t = load(id)
if t and t.state == 'pending' then
  failed(id, failure)
  shift(t, 'dead', false, t.attempts, when)
end
return true
""")
"""A ticket whose payload is damaged is dead, without a delivery."""

_LEASE: Final = r"""
local function lease(milliseconds)  -- a new one: what was claimed under the last does not come back with it
  local epoch = int(call('INCR', P .. ':epoch'))
  call('SET', key('lease', ME), epoch, 'PX', milliseconds)
  return epoch
end
"""

CLAIM: Final = _script(
    _LEASE
    + r"""
local path, node, milliseconds, when, text = arg(), arg(), arg(), arg(), arg()
local one = owner(path)
local is_older = one and one.inc ~= ME and one.node == node and call('GET', key('node', node)) == ME
if one and not is_older then
  if one.inc ~= ME then
    call('SADD', key('want', path), ME)
    call('PEXPIRE', key('want', path), 86400000)
  end
  if one.inc ~= ME and one.node == node then return {node .. ' (started again)', one.token} end
  return {one.node, one.token}
end
local epoch = call('GET', key('lease', ME)) or lease(milliseconds)
local token = int(call('INCR', P .. ':token'))
call('HSET', key('dir', path), 'node', node, 'inc', ME, 'token', token, 'epoch', epoch)
call('SADD', key('names', ME), path)
call('SADD', P .. ':nodes', ME)
call('SREM', key('want', path), ME)
local held, lost = call('HGETALL', key('work', path)), {}
for i = 1, #held, 2 do lost[#lost + 1] = load(held[i]) end  -- its own too: their ends have an old token
table.sort(lost, function(one, other) return tonumber(one.seq) < tonumber(other.seq) end)
for _, t in ipairs(lost) do  -- shelf.abandon
  local failure = '{"at": %s, "attempt": %d, "kind": "", "text": %s, "traceback": ""}'
  failed(t.id, string.format(failure, when, t.attempts, text))
  move(t, 'fail', when)
end
for _, priority in ipairs(call('ZRANGE', key('lines', path), 0, -1)) do  -- all of it is the new owner's
  local q = key('q', priority .. ':' .. path)
  call('XGROUP', 'DESTROY', q, GROUP)
  call('XGROUP', 'CREATE', q, GROUP, '0')
end
return {node, token}
"""
)
"""The name, if it is nobody's; who has it."""

OWNER: Final = _script(r"""
local one = owner(arg())
return one and {one.node, one.token}
""")

RELEASE: Final = _script(r"""
local path = arg()
if call('HGET', key('dir', path), 'inc') == ME then
  call('DEL', key('dir', path))
  wake_all(key('want', path), {[ME] = true}, 'arrived', path, 'priority', '0')
end
call('SREM', key('names', ME), path)
return true
""")

RENEW: Final = _script(
    _LEASE
    + r"""
local milliseconds = arg()
local epoch = call('GET', key('lease', ME))
if not epoch then return lease(milliseconds) end
call('PEXPIRE', key('lease', ME), milliseconds)
return epoch
"""
)

LISTEN: Final = _script(r"""
local node, milliseconds, is_new, kept = arg(), arg(), arg() == '1', 1
local stream = key('wake', ME)
if not has(stream) then
  call('XADD', stream, '1-0', 'hello', node)
  kept = 0
end
call('PEXPIRE', stream, milliseconds)
call('PEXPIRE', key('said', ME), milliseconds)
local newest = key('node', node)
if is_new or (call('GET', newest) or ME) == ME then call('SET', newest, ME, 'PX', milliseconds) end
return {kept, call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1][1]}
""")
"""Keep what this node is woken by, and that it is the newest of its name, if it is.

0: it had gone, and is a new one; and where it ends.
"""

OPEN: Final = _script(
    _LEASE
    + r"""
local version, milliseconds = arg(), arg()
local known = call('HGET', P .. ':meta', 'version')
if known and tonumber(known) > tonumber(version) then return known end
call('HSET', P .. ':meta', 'version', version)
for _, inc in ipairs(call('SMEMBERS', P .. ':nodes')) do  -- what the dead have left; a part of it each time
  if not has(key('lease', inc)) then
    for _, path in ipairs(call('SPOP', key('names', inc), 1000)) do
      if call('HGET', key('dir', path), 'inc') == inc then call('DEL', key('dir', path)) end
    end
    call('DEL', key('said', inc))
    if not has(key('names', inc)) then call('SREM', P .. ':nodes', inc) end
  end
end
call('SADD', P .. ':nodes', ME)
return {lease(milliseconds)}
"""
)
"""The epoch of the new lease, or the version of what is kept, where that is newer."""

CLOSE: Final = _script(r"""
local node = arg()
call('DEL', key('lease', ME), key('wake', ME), key('said', ME))
if call('GET', key('node', node)) == ME then call('DEL', key('node', node)) end
for _, path in ipairs(call('SPOP', key('names', ME), 10000)) do
  if call('HGET', key('dir', path), 'inc') == ME then call('DEL', key('dir', path)) end
  wake_all(key('want', path), {[ME] = true}, 'arrived', path, 'priority', '0')
end
if not has(key('names', ME)) then call('SREM', P .. ':nodes', ME) end
return true
""")
