-- Dead letters. ARGV: again, ids. Returns what show() gives of each that there is.

local answer = {}
for i = 2, #ARGV do show(answer, ARGV[i], 'dead') end
return answer
