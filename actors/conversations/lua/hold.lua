-- Take the right to answer. ARGV: again, time, keep, conversation, holder, void holder. Returns what hold() does.
-- Refused when the memory is full: no answer could be written.

return hold(ARGV[4], ARGV[5], ARGV[6])
