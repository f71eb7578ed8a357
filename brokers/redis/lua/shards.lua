-- Over how many namespaces is spread what is kept here. ARGV: again, the number to note; empty to look only. Returns the
-- number that is noted. Earlier versions noted none, and had one: then 'kept' where something is kept, else 'nothing'.
--
--   {ns}:shards  string  that number, where it is more than one

local place = base .. ':shards'
local noted = ask('GET', place)
if noted then return noted end
if ARGV[2] ~= '' then
  ask('SET', place, ARGV[2])
  return ARGV[2]
end
return ask('EXISTS', base .. ':queues', base .. ':conversations') > 0 and 'kept' or 'nothing'
