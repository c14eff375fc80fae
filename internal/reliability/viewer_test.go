package reliability_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// state is what a display's stream and its status tell.
type state struct {
	Seq       int
	Status    string
	PollAfter int
	End       bool
}

// viewer is the script of a display: it follows the stream, and polls while there
// is none, at the same pace.
type viewer struct {
	b       *browser
	display string

	seq     int
	last    state
	without time.Time     // since when it knows nothing; zero: it is up to date
	longest time.Duration // that it knew nothing
	streams int
	byes    int
	faults  []string
}

// follow returns once the handoff has ended, or ctx does.
func (v *viewer) follow(ctx context.Context) {
	v.without = time.Now()
	refused, fails := 0, 0
	for ctx.Err() == nil {
		err := v.stream(ctx)
		if v.last.End {
			return
		}
		if err != nil {
			refused++
		} else {
			refused = 0
		}
		for pause(ctx, time.Second); ctx.Err() == nil; {
			err := v.poll(ctx)
			if v.last.End {
				return
			}
			if err != nil {
				fails++
				pause(ctx, time.Duration(min(30, 1<<min(fails, 5)))*time.Second)
				continue
			}
			fails = 0
			if refused < 2 {
				break
			}
			if refused++; refused%12 == 0 {
				break
			}
			pause(ctx, time.Duration(max(v.last.PollAfter, 1))*time.Second)
		}
	}
}

// apply takes a state. A page never goes back, and what is acknowledged never
// should: an older state than the one before is a fault.
func (v *viewer) apply(s state) {
	if s.Seq < v.seq {
		v.faults = append(v.faults, fmt.Sprintf("it was told of change %d (%s) after %d (%s)", s.Seq, s.Status, v.seq, v.last.Status))
		return
	}
	v.seq, v.last = s.Seq, s
	if !v.without.IsZero() {
		v.longest = max(v.longest, time.Since(v.without))
		v.without = time.Time{}
	}
}

func (v *viewer) lost() {
	if v.without.IsZero() {
		v.without = time.Now()
	}
}

func (v *viewer) ask(ctx context.Context, path, accept string) (*http.Response, error) {
	r, err := v.b.request(ctx, http.MethodGet, v.display+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", accept)
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Sec-Fetch-Dest", "empty")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	client := *v.b.client
	client.Timeout = 0 // a stream lasts
	return client.Do(r)
}

// stream follows one stream to its end. An error is that there was none, or that
// it broke before it said anything.
func (v *viewer) stream(ctx context.Context) error {
	resp, err := v.ask(ctx, "/events", "text/event-stream")
	if err != nil {
		v.lost()
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		v.lost()
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	v.streams++
	err = errors.New("it said nothing")
	name := ""
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		switch key, value, _ := strings.Cut(lines.Text(), ": "); key {
		case "event":
			name = value
		case "data":
			var s state
			switch {
			case name == "bye":
				v.byes++
				v.lost()
				return nil
			case name == "state" && json.Unmarshal([]byte(value), &s) == nil:
				v.apply(s)
				if err = nil; s.End {
					return nil
				}
			}
		}
	}
	v.lost()
	return err
}

func (v *viewer) poll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	resp, err := v.ask(ctx, "/status", "application/json")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var s state
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		return err
	}
	v.apply(s)
	return nil
}
