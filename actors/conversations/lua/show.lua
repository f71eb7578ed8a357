-- For scripts that return a reply: its id, conversation, channel ('' for the first there was), account, contact,
-- address, body, kind, state, and when the oldest message it answers came in, when it was written and began to be
-- sent, the channel's id of it, its delivery status and its error, who answers in its conversation, why, which
-- person wrote it, what it carries beside its text, how often it was sent again, and when its contact last wrote; or
-- nothing when there is none.

local function show(id)
  local reply = redis.call('HMGET', key('reply', id), 'conversation', 'body', 'kind', 'state', 'received_at',
    'written_at', 'sending_at', 'sid', 'delivery_status', 'error', 'written_by', 'content', 'times_sent_again')
  if not reply[1] then return false end
  local about = redis.call('HMGET', key('conversation', reply[1]), 'account_sid', 'contact', 'address', 'channel', 'mode',
    'mode_reason', 'heard_at', 'writes_from')
  if not about[1] then return false end
  local answer = {id, reply[1], about[4] or '', about[1], about[8] or about[2], about[3]}
  for i = 2, 10 do answer[#answer + 1] = reply[i] end
  answer[#answer + 1] = about[5] or 'assistant'
  answer[#answer + 1] = about[6]
  for i = 11, 13 do answer[#answer + 1] = reply[i] end
  answer[#answer + 1] = about[7]
  return answer
end
