-- Which ids of a batch were counted before: places within each set's own list, counted from 0.
--
-- KEYS  sets of seen ids · ARGV  for each set its ids to look up, 16 bytes an id
-- One blob a set instead of one argument an id: packing thousands of arguments costs the client more than all else.

local CHUNK = 1000 -- unpack() has a limited stack
local answer = {}
for set = 1, #KEYS do
  local blob, found = ARGV[set], {}
  for first = 1, #blob, 16 * CHUNK do
    local members = {}
    for start = first, math.min(first + 16 * CHUNK, #blob + 1) - 1, 16 do
      members[#members + 1] = string.sub(blob, start, start + 15)
    end
    for place, known in ipairs(redis.call('SMISMEMBER', KEYS[set], unpack(members))) do
      if known == 1 then found[#found + 1] = (first - 1) / 16 + place - 1 end
    end
  end
  answer[set] = found
end
return answer
