-- Takes keys of a partition away, while it is sealed by us: nobody counts there then, since no fence can be put.
--
-- KEYS  1 fence hash · others: to take away · ARGV  1 our seal · 2 version that opens the partition ('' = not yet)
-- Answers OK, or LOST if the seal is not ours: somebody else took over, or everything was emptied.

if redis.call('HGET', KEYS[1], 'format') ~= ARGV[1] then return 'LOST' end
if #KEYS > 1 then redis.call('UNLINK', unpack(KEYS, 2)) end
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'format', ARGV[2]) end
return 'OK'
