-- Moves a fence over records that are gone from Kafka for good, if it still stands where its mover saw it.
--
-- KEYS  1 fence hash · ARGV  1 fence field · 2 where it stood · 3 where it goes

if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 'GAP' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 'OK'
