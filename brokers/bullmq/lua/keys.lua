-- Where BullMQ keeps what it knows of a queue. KEYS[1] is the engine's own part of the prefix, see common.lua.

local prefix = string.match(base, '^(.*):[^:]*$')

local function place(queue, name)
  return prefix .. ':' .. queue .. ':' .. name
end

-- The keys that a script of BullMQ's takes, in its order.
local function keys_of(queue, names, id, target)
  local keys = {}
  for i, name in ipairs(names) do
    if name == '@' then keys[i] = place(queue, id) else keys[i] = place(queue, (string.gsub(name, '>', target or ''))) end
  end
  return keys
end
