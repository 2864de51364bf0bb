-- Keeps the watermarks of many sites of a partition.
--
-- KEYS  hashes of what each site said last · ARGV  for each its watermark, epoch ms, behind '=' if it is to be set
-- whatever stands there, else it only rises. Values are texts: a Lua number would be written in scientific notation.

for i, key in ipairs(KEYS) do
  local value = ARGV[i]
  local plain = string.match(value, '^=(.+)$')
  local stood = redis.call('HGET', key, 'watermark_ms')
  if plain then
    if stood ~= plain then redis.call('HSET', key, 'watermark_ms', plain) end
  elseif not stood or tonumber(stood) < tonumber(value) then
    redis.call('HSET', key, 'watermark_ms', value)
  end
end
return 'OK'
