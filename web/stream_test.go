package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// event is one Server-Sent Event.
type event struct{ id, name, data string }

// stream is an open stream, as an EventSource has it.
type stream struct {
	*http.Response
	t     testing.TB
	lines *bufio.Scanner
	body  *counted
}

// counted counts what is read.
type counted struct {
	io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

// stream opens the stream of a page; last is Last-Event-ID, or empty.
func (p *person) stream(address, last string) *stream {
	p.t.Helper()
	ctx, stop := context.WithTimeout(p.t.Context(), patience)
	r := without(p.request(http.MethodGet, address+"/events", nil), "Sec-Fetch-Mode").WithContext(ctx)
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Sec-Fetch-Dest", "empty")
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	res, err := p.client.Do(r)
	if err != nil {
		stop()
		p.t.Fatalf("GET %s/events: %v", address, err)
	}
	p.t.Cleanup(func() {
		stop()
		_ = res.Body.Close()
	})
	body := &counted{Reader: res.Body}
	return &stream{Response: res, t: p.t, lines: bufio.NewScanner(body), body: body}
}

// next is the next event; ok is false at the end of the stream.
func (s *stream) next() (e event, ok bool) {
	s.t.Helper()
	for s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch name {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "":
			if e.name != "" {
				return e, true
			}
		}
	}
	if err := s.lines.Err(); err != nil {
		s.t.Fatalf("reading a stream: %v", err)
	}
	return e, false
}

// until is the first state with this screen; frames and others before it are
// passed over, and none may be older than the one before.
func (s *stream) until(screen string) status {
	s.t.Helper()
	return s.untilState(screen, func(st status) bool { return st.Screen == screen })
}

// untilSeq is the first state as new as that.
func (s *stream) untilSeq(seq int) status {
	s.t.Helper()
	return s.untilState("seq "+strconv.Itoa(seq), func(st status) bool { return st.Seq >= seq })
}

func (s *stream) untilState(name string, found func(status) bool) status {
	s.t.Helper()
	seq := 0
	for {
		e, ok := s.next()
		if !ok {
			s.t.Fatalf("the stream ended before %s", name)
		}
		if e.name != "state" {
			continue
		}
		var st status
		if err := json.Unmarshal([]byte(e.data), &st); err != nil {
			s.t.Fatalf("state %s: %v", e.data, err)
		}
		if e.id != strconv.Itoa(st.Seq) || st.V != 1 || st.Seq < seq {
			s.t.Fatalf("state %s with id %s after %d, want its seq, and none older", e.data, e.id, seq)
		}
		if seq = st.Seq; found(st) {
			return st
		}
	}
}

// way is how the streams of a world come to their pages.
type way int

const (
	wayTaken way = iota // their connections are taken over
	wayPlain            // by net/http
	wayHTTP2            // by net/http too, many over one connection
)

// overEachWay tests what holds whichever way a stream comes.
func overEachWay(t *testing.T, test func(t *testing.T, over func(*setting))) {
	t.Helper()
	t.Parallel()
	for name, by := range map[string]way{"taken": wayTaken, "plain": wayPlain, "HTTP 2": wayHTTP2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, func(s *setting) { s.way = by })
		})
	}
}

// wantTaken counts the streams whose connections were taken over.
func (w *world) wantTaken(by way, n int64) {
	w.t.Helper()
	if by != wayTaken || runtime.GOOS != "linux" {
		n = 0
	}
	if got := w.taken.Load(); got != n {
		w.t.Errorf("%d connections were taken over, want %d", got, n)
	}
}

func TestStream(t *testing.T) { overEachWay(t, testStream) }

func testStream(t *testing.T, over func(*setting)) {
	var by way
	w := newWorld(t, asked("always"), over, func(s *setting) { by = s.way })
	s := w.begin(map[string]any{"returnUrl": "http://localhost:8999/done"})
	s.open()
	desk := s.desk.stream(s.made.DisplayURL, "")
	if desk.StatusCode != http.StatusOK || desk.Header.Get("Content-Type") != "text/event-stream" || desk.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("events = %d %v, want 200, a stream, not to be stored", desk.StatusCode, desk.Header)
	}
	first := desk.until("waiting") // at once
	if first.Status != "displayed" || first.End || first.Slots["say"] == "" {
		t.Errorf("first state = %+v, want displayed with what to say", first)
	}
	s.scan()
	if st := desk.until("opened"); st.Slots["opened"] == "" {
		t.Errorf("opened: slots = %v, want the line that says so", st.Slots)
	}
	s.tap()
	number := s.digits()
	st := desk.until("number")
	if !st.Confirm || st.Slots["from"] == "" || strings.Contains(st.Slots["from"], number) {
		t.Errorf("number: %+v, want confirm, and from where, without the number", st)
	}
	phone := s.phone.stream(s.own.url.String(), "")
	phone.until("number")
	s.enter(not(number))
	if st := desk.until("number"); st.Slots["wrong"] == "" {
		t.Errorf("after a wrong number: slots = %v, want that it was wrong", st.Slots)
	}
	s.enter(number)
	desk.until("connected")
	phone.until("connecting")
	s.own = s.phone.get(s.own.url.String())
	phone.until("ready")
	s.toApp()
	desk.until("delivered")
	phone.until("delivered")
	s.toEnd()
	end := desk.until("completed")
	if !end.End || !strings.Contains(end.ReturnURL, "status=completed") {
		t.Errorf("end = %+v, want it said, with where to go", end)
	}
	phone.until("ended")
	for name, at := range map[string]*stream{"display": desk, "phone": phone} {
		if e, ok := at.next(); ok {
			t.Errorf("after the end the %s's stream says %+v, want its end", name, e)
		}
	}
	// Opened again: nothing new for one who has seen the end, all for one who has not.
	last := strconv.Itoa(end.Seq)
	for _, at := range []*stream{s.desk.stream(s.made.DisplayURL, last), s.phone.stream(s.own.url.String(), last)} {
		if at.StatusCode != http.StatusNoContent {
			t.Errorf("opened again after the end = %d, want 204", at.StatusCode)
		}
	}
	for _, old := range []string{strconv.Itoa(end.Seq - 1), "", "x"} {
		again := s.desk.stream(s.made.DisplayURL, old)
		again.until("completed")
		if _, more := again.next(); more {
			t.Errorf("a stream after the end goes on")
		}
	}
	if proto := map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"}[by == wayHTTP2]; desk.Proto != proto {
		t.Errorf("the stream came by %s, want %s", desk.Proto, proto)
	}
	w.wantTaken(by, 2) // one that has ended already never is
	w.wantNoTokens("the log", w.logs.String())
}

// TestStreamFrames: the code changes, and says so without showing it.
func TestStreamFrames(t *testing.T) { overEachWay(t, testStreamFrames) }

func testStreamFrames(t *testing.T, over func(*setting)) {
	w := newWorld(t, over, func(s *setting) { s.frame = time.Second })
	s := w.begin()
	s.open()
	reference := s.code()[strings.LastIndex(s.code(), "/")+1:][:26]
	desk, seen := s.desk.stream(s.made.DisplayURL, ""), -1
	for range 2 {
		e, ok := desk.next()
		for ok && e.name != "frame" {
			e, ok = desk.next()
		}
		var data struct{ Frame int }
		if err := json.Unmarshal([]byte(e.data), &data); err != nil || data.Frame <= seen || e.id != "" || strings.Contains(e.data, reference) {
			t.Fatalf("frame event %+v (%v), want a number above %d, no id, and not the code", e, err, seen)
		}
		seen = data.Frame
	}
	if _, frame, _ := cutFrame(t, s.code()); frame == "0" {
		t.Errorf("the code still has its first frame")
	}
	_, before, _ := cutFrame(t, s.code())
	if _, now, _ := cutFrame(t, w.scan(s.made.DisplayURL)); now < before {
		t.Errorf("the picture has frame %s, want %s or later", now, before)
	}
}

// TestStreamBye: the server goes, and says so.
func TestStreamBye(t *testing.T) { overEachWay(t, testStreamBye) }

func testStreamBye(t *testing.T, over func(*setting)) {
	w := newWorld(t, over)
	s := w.connected()
	desk, phone := s.desk.stream(s.made.DisplayURL, ""), s.phone.stream(s.own.url.String(), "")
	desk.until("connected")
	phone.until("ready")
	w.hub.Close()
	for name, at := range map[string]*stream{"display": desk, "phone": phone} {
		e, ok := at.next()
		for ok && e.name == "frame" {
			e, ok = at.next()
		}
		if e.name != "bye" {
			t.Errorf("the %s's stream says %+v, want bye", name, e)
		}
		if e, ok = at.next(); ok {
			t.Errorf("after bye the %s's stream says %+v", name, e)
		}
	}
	// One that comes now is told what there is, and bye.
	late := s.desk.stream(s.made.DisplayURL, "")
	late.until("connected")
	if e, _ := late.next(); e.name != "bye" {
		t.Errorf("a stream of a server that goes says %+v, want bye", e)
	}
}

// TestStreamOfTheAbsent: streams of what is not there are refused as pages are.
func TestStreamOfTheAbsent(t *testing.T) { overEachWay(t, testStreamOfTheAbsent) }

func testStreamOfTheAbsent(t *testing.T, over func(*setting)) {
	w := newWorld(t, over)
	s := w.connected()
	for _, address := range []string{w.public + "/h/AAAAAAAAAAAAAAAAAAAAAA", w.public + "/p/AAAAAAAAAAAAAAAAAAAAAA"} {
		if at := s.phone.stream(address, ""); at.StatusCode != http.StatusNotFound {
			t.Errorf("events of %s = %d, want 404", address, at.StatusCode)
		}
	}
	// A phone that was let go learns it by its next question.
	phone := s.phone.stream(s.own.url.String(), "")
	phone.until("ready")
	s.desk.press(s.open(), "action-release")
	if a := s.phone.get(s.own.url.String() + "/status"); a.StatusCode != http.StatusGone {
		t.Errorf("status of a page that was let go = %d, want 410", a.StatusCode)
	}
}
