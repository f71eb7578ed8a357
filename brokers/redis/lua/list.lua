-- A page of a queue's messages. ARGV: again, queue, state, how many to pass over, how many to return.
-- Returns what show() gives of each.

local queue, state = ARGV[2], ARGV[3]
local first, last = tonumber(ARGV[4]), ARGV[4] + ARGV[5] - 1
local answer = {}

local function running()
  local ids = {}
  for _, owner in ipairs(ask('ZRANGE', base .. ':processes', 0, -1)) do
    for _, id in ipairs(ask('HKEYS', held_key(queue, owner))) do
      ids[#ids + 1] = {seq = number(ask('HGET', key('message', id), 'seq')) or 0, id = id}
    end
  end
  table.sort(ids, function(a, b) return a.seq < b.seq end)
  local page = {}
  for i = first + 1, math.min(last + 1, #ids) do page[#page + 1] = ids[i].id end
  return page
end

local ids
if last < first then
  return answer
elseif state == 'ready' then
  ids = ask('ZRANGE', key('ready', queue), first, last)
  for i, member in ipairs(ids) do ids[i] = id_of(member) end
elseif state == 'delayed' then
  ids = ask('ZRANGE', key('delayed', queue), first, last)
elseif state == 'dead' then
  ids = ask('ZREVRANGE', key('dead', queue), first, last)
else
  ids = running()
end
for _, id in ipairs(ids) do show(answer, id, state, queue) end
return answer
