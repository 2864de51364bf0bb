-- Says that everything appended to one topic partition until a moment is counted, if the fence is where we believe it.
-- A store that came back with an older fence answers GAP, and the partition is read again although nothing new came.
--
-- KEYS  1 fence hash · 2 confirmation hash
-- ARGV  1 field in both (app and topic) · 2 offset we believe applied · 3 moment, epoch ms ('' = only check)

local applied = redis.call('HGET', KEYS[1], ARGV[1])
if not applied then return 'COLD' end
if tonumber(applied) < tonumber(ARGV[2]) then return 'GAP' end
if ARGV[3] ~= '' then
  local said = redis.call('HGET', KEYS[2], ARGV[1])
  if not said or tonumber(said) < tonumber(ARGV[3]) then redis.call('HSET', KEYS[2], ARGV[1], ARGV[3]) end
end
return 'OK'
