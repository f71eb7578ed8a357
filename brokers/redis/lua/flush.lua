-- Delete a queue's messages, a bounded number at a time. ARGV: again, queue. Returns 1 when none are left.

local LIMIT = 1000

although_memory_is_full()
local queue, room = ARGV[2], LIMIT

-- Delete what a set names, as far as there is room, and those kinds of keys of each.
local function forget(set, to_id, ...)
  if room == 0 then return end
  local members, keys = ask('ZRANGE', set, 0, room - 1), {}
  if #members == 0 then return end
  for _, member in ipairs(members) do
    for _, kind in ipairs({...}) do keys[#keys + 1] = key(kind, to_id(member)) end
  end
  ask('UNLINK', unpack(keys))
  ask('ZREM', set, unpack(members))
  room = room - #members
end

local function itself(member) return member end

for _, owner in ipairs(ask('ZRANGE', base .. ':processes', 0, -1)) do
  for _, id in ipairs(ask('HKEYS', held_key(queue, owner))) do
    ask('UNLINK', key('message', id), key('payload', id))
  end
  ask('DEL', held_key(queue, owner))
end
forget(key('ready', queue), id_of, 'message', 'payload')
forget(key('delayed', queue), itself, 'message', 'payload')
forget(key('dead', queue), itself, 'dead-letter', 'dead-payload')
if room > 0 then ask('UNLINK', key('tried', queue)) end
return room > 0 and 1 or 0
