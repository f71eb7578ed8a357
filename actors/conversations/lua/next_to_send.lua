-- The oldest reply of a conversation that is not sent yet. ARGV: again, time, keep, conversation.
-- Returns its id, or nothing when there is none, or it is being sent.

return next_to_send(ARGV[4])
