-- What every script of every user of a server begins with.
--
-- KEYS[1] is the namespace in braces. Every key begins with it, so that a cluster keeps them all on one
-- node. ARGV[1] is '1' when the same call may have been made before and its answer was lost. Times are
-- milliseconds since the epoch.
--
--   {ns}:receipt:<call>  string  what a call answered, for a minute, should it have to be repeated
--   {ns}:repeated        string  when a call was last repeated, for a minute
--   {ns}:sequence        string  counts whatever needs an order

--   {ns}:broken:<...>    any     what had the name of a key of ours and was none, see ask()

local MINUTE_MS = 60000

local base = KEYS[1]
local again = ARGV[1] == '1'

local function key(kind, name)
  return base .. ':' .. kind .. ':' .. name
end

-- Make room for what a script wants to write: what is there is not what these scripts wrote.
local function mend(refusal, command, name, field)
  if string.find(refusal, 'WRONGTYPE', 1, true) then
    redis.call('RENAME', name, base .. ':broken' .. string.sub(name, #base + 1))
  elseif string.find(refusal, 'not an integer', 1, true) then
    if command == 'HINCRBY' then redis.call('HDEL', name, field) else redis.call('DEL', name) end
  end
end

-- Give a command. A server that may evict keys, or somebody else's program, can leave anything under a key. None
-- of it may end a script halfway, when it has taken messages from one place and not yet put them into another: a
-- key of another type is renamed, a count that is no number begins anew. All other refusals are raised.
local function ask(command, name, ...)
  local answer = redis.pcall(command, name, ...)
  if type(answer) ~= 'table' or not answer.err then return answer end
  mend(answer.err, command, name, ...)
  return redis.call(command, name, ...)
end

-- The number that a text is, or nil where it is none that could be a time or a count.
local function number(text)
  local value = tonumber(text)
  if value and value > -1e15 and value < 1e15 then return value end
end

-- A Lua number's own text would be 1.7e12.
local function digits(number)
  return string.format('%.0f', number)
end

-- The time, or the caller's own where it has one.
local function clock(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function next_in_sequence()
  return digits(ask('INCR', base .. ':sequence'))
end

-- A call that is repeated writes something even when all was done before: whoever waits for the server's file
-- waits for the writes of its own connection, and this is a new one.
local function note_repetition()
  if again then ask('SET', base .. ':repeated', digits(clock('')), 'PX', MINUTE_MS) end
end

-- Redis lets a script that has begun to write go on although the memory is full. What only lets go of
-- something, or notes what has happened, must work then, and begins with this.
local function although_memory_is_full()
  ask('DEL', base .. ':nothing')
  note_repetition()
end

-- What this very call answered when it was made before, if it was.
local function former_answer(call)
  local answer = again and ask('GET', key('receipt', call))
  if answer then note_repetition() end
  return answer
end

-- Return an answer, and keep it should the call be made again.
local function receipted(call, answer)
  ask('SET', key('receipt', call), answer, 'PX', MINUTE_MS)
  return answer
end
