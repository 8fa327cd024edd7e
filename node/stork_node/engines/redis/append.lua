-- ARGV[4] retention in ms; ARGV[5] retention in bytes; ARGV[6] the most entries that may wait for their commit;
-- ARGV[7] entries in MessagePack, each: kind, id, digest, incarnation, report; then the body of each.
local NUMBER, COMMAND, ATTACHED, LEFT, OBEYED, PRESENCE, SETTLED = 2, 6, 7, 8, 9, 10, 12
local FOLLOWS = '+'
local BUCKET_MS, BUCKETS, IDS_S = 60000, 6, 400

if last - committed > tonumber(ARGV[6]) then
  return redis.error_reply('STORK-BEHIND ' .. text(last - committed))
end
local entries = cmsgpack.unpack(ARGV[7])

-- Ids that are known, from the newest bucket to the oldest.
local known, ids, buckets = {}, {}, {}
for _, entry in ipairs(entries) do
  if entry[2] ~= '' then ids[#ids + 1] = entry[2] end
end
local bucket = math.floor(now / BUCKET_MS)
for age = 0, BUCKETS - 1 do
  local key = IDS .. text(bucket - age)
  buckets[age] = key
  if #ids > 0 and redis.call('EXISTS', key) == 1 then
    for from = 1, #ids, 1000 do
      local found = redis.call('HMGET', key, unpack(ids, from, math.min(#ids, from + 999)))
      for i, value in ipairs(found) do
        local id = ids[from + i - 1]
        if value and not known[id] then known[id] = value end
      end
    end
  end
end

local function earlier(entry)
  local value = known[entry[2]]
  if not value then return nil end
  local of, number, digest = string.match(value, '^(%S+) (%d+) (%S*)$')
  if of ~= epoch then
    local ended = redis.call('HGET', ENDS, of)
    if entry[1] == COMMAND or not ended or tonumber(number) > tonumber(ended) then return nil end
  end
  return (digest == entry[3] and 'known ' or 'reused ') .. of .. ':' .. number
end

-- A node numbers its reports, and what it says of its users; nobody appends for a node that is not attached.
local function batches(incarnation) return incarnation .. '#users' end

local function accepts(entry, before)
  local kind, incarnation = entry[1], entry[4]
  if incarnation == FOLLOWS then return type(before) == 'number' end
  if kind == SETTLED then return redis.call('HEXISTS', NODES, '#settled') == 0 end
  if incarnation == '' then return true end
  local report = redis.call('HGET', NODES, incarnation)
  if kind == ATTACHED then return not report and not redis.call('ZSCORE', GONE, incarnation) end
  if kind == LEFT or not report then return report end
  if kind == PRESENCE then report = redis.call('HGET', NODES, batches(incarnation)) or 0 end
  return tonumber(report) + 1 == entry[5]
end

local results, fields, size = {}, {}, 0
for i, entry in ipairs(entries) do
  local kind, id, body, incarnation = entry[1], entry[2], ARGV[7 + i], entry[4]
  local why = id ~= '' and earlier(entry)
  if why then
    results[i] = why
  elseif not accepts(entry, results[i - 1]) then
    results[i] = 'no'
  else
    last = last + 1
    local number = text(last)
    if kind == NUMBER then
      redis.call('XADD', LOG, number .. '-0', 'k', kind, 'b', '')
      redis.call('XADD', BRIEF, number .. '-0', 'b', body, 't', text(now))
    else
      redis.call('XADD', LOG, number .. '-0', 'k', kind, 'b', body)
    end
    count, size = count + 1, size + #body + 64
    if id ~= '' then
      known[id] = epoch .. ' ' .. number .. ' ' .. entry[3]
      fields[#fields + 1], fields[#fields + 2] = id, known[id]
      if #fields >= 2000 then
        redis.call('HSET', buckets[0], unpack(fields))
        fields = {}
      end
    end
    if kind == ATTACHED then redis.call('HSET', NODES, incarnation, 0)
    elseif kind == OBEYED then redis.call('HSET', NODES, incarnation, entry[5])
    elseif kind == PRESENCE then redis.call('HSET', NODES, batches(incarnation), entry[5])
    elseif kind == SETTLED then redis.call('HSET', NODES, '#settled', 1)
    elseif kind == LEFT then
      redis.call('HDEL', NODES, incarnation, batches(incarnation))
      redis.call('HDEL', LEASES, incarnation)
      redis.call('ZADD', GONE, last, incarnation)
      redis.call('ZREMRANGEBYRANK', GONE, 0, -1001)
    end
    results[i] = last
  end
end
if #fields > 0 then redis.call('HSET', buckets[0], unpack(fields)) end
if #ids > 0 then redis.call('EXPIRE', buckets[0], IDS_S) end
bytes = bytes + size

trim(tonumber(ARGV[4]), tonumber(ARGV[5]))
-- With nobody to wait for, stored is committed.
if needed == 0 then
  if last > committed then redis.call('PUBLISH', META, text(last)) end
  committed = last
end
redis.call('HSET', META, 's', text(last), 'c', text(committed), 'n', count, 'f', text(floor), 'time', text(now), 'b', text(bytes))
return {epoch, last, committed, floor, needed, results}
