-- One message, live or else dead. ARGV: again, id. Returns what show() gives of it, or nothing.

local id, answer = ARGV[2], {}
if ask('HLEN', key('message', id)) > 0 then
  local m, state = place_of(id, '', 0), 'running'
  if ask('ZSCORE', key('delayed', m.queue), id) then
    state = 'delayed'
  elseif ask('ZSCORE', key('ready', m.queue), member_of(id, m.seq, m.due)) then
    state = 'ready'
  end
  show(answer, id, state)
elseif ask('EXISTS', key('dead-letter', id)) == 1 then
  show(answer, id, 'dead')
end
return answer
