-- Says that everything appended to one topic partition until a moment is counted, if the fence is where we believe it.
-- A store that came back with an older fence answers GAP, and the partition is read again although nothing new came.
--
-- What was noted as being counted anew is done once the fence has reached the end that the log had then, or is beyond.
--
-- KEYS  1 fence hash · 2 confirmation hash · 3 hash of what is counted anew
-- ARGV  1 field in both (app and topic) · 2 offset we believe applied · 3 moment, epoch ms ('' = only check)

local applied = redis.call('HGET', KEYS[1], ARGV[1])
if not applied then return 'COLD' end
if tonumber(applied) < tonumber(ARGV[2]) then return 'GAP' end
if ARGV[3] ~= '' then
  local said = redis.call('HGET', KEYS[2], ARGV[1])
  if not said or tonumber(said) < tonumber(ARGV[3]) then redis.call('HSET', KEYS[2], ARGV[1], ARGV[3]) end
end
local note = redis.call('HGET', KEYS[3], ARGV[1])
if note and tonumber(applied) + 1 >= cjson.decode(note).end_offset then redis.call('HDEL', KEYS[3], ARGV[1]) end
return 'OK'
