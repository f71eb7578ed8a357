-- Which message has a unique key now. ARGV: again, time, key. Returns its id, or nothing.

local taken = ask('GET', key('unique', ARGV[3]))
if not taken then return false end
local expires, id = string.match(taken, '^(%d+):(.*)$')
return (number(expires) or 0) > clock(ARGV[2]) and id
