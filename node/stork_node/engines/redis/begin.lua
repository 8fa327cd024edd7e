-- What every script does before its first write: is this Redis the master, and of the lineage that the epoch is bound to?
-- ARGV[1] deployment, or empty; ARGV[2] a name for a new epoch; ARGV[3] a name for a new deployment.
local META, LOG, BRIEF, NODES, GONE = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local MARKS, LEASES, ENDS, SNAPSHOT, CHANGED = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local CONSUMERS, IDS = KEYS[11], KEYS[12]
local EPOCH_ENTRY, SKIPPED = '100', 1048576

local function text(number) return string.format('%.0f', number) end

local info = redis.call('INFO', 'replication')
if string.match(info, 'role:(%a+)') ~= 'master' then
  return redis.error_reply('STORK-REPLICA this Redis is a replica')
end
local lineage = string.match(info, 'master_replid:(%x+)')
local replicas = tonumber(string.match(info, 'connected_slaves:(%d+)')) or 0
local m = redis.call('HMGET', META, 'e', 'r', 's', 'c', 'n', 'f', 'd', 'time', 'wait', 'b', 'z')
local epoch, deployment = m[1], m[7]
local last, committed, count = tonumber(m[3] or 0), tonumber(m[4] or 0), tonumber(m[5] or -1)
local floor, bytes, saved = tonumber(m[6] or 0), tonumber(m[10] or 0), tonumber(m[11] or 0)
local wait = m[9] or 'auto'
local clock = redis.call('TIME')
local now = math.max(tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000), tonumber(m[8] or 0))

if deployment and ARGV[1] ~= '' and deployment ~= ARGV[1] then
  return redis.error_reply('STORK-DEPLOYMENT ' .. deployment)
end
-- Whatever is deleted or written below was ours, or was not there.
local function foreign_key()
  local types = {'hash', 'stream', 'stream', 'hash', 'zset', 'list', 'hash', 'hash', 'string', 'hash', 'hash'}
  for i, wanted in ipairs(types) do
    local found = redis.call('TYPE', KEYS[i]).ok
    if found ~= 'none' and found ~= wanted then return KEYS[i] .. ', a ' .. found end
  end
end

if not epoch or lineage ~= m[2] or redis.call('XLEN', LOG) ~= count then
  local foreign = foreign_key()
  if foreign then return redis.error_reply('STORK-TYPE ' .. foreign) end
  local newest = redis.call('XREVRANGE', LOG, '+', '-', 'COUNT', 1)[1]
  if newest then last = math.max(last, tonumber(string.match(newest[1], '%d+'))) end
  if epoch then redis.call('HSET', ENDS, epoch, text(committed)) end
  last = last + SKIPPED
  epoch, committed, floor, saved = ARGV[2], last, last, last
  if not deployment then deployment = ARGV[1] ~= '' and ARGV[1] or ARGV[3] end
  redis.call('DEL', NODES, GONE, LEASES)
  redis.call('XADD', LOG, text(last) .. '-0', 'k', EPOCH_ENTRY, 'b', epoch)
  count = redis.call('XLEN', LOG)
  redis.call('HSET', META, 'e', epoch, 'r', lineage, 's', text(last), 'c', text(last), 'n', count, 'f', text(last),
    'd', deployment, 'time', text(now), 'wait', wait, 'b', text(bytes), 'z', text(last))
end
if wait == 'auto' and replicas > 0 then
  wait = '1'
  redis.call('HSET', META, 'wait', wait)
end
-- How many replicas must have an entry before it is committed.
local needed = wait == 'auto' and 0 or wait == 'all' and math.max(1, replicas) or tonumber(wait)

-- A mark each second says how many bytes there were up to a number: by it what is too old, or too much, is trimmed.
local MARK_MS, MARK_BYTES, BRIEF_MS = 1000, 4194304, 10000

local function drop_old_bodies()
  while true do
    local kept, gone = redis.call('XRANGE', BRIEF, '-', '+', 'COUNT', 200), {}
    for _, each in ipairs(kept) do
      if now - tonumber(each[2][4]) >= BRIEF_MS then gone[#gone + 1] = each[1] end
    end
    if #gone == 0 then return end
    redis.call('XDEL', BRIEF, unpack(gone))
  end
end

local function trim(retention_ms, retention_bytes)
  local mark = redis.call('LINDEX', MARKS, -1)
  local marked_ms, marked, marked_bytes = 0, 0, 0
  if mark then
    local ms, number, b = string.match(mark, '(%d+) (%d+) (%d+)')
    marked_ms, marked, marked_bytes = tonumber(ms), tonumber(number), tonumber(b)
  end
  if now - marked_ms < MARK_MS and bytes - marked_bytes < MARK_BYTES then return end
  if last > marked then redis.call('RPUSH', MARKS, text(now) .. ' ' .. text(last) .. ' ' .. text(bytes)) end
  local most, trimmed = math.min(committed, saved), 0
  while true do
    local oldest = redis.call('LINDEX', MARKS, 0)
    if not oldest then break end
    local ms, number, b = string.match(oldest, '(%d+) (%d+) (%d+)')
    local is_due = now - tonumber(ms) > retention_ms or bytes - tonumber(b) >= retention_bytes
    if not is_due or tonumber(number) > most then break end
    trimmed = tonumber(number)
    redis.call('LPOP', MARKS)
  end
  if trimmed > 0 then
    count = count - redis.call('XTRIM', LOG, 'MINID', text(trimmed + 1) .. '-0')
    floor = math.max(floor, trimmed)
    for _, number in ipairs(redis.call('HKEYS', CHANGED)) do
      if tonumber(number) <= trimmed then redis.call('HDEL', CHANGED, number) end
    end
  end
  drop_old_bodies()
end
