package platform_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/platform"
)

// answers is a platform that says what it is told to, for the variants that have
// been published or seen and that the stand-in does not have.
type answers map[string]func(http.ResponseWriter)

func (a answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	if say, ok := a[call]; ok {
		say(w)
		return
	}
	if call == "token.oauth2" {
		says(200, `{"access_token":"an-access-token","token_type":"Bearer","expires_in":3600}`)(w)
		return
	}
	w.WriteHeader(http.StatusUnauthorized)
}

func says(status int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func jwt(claims string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

func TestLifetimes(t *testing.T) {
	inAQuarter := time.Date(2000, 1, 1, 0, 15, 0, 0, time.UTC).Unix() // bubbles begin at 2000-01-01
	exp := fmt.Sprintf(`{"exp":%d}`, inAQuarter)
	for _, tt := range []struct {
		expiresIn, claims string
		want              time.Duration
	}{
		{`3600`, exp, time.Hour},
		{`"3600"`, exp, time.Hour},
		{`" 3600 "`, exp, time.Hour},
		{`3599.5`, exp, 3599500 * time.Millisecond},
		{`86399`, exp, 86399 * time.Second},
		{`null`, exp, 15 * time.Minute},
		{`0`, exp, 15 * time.Minute},
		{`-1`, exp, 15 * time.Minute},
		{`"soon"`, exp, 15 * time.Minute},
		{`{"s":3600}`, exp, 15 * time.Minute},
		{`1e300`, exp, 15 * time.Minute},
		{`31536000000`, exp, 15 * time.Minute}, // milliseconds, perhaps
		{`null`, `{"exp":1}`, time.Hour},
		{`null`, `{"exp":99999999999999}`, time.Hour},
		{`null`, `{"exp":"x"}`, time.Hour},
		{`null`, `no json`, time.Hour},
	} {
		for _, kind := range []string{"end-user", "end_user", "connect", "Bearer"} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, options{handler: answers{"connect": says(200, fmt.Sprintf(`{"endUserToken":%q,"tokenType":%q,"expiresIn":%s}`, jwt(tt.claims), kind, tt.expiresIn))}})
				got, err := w.ConnectDevice(t.Context(), "AAAAAAAAAAAA", phone())
				if err != nil || time.Until(got.ExpiresAt) != tt.want {
					t.Errorf("expiresIn %s, JWT %s, type %s: lasts %s, %v; want %s", tt.expiresIn, tt.claims, kind, time.Until(got.ExpiresAt), err, tt.want)
				}
			})
		}
	}
}

// TestExpiryBySkewedClock: the exp of a JWT counts by the clock that wrote it.
func TestExpiryBySkewedClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		there := time.Date(2011, 5, 6, 7, 8, 9, 0, time.UTC)
		body := fmt.Sprintf(`{"endUserToken":%q}`, jwt(fmt.Sprintf(`{"exp":%d}`, there.Add(20*time.Minute).Unix())))
		w := newWorld(t, options{handler: answers{"connect": func(w http.ResponseWriter) {
			w.Header().Set("Date", there.Format(http.TimeFormat))
			says(200, body)(w)
		}}})
		got, err := w.ConnectDevice(t.Context(), "AAAAAAAAAAAA", phone())
		if err != nil || time.Until(got.ExpiresAt) != 20*time.Minute {
			t.Errorf("ConnectDevice: lasts %s, %v; want 20m0s", time.Until(got.ExpiresAt), err)
		}
	})
}

func TestConnectTokenAnswers(t *testing.T) {
	for body, want := range map[string]time.Duration{
		`{"connectToken":"AAAAAAAA","tokenType":"connect","expiresIn":"120","scope":["mobile"]}`: 2 * time.Minute,
		`{"connectToken":"AAAAAAAA","tokenType":"connect","expiresIn":119,"scope":"mobile"}`:     119 * time.Second,
		`{"connectToken":"AAAAAAAA"}`:                          2 * time.Minute,
		`{"connectToken":"` + strings.Repeat("A", 1024) + `"}`: 2 * time.Minute,
		`{"connectToken":"` + strings.Repeat("A", 1025) + `"}`: 0,
		`{"connectToken":"AAAAAAA"}`:                           0,
		`{"connectToken":"AAAA AAAA"}`:                         0,
		`{"connectToken":12345678}`:                            0,
		`{}`:                                                   0,
		`[]`:                                                   0,
		``:                                                     0,
		`{"connectToken":"AAAAAAAA","scope":["` + strings.Repeat("x", 64<<10) + `"]}`: 0,
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, options{handler: answers{"start": says(201, body)}})
			got, err := w.StartDevice(t.Context(), instance, []handoff.Scope{handoff.ScopeMobile})
			if want == 0 {
				wantCode(t, fmt.Sprintf("StartDevice answered %.80s", body), err, handoff.CodePlatformUnavailable)
			} else if err != nil || time.Until(got.ExpiresAt) != want {
				t.Errorf("StartDevice answered %.80s: lasts %s, %v; want %s", body, time.Until(got.ExpiresAt), err, want)
			}
		})
	}
}

func TestEndUserTokenAnswers(t *testing.T) {
	for body, want := range map[string]handoff.Code{
		`{"endUserToken":"a.b.c"}`:                             "",
		`{"endUserToken":""}`:                                  handoff.CodeConnectLost,
		`{"endUserToken":"a\nb"}`:                              handoff.CodeConnectLost,
		`{"endUserToken":"` + strings.Repeat("a", 5000) + `"}`: handoff.CodeConnectLost,
		`{"token":"a.b.c"}`:                                    handoff.CodeConnectLost,
		``:                                                     handoff.CodeConnectLost,
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, options{handler: answers{"connect": says(200, body)}})
			_, err := w.ConnectDevice(t.Context(), "AAAAAAAAAAAA", phone())
			wantCode(t, fmt.Sprintf("ConnectDevice answered %.60s", body), err, want)
		})
	}
}

// TestErrorBodies: the status decides, whatever the body.
func TestErrorBodies(t *testing.T) {
	for _, body := range []string{
		`{"errors":[{"code":"4002","name":"MISSING_FIELD","location":"Body","problem":"…","action":"…"}]}`,
		`{"errors":[{"code":4002}]}`, `{"errors":[]}`, `{"errors":"x"}`, `{"errors":[null]}`,
		`{"status":403,"message":"…","error":"…"}`,
		`{"status":"error","code":500,"message":"…"}`,
		``, `null`, `{`, `plain text`, strings.Repeat("x", 1<<20),
	} {
		for status, want := range map[int][2]handoff.Code{
			400: {handoff.CodePlatformUnavailable, handoff.CodeConnectSpent},
			401: {handoff.CodePlatformUnavailable, handoff.CodeConnectSpent},
			403: {handoff.CodeUnknownJourney, handoff.CodeDeviceNotAllowed},
			404: {handoff.CodeUnknownJourney, handoff.CodeUnknownJourney},
			302: {handoff.CodePlatformUnavailable, handoff.CodeConnectLost},
			500: {handoff.CodePlatformUnavailable, handoff.CodeConnectLost},
		} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, options{handler: answers{"start": says(status, body), "connect": says(status, body)}})
				_, err := w.StartDevice(t.Context(), instance, []handoff.Scope{handoff.ScopeMobile})
				wantCode(t, fmt.Sprintf("StartDevice answered %d %.60s", status, body), err, want[0])
				_, err = w.ConnectDevice(t.Context(), "AAAAAAAAAAAA", phone())
				wantCode(t, fmt.Sprintf("ConnectDevice answered %d %.60s", status, body), err, want[1])
			})
		}
	}
}

func TestErrorsInBand(t *testing.T) {
	for body, want := range map[string]handoff.Code{
		`{"status":"error","code":500,"message":"…"}`:   handoff.CodeConnectLost,
		`{"status":"error","code":"500","message":"…"}`: handoff.CodeConnectLost,
		`{"status":"error","message":"…"}`:              handoff.CodeConnectLost,
		`{"status":"error","code":7}`:                   handoff.CodeConnectLost,
		`{"status":"error","code":429}`:                 handoff.CodePlatformUnavailable,
		`{"status":"error","code":401}`:                 handoff.CodeConnectSpent,
		`{"status":403,"message":"…","error":"…"}`:      handoff.CodeDeviceNotAllowed,
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, options{handler: answers{"connect": says(200, body)}})
			_, err := w.ConnectDevice(t.Context(), "AAAAAAAAAAAA", phone())
			wantCode(t, "ConnectDevice answered 200 "+body, err, want)
		})
	}
}

func TestStateAnswers(t *testing.T) {
	const (
		running  = handoff.JourneyRunning
		finished = handoff.JourneyFinished
		bad      = handoff.JourneyFailed
		none     = handoff.JourneyState(-1)
	)
	for body, want := range map[string]handoff.JourneyState{
		`{"status":"InProgress"}`:                                                 running,
		`{"status":"Paused"}`:                                                     running,
		`{"status":"Completed"}`:                                                  finished,
		`{"status":"Failed"}`:                                                     bad,
		`{"status":"InProgress","result":{"status":"pending"}}`:                   running,
		`{"status":"InProgress","result":{"status":"complete"}}`:                  finished,
		`{"status":"InProgress","result":{"status":"error"}}`:                     bad,
		`{"status":"InProgress","result":{"status":"timeout"}}`:                   bad,
		`{"status":"InProgress","result":{"status":"something else"}}`:            finished,
		`{"status":"Completed","result":{"status":"complete"}}`:                   finished,
		`{"status":"Completed","result":{"status":"error"}}`:                      bad,
		`{"status":"Error","result":{"status":"error"}}`:                          bad,
		`{"status":"error","result":{"status":"error"}}`:                          bad,
		`{"status":"error","message":"…","result":{"status":"timeout"}}`:          bad,
		`{"status":"InProgress","result":null}`:                                   running,
		`{"status":"InProgress","result":"complete"}`:                             running,
		`{"status":"InProgress","result":[1]}`:                                    running,
		`{"status":"Waiting"}`:                                                    running,
		`{"result":{"status":"complete"}}`:                                        finished,
		`{"status":"Completed","context":"` + strings.Repeat("x", 100_000) + `"}`: finished,
		`{}`:           none,
		`{"status":5}`: none,
		`{"status":"error","code":500,"message":"…"}`: none,
		`{"status":"error","message":"…"}`:            none,
		`<html>`:                                      none,
		``:                                            none,
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, options{handler: answers{"fetch": says(200, body)}})
			got, err := w.State(t.Context(), instance)
			if want == none {
				wantCode(t, fmt.Sprintf("State answered %.80s", body), err, handoff.CodePlatformUnavailable)
			} else if got != want || err != nil {
				t.Errorf("State answered %.80s = %v, %v, want %v", body, got, err, want)
			}
		})
	}
}

// TestRetryAfterDate: a date counts by the platform's clock, which need not be ours.
func TestRetryAfterDate(t *testing.T) {
	for _, tt := range []struct {
		date, after string
		want        time.Duration
	}{
		{"Sat, 01 Jan 2000 00:00:00 GMT", "Sat, 01 Jan 2000 00:00:40 GMT", 40 * time.Second},
		{"Wed, 01 Jan 2020 00:00:00 GMT", "Wed, 01 Jan 2020 00:00:40 GMT", 40 * time.Second},
		{"Wed, 01 Jan 2020 00:00:00 GMT", "Tue, 01 Jan 2030 00:00:00 GMT", time.Hour},
		{"Wed, 01 Jan 2020 00:00:00 GMT", "99999999", time.Hour},
		{"Wed, 01 Jan 2020 00:00:00 GMT", "Wed, 01 Jan 2019 00:00:00 GMT", 5 * time.Second},
		{"Wed, 01 Jan 2020 00:00:00 GMT", "-7", 5 * time.Second},
		{"Wed, 01 Jan 2020 00:00:00 GMT", "later", 5 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, options{handler: answers{"connect": func(w http.ResponseWriter) {
				w.Header().Set("Date", tt.date)
				w.Header().Set("Retry-After", tt.after)
				w.WriteHeader(http.StatusTooManyRequests)
			}}})
			_, err := w.ConnectDevice(t.Context(), "AAAAAAAAAAAA", phone())
			wantCode(t, "ConnectDevice answered 429", err, handoff.CodePlatformUnavailable)
			if got := retryAfterOf(err); got != tt.want {
				t.Errorf("Retry-After %q at %q = %s, want %s", tt.after, tt.date, got, tt.want)
			}
		})
	}
}

// TestRequests: what the platform is sent, and that nothing follows a redirect.
func TestRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []*http.Request
		script := answers{
			"start":   says(200, `{"connectToken":"AAAAAAAA"}`),
			"connect": func(w http.ResponseWriter) { w.Header().Set("Location", "/elsewhere"); w.WriteHeader(307) },
			"fetch":   says(200, `{"status":"Completed"}`),
		}
		w := newWorld(t, options{
			edit: func(c *platform.Config) { c.Source = "handoff-portal" },
			handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				seen = append(seen, r)
				script.ServeHTTP(w, r)
			}),
		})
		w.start()
		_, err := w.ConnectDevice(t.Context(), "BBBBBBBB", phone())
		wantCode(t, "ConnectDevice answered 307", err, handoff.CodeConnectLost)
		if _, err := w.State(t.Context(), instance); err != nil {
			t.Errorf("State = %v", err)
		}
		var got []string
		for _, r := range seen {
			got = append(got, r.Method+" "+r.URL.String()+" "+r.Header.Get("Authorization")+" "+r.Header.Get("X-GBG-Source")+" "+r.Header.Get("Content-Type"))
		}
		want := []string{
			"POST /as/token.oauth2  handoff-portal application/x-www-form-urlencoded",
			"POST /v2/captain/journey/device/start Bearer an-access-token handoff-portal application/json",
			"POST /v2/captain/journey/device/connect Bearer BBBBBBBB handoff-portal application/json",
			"POST /v2/captain/journey/state/fetch?view=slim Bearer an-access-token handoff-portal application/json",
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("requests:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// TestNonsenseStaysOut: whatever the platform sends, the log quotes none of it,
// and no more of it is read than an answer may have.
func TestNonsenseStaysOut(t *testing.T) {
	const canary = "canary-in-an-answer"
	for name, say := range map[string]func(http.ResponseWriter){
		"too long":       says(200, `{"status":"`+canary+strings.Repeat("x", 2<<20)+`"}`),
		"a bad word":     says(200, `{"status":[`+canary+`]}`),
		"a bad code":     says(400, `{"errors":[{"code":"`+canary+` and more"}]}`),
		"a bad id":       func(w http.ResponseWriter) { w.Header().Set("X-Request-ID", canary+" <b>"); w.WriteHeader(500) },
		"a bad date":     func(w http.ResponseWriter) { w.Header().Set("Retry-After", canary); w.WriteHeader(500) },
		"a bad place":    func(w http.ResponseWriter) { w.Header().Set("Location", "/"+canary); w.WriteHeader(302) },
		"a bad status":   raw("HTTP/1.1 " + canary + "\r\n\r\n"),
		"a bad header":   raw("HTTP/1.1 200 OK\r\n" + canary + "\r\n\r\n"),
		"a short body":   raw("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + canary),
		"a bad coding":   raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: " + canary + "\r\n\r\n"),
		"a bad length":   raw("HTTP/1.1 200 OK\r\nContent-Length: " + canary + "\r\n\r\n"),
		"another tongue": raw(canary + "\r\n\r\n"),
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, options{handler: answers{"fetch": say, "connect": say}})
			_, err := w.State(t.Context(), instance)
			wantCode(t, name+": State", err, handoff.CodePlatformUnavailable)
			if strings.Contains(w.logs.String(), canary) || strings.Contains(err.Error(), canary) {
				t.Errorf("%s: State = %q, and the log\n%s\nwant nothing of the answer in either", name, err, w.logs.String())
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		w := newWorld(t, options{handler: answers{"connect": func(w http.ResponseWriter) {
			for ; sent < 100; sent++ {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}}})
		_, err := w.ConnectDevice(t.Context(), "AAAAAAAAAAAA", phone())
		wantCode(t, "ConnectDevice with an answer without end", err, handoff.CodeConnectLost)
		synctest.Wait()
		if sent > 10 {
			t.Errorf("%d KB of an answer were read, want little more than 64", sent*64)
		}
	})
}

// raw says something that need not be HTTP.
func raw(text string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		fmt.Fprint(conn, text)
		conn.Close()
	}
}

// TestJourneyBodies: v2 is told how the journey is delivered, v1 is not.
func TestJourneyBodies(t *testing.T) {
	for _, tt := range []struct {
		version       platform.Version
		context, want string
	}{
		{platform.V1, ``, `{"resourceId":"abc@latest","context":{}}`},
		{platform.V1, `{"subject":{"a":1}}`, `{"resourceId":"abc@latest","context":{"subject":{"a":1}}}`},
		{platform.V2, ``, `{"resourceId":"abc@latest","context":{"config":{"delivery":"api"}}}`},
		{platform.V2, `{"subject":{},"config":{"delivery":"page","x":1}}`, `{"resourceId":"abc@latest","context":{"config":{"delivery":"page","x":1},"subject":{}}}`},
		{platform.V2, `{"config":{"x":1e99}}`, `{"resourceId":"abc@latest","context":{"config":{"delivery":"api","x":1e99}}}`},
	} {
		synctest.Test(t, func(t *testing.T) {
			got := ""
			script := answers{"start": says(201, `{"instanceId":"`+string(instance)+`"}`)}
			w := newWorld(t, options{
				setup: setup{version: tt.version, grant: platform.GrantClientCredentials},
				handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if strings.HasSuffix(r.URL.Path, "/journey/start") {
						body, _ := io.ReadAll(r.Body)
						got = string(body)
					}
					script.ServeHTTP(w, r)
				}),
			})
			id, err := w.StartJourney(t.Context(), handoff.Journey{ResourceID: "abc@latest", Context: json.RawMessage(tt.context)})
			if err != nil || id != instance || got != tt.want {
				t.Errorf("StartJourney(%s, %s) = %s, %v, sent %s, want %s", tt.version, tt.context, id, err, got, tt.want)
			}
		})
	}
}
