-- Store a message. ARGV: again, time, a name for this call, queue, the job's id, the message's, its actor, data and the
-- form of that, priority, delay, unique key and how long that stays taken, how long ago it first came in, and how many
-- completed jobs to keep. Returns whether it was new.

local now, call, queue, id, message_id = clock(ARGV[2]), ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local unique_key, unique_for = ARGV[12], tonumber(ARGV[13])
local former = former_answer(call)
if former then return tonumber(former) end

if is_live(queue, id) then return 0 end

if unique_key ~= '' then
  local name = key('unique', unique_key)
  local taken = redis.call('GET', name)
  if taken and (number(string.match(taken, '^%d+')) or 0) > now then
    return 0
  end
  redis.call('SET', name, digits(now + unique_for) .. ':' .. message_id, 'PX', math.max(1, unique_for))
end

local refusal = know(queue)
if refusal then return refusal end
make_room(queue, id)
add(queue, {
  id = id, name = ARGV[7], data = ARGV[8], form = ARGV[9], priority = tonumber(ARGV[10]),
  timestamp = now - tonumber(ARGV[14]), due = now + tonumber(ARGV[11]), keep = tonumber(ARGV[15]),
}, now, {})
receipted(call, 1)
return 1
