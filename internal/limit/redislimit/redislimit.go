// Package redislimit counts what is done by whom in Redis, for all processes of a
// portal together, by the same rules as internal/limit does for one.
//
// Each count is one script, by Redis's clock, and expires by itself. Whether a
// request goes on must not hang on the counting, so a Redis that does not answer
// soon is an error, and whoever asked decides.
package redislimit

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handoff-portal/handoff/internal/limit"
)

// patience is how long a count may take.
const patience = 500 * time.Millisecond

// Limiter counts in Redis. It is safe for concurrent use.
type Limiter struct {
	client  redis.UniversalClient
	prefix  string
	rates   map[limit.Kind]limit.Rate
	budgets map[limit.Failure]limit.Budget
	script  scripts
}

// New returns a Limiter whose keys begin with prefix. A rate that is not above
// zero is an error.
func New(client redis.UniversalClient, prefix string, r limit.Rates) (*Limiter, error) {
	rates, err := r.ByKind()
	if err != nil {
		return nil, err
	}
	return &Limiter{client: client, prefix: prefix, rates: rates, budgets: limit.Budgets(), script: newScripts()}, nil
}

type scripts struct{ take, spend, left *redis.Script }

func newScripts() scripts {
	const now = `local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local function text(n) return string.format('%.0f', n) end
`
	return scripts{
		// The generic cell rate algorithm, as internal/limit has it, in microseconds.
		// ARGV: step, per. Returns how long to wait, 0 if it is allowed, and how long
		// until all of the rate is there again.
		take: redis.NewScript(now + `
local from = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local step, per = tonumber(ARGV[1]), tonumber(ARGV[2])
local over = from + step - now - per
if over > 0 then return {text(math.ceil(over)), text(from - now)} end
redis.call('SET', KEYS[1], text(from + step), 'PX', text(math.ceil((from + step - now) / 1000)))
return {'0', text(from + step - now)}`),

		// A list of the times of what was spent, oldest first. ARGV: count, window.
		// Returns how long to wait, 0 if there was one left.
		spend: redis.NewScript(now + `
local count, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local first = redis.call('LINDEX', KEYS[1], 0)
while first and tonumber(first) + window <= now do
  redis.call('LPOP', KEYS[1])
  first = redis.call('LINDEX', KEYS[1], 0)
end
if redis.call('LLEN', KEYS[1]) >= count then return text(tonumber(first) + window - now) end
redis.call('RPUSH', KEYS[1], text(now))
redis.call('PEXPIRE', KEYS[1], text(math.ceil(window / 1000)))
return '0'`),

		left: redis.NewScript(now + `
local kept = 0
for _, at in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  if tonumber(at) + tonumber(ARGV[2]) > now then kept = kept + 1 end
end
return text(tonumber(ARGV[1]) - kept)`),
	}
}

// Take counts one of kind for key and reports whether it is within the limit.
// One that is not costs nothing more; retryAfter is when the next one would be.
// left is what key has after it.
func (l *Limiter) Take(ctx context.Context, kind limit.Kind, key string) (ok bool, retryAfter time.Duration, left limit.Quota, err error) {
	r, known := l.rates[kind]
	if !known {
		return false, 0, limit.Quota{}, fmt.Errorf("%s has no rate", kind)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	n, err := l.script.take.Run(ctx, l.client, []string{l.rateKey(kind, key)}, r.Step().Microseconds(), r.Per.Microseconds()).Int64Slice()
	if err == nil && len(n) != 2 {
		err = fmt.Errorf("%d numbers came, want 2", len(n))
	}
	if err != nil {
		return false, 0, limit.Quota{}, fmt.Errorf("counting in redis: %w", err)
	}
	wait, full := time.Duration(n[0])*time.Microsecond, time.Duration(n[1])*time.Microsecond
	return wait == 0, wait, r.Quota(full), nil
}

// Spend takes one of the failures that key is allowed, and reports whether there
// was one left; if not, retryAfter is when the oldest is forgotten.
func (l *Limiter) Spend(ctx context.Context, what limit.Failure, key string) (ok bool, retryAfter time.Duration, err error) {
	b, known := l.budgets[what]
	if !known {
		return false, 0, fmt.Errorf("%s has no budget", what)
	}
	wait, err := l.ask(ctx, l.script.spend, l.budgetKey(what, key), b.Count, b.Window.Microseconds())
	return err == nil && wait == 0, time.Duration(wait) * time.Microsecond, err
}

// Restore gives back the latest that was spent: what was tried was no failure.
func (l *Limiter) Restore(ctx context.Context, what limit.Failure, key string) error {
	if _, known := l.budgets[what]; !known {
		return fmt.Errorf("%s has no budget", what)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := l.client.RPop(ctx, l.budgetKey(what, key)).Err(); err != nil && err != redis.Nil { //nolint:errorlint // redis.Nil is never wrapped here
		return fmt.Errorf("restoring %s: %w", what, err)
	}
	return nil
}

// Left returns how many failures are left, without spending one.
func (l *Limiter) Left(ctx context.Context, what limit.Failure, key string) (int, error) {
	b, known := l.budgets[what]
	if !known {
		return 0, fmt.Errorf("%s has no budget", what)
	}
	n, err := l.ask(ctx, l.script.left, l.budgetKey(what, key), b.Count, b.Window.Microseconds())
	return int(n), err
}

func (l *Limiter) rateKey(kind limit.Kind, key string) string {
	return l.prefix + ":rate:" + string(kind) + ":" + key
}

func (l *Limiter) budgetKey(what limit.Failure, key string) string {
	return l.prefix + ":spent:" + string(what) + ":" + key
}

// ask runs a script whose answer is a number.
func (l *Limiter) ask(ctx context.Context, s *redis.Script, key string, args ...any) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	n, err := s.Run(ctx, l.client, []string{key}, args...).Int64()
	if err != nil {
		return 0, fmt.Errorf("counting in redis: %w", err)
	}
	return n, nil
}
