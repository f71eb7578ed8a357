-- A page of a queue's messages in one state. ARGV: again, queue, state, offset, limit.

local queue, state, first, limit = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
if limit <= 0 then return {} end

-- The next to run is at the end of a list of BullMQ's.
local function of_list(name, from, count)
  local ids = redis.call('LRANGE', place(queue, name), -(from + count), -(from + 1))
  local reversed = {}
  for i = #ids, 1, -1 do reversed[#reversed + 1] = ids[i] end
  return reversed
end

local function ready()
  local waiting = redis.call('LLEN', place(queue, 'wait'))
  local ids = first < waiting and of_list('wait', first, math.min(limit, waiting - first)) or {}
  if #ids < limit then
    local from = math.max(0, first - waiting)
    for _, id in ipairs(redis.call('ZRANGE', place(queue, 'prioritized'), from, from + limit - #ids - 1)) do
      ids[#ids + 1] = id
    end
  end
  return ids
end

local function running()
  local count = redis.call('LLEN', place(queue, 'active'))
  return first < count and of_list('active', first, math.min(limit, count - first)) or {}
end

local ids
if state == 'ready' then ids = ready()
elseif state == 'running' then ids = running()
elseif state == 'delayed' then ids = redis.call('ZRANGE', place(queue, 'delayed'), first, first + limit - 1)
else ids = redis.call('ZREVRANGE', place(queue, 'failed'), first, first + limit - 1) end

local answer = {}
for _, id in ipairs(ids) do show(answer, queue, id, state) end
return answer
