package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// begin bounds a call, and refuses one whose caller is gone already.
func begin(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, callTime, errSlow)
	return ctx, cancel, nil
}

// errSlow is why a call that Redis took too long for was given up.
var errSlow = errors.New("redis takes too long")

func isNil(err error) bool { return errors.Is(err, redis.Nil) }

// fault is what a caller is told of an error of Redis. That nothing is there is
// CodeNotFound; a caller who went away gets its own error; anything else is that
// the store does not answer, whatever the reason: after a change it means that its
// outcome is unknown.
func fault(ctx context.Context, err error) error {
	switch {
	case isNil(err):
		return notFound()
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled):
		return ctx.Err()
	}
	return unavailable(err)
}

func unavailable(err error) error {
	e := handoff.Errorf(handoff.CodeStoreUnavailable, "the portal's store is not answering")
	e.RetryAfter, e.Err = retryAfter, err
	return e
}

// decode reads the fields of a record's hash.
func (s *Store) decode(id handoff.ID, fields []any) (held, error) {
	var h held
	var stamps, until string
	for i, to := range []*string{&h.record, &h.due, &stamps, &until} {
		text, ok := fields[i].(string)
		if !ok {
			return held{}, notFound() // a record has all of its fields, or is none
		}
		*to = text
	}
	var err error
	if h.handoff, _, err = s.known.Unmarshal(id, []byte(h.record)); err != nil {
		return held{}, fmt.Errorf("reading handoff %s: %w", id, err)
	}
	if h.until, err = strconv.ParseInt(until, 10, 64); err != nil || len(stamps) < stampSize {
		return held{}, fmt.Errorf("reading handoff %s: what is stored beside the record is torn", id)
	}
	h.stamp = stamps[:stampSize]
	return h, nil
}
