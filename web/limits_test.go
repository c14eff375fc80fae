package web_test

import (
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/limit"
)

// limiter counts against the rates of s, which are generous where a test sets none.
func limiter(t testing.TB, s setting, now func() time.Time) *limit.Limiter {
	t.Helper()
	plenty := limit.Rate{Count: 1_000_000, Per: time.Second}
	for _, r := range []*limit.Rate{
		&s.rates.CreatesPerPartner, &s.rates.ClaimsPerNetwork, &s.rates.PagesPerNetwork, &s.rates.UnknownPerNetwork, &s.rates.UpkeepPerPage,
	} {
		if *r == (limit.Rate{}) {
			*r = plenty
		}
	}
	l, err := limit.New(s.rates, now)
	if err != nil {
		t.Fatalf("limit.New(%+v) error = %v", s.rates, err)
	}
	return l
}

func streams(s setting) *limit.Streams {
	for _, n := range []*int{&s.streams.PerHandoff, &s.streams.PerNetwork, &s.streams.Total} {
		if *n == 0 {
			*n = 1_000_000
		}
	}
	return limit.NewStreams(s.streams)
}
