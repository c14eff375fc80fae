package redisstore

import "github.com/redis/go-redis/v9"

// The scripts. Each touches the keys of one slot, and each may run twice with the
// same arguments, as it does when its answer was lost: the second time finds what
// the first did. Times are Redis's own, so that processes whose clocks differ agree.

// What the scripts that change a record answer first.
const (
	saidDone  = "done"
	saidTaken = "taken" // by another; with the fields of its record after it
	saidGone  = "gone"
	saidLate  = "late" // the keys were reserved too long ago
)

// now is a Lua function that returns the time in milliseconds.
const now = `
local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function text(n) return string.format('%.0f', n) end
`

// write is a Lua function that saves a record: KEYS are its hash and the index of
// what is due. d is what was due before, or false.
const write = `
local function write(stamps, d)
  local id, due = ARGV[3], ARGV[5]
  if d ~= due then
    if d then redis.call('ZREM', KEYS[2], d .. id) end
    redis.call('ZADD', KEYS[2], 0, due .. id)
  end
  redis.call('HSET', KEYS[1], 'r', ARGV[4], 'd', due, 's', string.sub(ARGV[2] .. stamps, 1, 64), 'x', ARGV[6])
  redis.call('PEXPIRE', KEYS[1], ARGV[7])
  if ARGV[9] ~= '' then redis.call('PUBLISH', ARGV[9], id) end
  return {'done'}
end
local function late() return ARGV[8] ~= '0' and now() > tonumber(ARGV[8]) end
`

// scripts are what a store asks of Redis.
type scripts struct {
	create, update, remove, forget             *redis.Script
	reserve, release, enlist, strikeOut, count *redis.Script
}

func newScripts() scripts {
	return scripts{
		// KEYS: hash, index. ARGV: nothing, stamp, id, record, due, until, time to live
		// in ms, deadline or 0, channel or nothing.
		create: redis.NewScript(now + write + `
local s = redis.call('HGET', KEYS[1], 's')
if s and string.find(s, ARGV[2], 1, true) then return {'done'} end
if s then return {'taken'} end
if late() then return {'late'} end
return write('', false)`),

		// The same, after the stamp that was seen.
		update: redis.NewScript(now + write + `
local s, d = unpack(redis.call('HMGET', KEYS[1], 's', 'd'))
if not s then return {'gone'} end
if string.find(s, ARGV[2], 1, true) then return {'done'} end
if string.sub(s, 1, 8) ~= ARGV[1] then
  return {'taken', redis.call('HMGET', KEYS[1], 'r', 'd', 's', 'x')}
end
if late() then return {'late'} end
return write(s, d)`),

		// KEYS: hash, index. ARGV: id.
		remove: redis.NewScript(`
local d = redis.call('HGET', KEYS[1], 'd')
if d then redis.call('ZREM', KEYS[2], d .. ARGV[1]) end
return redis.call('DEL', KEYS[1])`),

		// An entry of the index whose record has expired. KEYS: hash, index. ARGV: the entry.
		forget: redis.NewScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then return redis.call('ZREM', KEYS[2], ARGV[1]) end
return 0`),

		// KEYS: a pointer. ARGV: id, time to live in ms, another's pointer that may be
		// replaced. Returns the time, and the pointer there if it stays another's.
		reserve: redis.NewScript(now + `
local t, v = now(), redis.call('GET', KEYS[1])
local mine = ARGV[1] .. '@'
if v and v ~= ARGV[3] and string.sub(v, 1, #mine) ~= mine then return {text(t), v} end
local ttl = math.max(tonumber(ARGV[2]), redis.call('PTTL', KEYS[1]))
redis.call('SET', KEYS[1], mine .. text(t), 'PX', text(ttl))
return {text(t), ''}`),

		// KEYS: a pointer. ARGV: what it is, or begins with, if it may go.
		release: redis.NewScript(`
local v = redis.call('GET', KEYS[1])
if v and string.sub(v, 1, #ARGV[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`),

		// KEYS: a list. ARGV: the entry, time to live in ms.
		enlist: redis.NewScript(`
redis.call('ZADD', KEYS[1], 0, ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1`),

		strikeOut: redis.NewScript(`return redis.call('ZREM', KEYS[1], ARGV[1])`),

		// KEYS: a list.
		count: redis.NewScript(`return redis.call('ZCARD', KEYS[1])`),
	}
}
