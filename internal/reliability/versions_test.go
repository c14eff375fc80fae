package reliability_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	bolt "go.etcd.io/bbolt"

	"github.com/handoff-portal/handoff/internal/redistest"
	storedform "github.com/handoff-portal/handoff/internal/store/record"
)

// nextField is a field that the newer program puts into everything it writes.
const nextField = "next"

// nextSource is what the newer program has beyond ours: a record of the version after,
// with a field more in every object, of whose value nobody else can know.
const nextSource = `package record

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
)

func marshalNext(r handoffRecord) ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	var top map[string]any
	numbers := json.NewDecoder(bytes.NewReader(b))
	numbers.UseNumber()
	if err := numbers.Decode(&top); err != nil {
		return nil, err
	}
	delete(top, "v")
	var grow func(any)
	grow = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, x := range v {
				grow(x)
			}
			v["next"] = rand.Text()
		case []any:
			for _, x := range v {
				grow(x)
			}
		}
	}
	grow(top)
	if b, err = json.Marshal(top); err != nil {
		return nil, err
	}
	return append(fmt.Appendf(nil, "{\"v\":%d,", Version), b[1:]...), nil
}
`

// otherVar names a program to deploy in TestRollingRestart in place of the version
// after ours: a release, say.
const otherVar = "HANDOFF_TEST_OTHER"

// nextBinary builds the program of the version after ours: ours, but for what it
// stores.
var nextBinary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv(otherVar); path != "" {
		return path, nil
	}
	source, err := filepath.Abs(filepath.Join("..", "store", "record", "record.go"))
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(source)
	if err != nil {
		return "", err
	}
	changed := string(text)
	for was, is := range map[string]string{
		fmt.Sprintf("const Version = %d\n", storedform.Version): fmt.Sprintf("const Version = %d\n", storedform.Version+1),
		"json.Marshal(stored(h))":                               "marshalNext(stored(h))",
	} {
		if strings.Count(changed, was) != 1 {
			return "", fmt.Errorf("%s does not say %q once", source, was)
		}
		changed = strings.Replace(changed, was, is, 1)
	}
	files := map[string]string{source: changed, filepath.Join(filepath.Dir(source), "next.go"): nextSource}
	replace := make(map[string]string)
	for path, text := range files {
		at := filepath.Join(built, filepath.Base(path)+".txt")
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[path] = at
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay, path := filepath.Join(built, "overlay.json"), filepath.Join(built, "handoff-next")
	if err := os.WriteFile(overlay, b, 0o600); err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-overlay", overlay, "-o", path, "github.com/handoff-portal/handoff/cmd/handoff").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the program of the version after: %w\n%s", err, out)
	}
	return path, nil
})

// TestVersionsTakeTurns plays handoffs in which a newer program and ours serve by
// turns, as a deploy and its rollback have it, over a file and over Redis. All go to
// their end, and what the newer one wrote of a thing stays with it while ours changes
// the rest.
func TestVersionsTakeTurns(t *testing.T) {
	t.Parallel()
	for _, build := range []func() (string, error){binary, nextBinary} { // outside of the time that a handoff has
		if _, err := build(); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "handoff.db")
	t.Run("file", func(t *testing.T) {
		takeTurns(t, newWorld(t, "file:"+path), func(id string) ([]byte, error) { return storedInFile(path, id) })
	})
	t.Run("redis", func(t *testing.T) {
		server := redistest.Start(t, redistest.Durable()...)
		client := server.Client()
		takeTurns(t, newWorld(t, "redis://"+server.Addr), func(id string) ([]byte, error) { return storedInRedis(t.Context(), client, id) })
	})
}

// takeTurns plays one handoff that each begins.
func takeTurns(t *testing.T, w *world, stored func(id string) ([]byte, error)) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p := w.process()
	w.at(p.listen)
	client := patientClient()
	kept := 0
	for _, newerFirst := range []bool{true, false} {
		e := w.errand(client)
		p.newer = newerFirst
		p.start()
		p.ready()
		var before map[string]string // what the newer program had written when it ended
		turn := func() {
			if status, _ := p.terminate(); status != 0 {
				t.Errorf("a program ended with status %d\n%s", status, p.tail())
			}
			b, err := stored(e.made.ID)
			if err != nil {
				t.Fatal(err)
			}
			switch v, now := written(t, b); {
			case p.newer:
				before = now
			case before != nil:
				if v != storedform.Version+1 {
					t.Errorf("our program made version %d of a record of version %d", v, storedform.Version+1)
				}
				kept += wantKept(t, before, now)
			}
			p.newer = !p.newer
		}
		e.before = func(context.Context, string) {
			turn()
			p.start()
			p.ready()
		}
		if err := e.play(ctx); err != nil {
			t.Fatal(err)
		}
		for _, f := range e.examine(ctx, "completed") {
			t.Error(f)
		}
		turn()
	}
	if kept < 30 {
		t.Errorf("%d fields were there to be kept, want more: this tested little", kept)
	}
}

// wantKept checks that what is still there has the field it had, and returns how many
// have.
func wantKept(t *testing.T, was, is map[string]string) (kept int) {
	t.Helper()
	for _, path := range slices.Sorted(maps.Keys(is)) {
		had, there := was[path]
		switch {
		case !there || had == "":
		case is[path] != had:
			t.Errorf("our program lost what a newer one had written of %s", path)
		default:
			kept++
		}
	}
	return kept
}

// written reads a record: its version, and of every object in it the newer program's
// field, or nothing. What has an identity is known by it, else by its place.
func written(t *testing.T, b []byte) (version int, fields map[string]string) {
	t.Helper()
	var top map[string]any
	if err := json.Unmarshal(b, &top); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	v, _ := top["v"].(float64)
	fields = make(map[string]string)
	var look func(path string, v any)
	look = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, id := range []string{"h", "n", "to", "by", "s"} {
				if x, ok := v[id]; ok && path != "" {
					path += fmt.Sprintf("[%s=%v]", id, x)
					break
				}
			}
			fields[path], _ = v[nextField].(string)
			for name, x := range v {
				look(path+"."+name, x)
			}
		case []any:
			for _, x := range v {
				look(path, x)
			}
		}
	}
	look("", top)
	return int(v), fields
}

// storedInFile is the record of a handoff in a file that nobody has open.
func storedInFile(path, id string) (b []byte, err error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	err = db.View(func(tx *bolt.Tx) error {
		value := tx.Bucket([]byte("records")).Get([]byte(id))
		if len(value) <= storedform.TimeSize {
			return fmt.Errorf("the file has no record of %s", id)
		}
		b = slices.Clone(value[storedform.TimeSize:])
		return nil
	})
	return b, err
}

// storedInRedis is the record of a handoff.
func storedInRedis(ctx context.Context, client *redis.Client, id string) ([]byte, error) {
	keys, err := client.Keys(ctx, "*:h:"+id).Result()
	if err != nil || len(keys) != 1 {
		return nil, fmt.Errorf("the record of %s has the keys %v, %w", id, keys, orNone(err))
	}
	return client.HGet(ctx, keys[0], "r").Bytes()
}
