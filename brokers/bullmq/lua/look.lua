-- For scripts that may be the first to use a queue.

local TYPES = {
  wait = 'list', active = 'list', paused = 'list', delayed = 'zset', prioritized = 'zset', completed = 'zset',
  failed = 'zset', events = 'stream', meta = 'hash', marker = 'zset', id = 'string',
}

-- Note that a queue is used through this engine. Returns an error when its keys are another program's.
local function know(queue)
  if redis.call('SISMEMBER', base .. ':queues', queue) == 1 then return end
  for name, kind in pairs(TYPES) do
    local found = redis.call('TYPE', place(queue, name)).ok
    if found ~= 'none' and found ~= kind then
      return redis.error_reply('OTHERKIND ' .. place(queue, name) .. ' is a ' .. found .. ', and BullMQ\'s would be a '
        .. kind .. '. Another program uses this prefix: choose another one for this engine')
    end
  end
  if redis.call('EXISTS', place(queue, 'id')) == 1 and redis.call('EXISTS', place(queue, 'meta')) == 0 then
    return redis.error_reply('OTHERKIND ' .. place(queue, '*') .. ' are keys of Bull, the predecessor of BullMQ, which '
      .. 'cannot share a queue with it: choose another prefix for this engine')
  end
  redis.call('SADD', base .. ':queues', queue)
end
