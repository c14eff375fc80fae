package platformsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// Fault is something that goes wrong with the next calls of one kind.
type Fault struct {
	Call string `json:"call"` // token, start, connect, state; journey is journey/start
	// Kind is one of
	//
	//	status       answers Status, and nothing happens
	//	delay        the call has its effect, the answer comes DelayMS later
	//	drop_before  the connection closes, and nothing happened
	//	drop_after   the call has its effect, then the connection closes
	//	malformed    the call has its effect, half of the answer is sent
	//	html         answers Status, 502 unless given, with a proxy's page, and nothing happens
	//	in_band      answers 200 with {"status":"error","code":Status}, 500 unless given, and nothing happens
	Kind       string `json:"kind"`
	Status     int    `json:"status"`
	RetryAfter int    `json:"retryAfter"` // seconds; with status and html
	DelayMS    int    `json:"delayMs"`    // milliseconds, 1 to 120,000; with delay
	Count      int    `json:"count"`      // how many calls; 0 is 1
}

// Fault arranges for calls to go wrong, after those that already wait.
func (s *Sim) Fault(f Fault) error {
	if f.Count == 0 {
		f.Count = 1
	}
	if err := f.check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
	return nil
}

// Mend takes back the faults that no call has met yet.
func (s *Sim) Mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

func (f Fault) check() error {
	calls := []string{"token", "start", "connect", "state", "journey"}
	if !slices.Contains(calls, f.Call) {
		return fmt.Errorf("call %.40q is none of %v", f.Call, calls)
	}
	low := 200
	switch f.Kind {
	case "status":
		low = 400
	case "html", "in_band":
	case "delay":
		if f.DelayMS < 1 || f.DelayMS > 120_000 {
			return fmt.Errorf("delayMs %d is not between 1 and 120000", f.DelayMS)
		}
	case "drop_before", "drop_after", "malformed":
	default:
		return fmt.Errorf("kind %.40q is none of status, delay, drop_before, drop_after, malformed, html, in_band", f.Kind)
	}
	if f.Kind == "status" || f.Status != 0 {
		if f.Status < low || f.Status > 599 {
			return fmt.Errorf("status %d is not between %d and 599", f.Status, low)
		}
	}
	if f.RetryAfter < 0 || f.RetryAfter > 86_400 {
		return fmt.Errorf("retryAfter %d is not between 0 and 86400", f.RetryAfter)
	}
	if f.Count < 1 || f.Count > 1_000_000 {
		return fmt.Errorf("count %d is not between 1 and 1000000", f.Count)
	}
	return nil
}

// takeFault returns the fault the next call of this kind meets, if any.
func (s *Sim) takeFault(call string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.faults, func(f Fault) bool { return f.Call == call })
	if i < 0 {
		return Fault{}, false
	}
	f := s.faults[i]
	if s.faults[i].Count--; s.faults[i].Count == 0 {
		s.faults = slices.Delete(s.faults, i, i+1)
	}
	return f, true
}

// faulty serves a call, or what has been arranged in its place.
func (s *Sim) faulty(w http.ResponseWriter, req *request, rt route) {
	f, ok := s.takeFault(rt.call)
	req.fault = f.Kind
	if !ok {
		a := rt.serve(req)
		s.record(req, rt.call, a.status)
		write(w, a)
		return
	}
	switch f.Kind {
	case "status":
		s.noteInstance(req)
		s.record(req, rt.call, f.Status)
		a := refuse(rt.version, f.Status, "FAULT", "Body", "a fault that was asked for")
		a.retryAfter = f.RetryAfter
		write(w, a)
	case "html":
		status := f.Status
		if status == 0 {
			status = http.StatusBadGateway
		}
		s.noteInstance(req)
		s.record(req, rt.call, status)
		writeHTML(w, status, f.RetryAfter)
	case "in_band":
		code := f.Status
		if code < 400 { // that is the answer's own status, said once more
			code = http.StatusInternalServerError
		}
		s.noteInstance(req)
		s.record(req, rt.call, http.StatusOK)
		write(w, answer{status: http.StatusOK, body: object{"status": "error", "code": code, "message": "a fault that was asked for"}})
	case "drop_before":
		s.noteInstance(req)
		s.record(req, rt.call, 0)
		panic(http.ErrAbortHandler) // closes the connection without an answer
	case "drop_after":
		a := rt.serve(req)
		s.record(req, rt.call, a.status)
		panic(http.ErrAbortHandler)
	case "malformed":
		a := rt.serve(req)
		s.record(req, rt.call, a.status)
		body := encode(a.body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(a.status)
		_, _ = w.Write(body[:len(body)/2])
	case "delay":
		a := rt.serve(req)
		s.record(req, rt.call, a.status)
		select {
		case <-time.After(time.Duration(f.DelayMS) * time.Millisecond):
			write(w, a)
		case <-req.Context().Done():
			panic(http.ErrAbortHandler) // the caller has gone
		}
	}
}

// noteInstance finds out whose call it is when the call itself is not served.
func (s *Sim) noteInstance(req *request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.connects[bearer(req.Request)]; c != nil {
		req.instance = c.instance
		return
	}
	var in struct {
		InstanceID string `json:"instanceId"`
	}
	if json.Unmarshal(req.body, &in) == nil && instanceForm.MatchString(in.InstanceID) {
		req.instance = in.InstanceID
	}
}

func writeHTML(w http.ResponseWriter, status, retryAfter int) {
	if retryAfter > 0 {
		w.Header().Set("Retry-After", itoa(retryAfter))
	}
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<html><head><title>%d</title></head><body><center><h1>%d %s</h1></center><hr>proxy</body></html>\n",
		status, status, http.StatusText(status))
}

func (s *Sim) postFault(w http.ResponseWriter, r *http.Request) {
	var f Fault
	if err := readStrict(w, r, &f); err != nil {
		explain(w, http.StatusBadRequest, err.Error())
		return
	}
	if err := s.Fault(f); err != nil {
		explain(w, http.StatusBadRequest, err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Sim) postJourney(w http.ResponseWriter, r *http.Request, instance string) {
	var j Journey
	if err := readStrict(w, r, &j); err != nil {
		explain(w, http.StatusBadRequest, err.Error())
		return
	}
	if !liveForm.MatchString(instance) {
		explain(w, http.StatusNotFound, noJourney(instance).Error())
		return
	}
	if err := s.SetJourney(instance, j); err != nil {
		explain(w, http.StatusBadRequest, err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Sim) getCalls(w http.ResponseWriter, _ *http.Request) {
	write(w, answer{status: http.StatusOK, body: object{"calls": s.Calls()}})
}

func (s *Sim) deleteAll(w http.ResponseWriter, _ *http.Request) {
	s.Reset()
	w.WriteHeader(http.StatusNoContent)
}

// readStrict reads one JSON value and refuses keys it does not know: a test
// with a misspelt fault must not pass for want of one.
func readStrict(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return fmt.Errorf("reading the body: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("reading the body as JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more follows the JSON object")
	}
	return nil
}

// explain refuses a call of /_sim, with what is wrong.
func explain(w http.ResponseWriter, status int, problem string) {
	write(w, answer{status: status, body: object{"error": problem}})
}
