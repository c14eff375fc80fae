package reliability_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// disk is a file system of the test's own, which only root may have.
type disk struct {
	t     *testing.T
	dir   string
	image string // that an ext4 is in; empty: it is in memory
}

// run runs a program of the system's, and skips the test if it may not.
func (d *disk) run(name string, args ...string) {
	d.t.Helper()
	out, err := exec.CommandContext(context.WithoutCancel(d.t.Context()), name, args...).CombinedOutput()
	if err != nil {
		d.t.Skipf("SKIPPED: a disk to break cannot be had, which takes root and e2fsprogs: %s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// smallDisk is a disk of so many bytes, in memory.
func smallDisk(t *testing.T, bytes int) *disk {
	t.Helper()
	d := &disk{t: t, dir: t.TempDir()}
	d.run("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d,mode=700", bytes), "handoff-test", d.dir)
	t.Cleanup(d.unmount)
	return d
}

// frailDisk is a disk that becomes read-only at its first fault, as most do.
func frailDisk(t *testing.T) *disk {
	t.Helper()
	d := &disk{t: t, dir: t.TempDir(), image: filepath.Join(t.TempDir(), "image")}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.image, 64<<20); err != nil {
		t.Fatal(err)
	}
	d.run("mkfs.ext4", "-q", "-F", d.image)
	d.mount()
	t.Cleanup(d.unmount)
	return d
}

func (d *disk) mount() {
	d.t.Helper()
	d.run("mount", "-o", "loop,errors=remount-ro", d.image, d.dir)
}

func (d *disk) unmount() { _ = syscall.Unmount(d.dir, syscall.MNT_DETACH) } // it may have been unmounted

// fail makes the kernel find a fault.
func (d *disk) fail() {
	d.t.Helper()
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		d.t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); f[1] == d.dir {
			err = os.WriteFile(filepath.Join("/sys/fs/ext4", filepath.Base(f[0]), "trigger_fs_error"), []byte("a test"), 0)
		}
	}
	// The kernel may say of this very call that it is read-only now.
	if err != nil && !errors.Is(err, syscall.EROFS) {
		d.t.Skipf("SKIPPED: the kernel does not let a disk fail: %v", err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "x"), nil, 0o600); !errors.Is(err, syscall.EROFS) {
		d.t.Fatalf("writing to a disk that failed = %v, want %v", err, syscall.EROFS)
	}
}

// fill takes all the room there is, until free is called.
func (d *disk) fill() (free func()) {
	d.t.Helper()
	path := filepath.Join(d.dir, "other-things")
	f, err := os.Create(path)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		d.t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			d.t.Fatal(err)
		}
	}
}

// TestDiskFills and TestDiskFails: people stand before Continue when the disk takes
// nothing any more. Machines are told to come again, and when; what there is can be
// read; a page says to wait, and when the disk is well the same button goes through.
// A full disk needs room and nothing else. One that failed is examined by its
// operator, with the portal stopped.
func TestDiskFills(t *testing.T) {
	t.Parallel()
	d := smallDisk(t, 2<<20)
	b := newBadDay(t, d)
	free := d.fill()
	b.lasts()
	free()
	b.ends()
}

func TestDiskFails(t *testing.T) {
	t.Parallel()
	d := frailDisk(t)
	b := newBadDay(t, d)
	d.fail()
	b.lasts()
	select {
	case <-b.told:
	default:
		t.Error("nobody was told to wait: the disk was well")
	}

	status, _ := b.p.terminate()
	if status != 0 {
		t.Errorf("a portal whose disk failed ends with %d, want 0\n%s", status, b.p.tail())
	}
	b.p.wantRefused("read-only file system", b.file)
	d.unmount()
	d.run("sh", "-c", "e2fsck -fy "+d.image+" || [ $? -eq 1 ]") // 1: it is mended
	d.mount()
	b.p.start()
	b.p.ready()
	b.ends()
}

// badDay is a portal whose file is on a bad disk, and some people.
type badDay struct {
	t       *testing.T
	w       *world
	p       *process
	file    string
	client  *http.Client
	ctx     context.Context
	errands []*errand
	errs    []error
	presses chan struct{}
	told    chan struct{} // closed when the first of them was told to wait
	met     sync.WaitGroup
	playing sync.WaitGroup
}

func newBadDay(t *testing.T, d *disk) *badDay {
	t.Helper()
	b := &badDay{t: t, file: filepath.Join(d.dir, "handoff.db"), client: patientClient(), presses: make(chan struct{}), told: make(chan struct{})}
	waited := sync.OnceFunc(func() { close(b.told) })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	b.ctx = ctx
	b.w = newWorld(t, "file:"+b.file)
	b.p = b.w.process()
	b.w.at(b.p.listen)
	b.p.start()
	b.p.ready()
	b.errands, b.errs = make([]*errand, 5), make([]error, 5)
	var arrived sync.WaitGroup
	for n := range b.errands {
		e := b.w.errand(b.client)
		arrived.Add(1)
		b.met.Add(1)
		e.before = func(ctx context.Context, call string) {
			if call == "connect" {
				arrived.Done()
				await(ctx, b.presses)
			}
		}
		e.meets, e.waited = b.met.Done, waited
		b.errands[n] = e
		b.playing.Go(func() { b.errs[n] = e.play(ctx) })
	}
	arrived.Wait()
	return b
}

// create is one call of the partner's, and what it comes to.
func (b *badDay) create() *http.Response {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.ctx, http.MethodPost, b.w.public+"/v1/handoffs", strings.NewReader(`{"instanceId":"`+newInstance()+`"}`))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+b.w.key.Reveal())
	r.Header.Set("Content-Type", "application/json")
	resp, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

// lasts checks what each side sees while the disk takes nothing, and returns when the
// first of the people has seen it too. Small changes may still find a free page: then all
// of them get through.
func (b *badDay) lasts() {
	t := b.t
	t.Helper()
	resp := b.create()
	for n := 0; resp.StatusCode == http.StatusCreated && n < 1000; n++ {
		resp = b.create() // pages of the file that are free take a few more
	}
	after, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if resp.StatusCode != http.StatusServiceUnavailable || err != nil || after < 1 || after > 10 || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("POST /v1/handoffs = %d with Retry-After %q and %s, want 503, some seconds and a problem", resp.StatusCode, resp.Header.Get("Retry-After"), resp.Header.Get("Content-Type"))
	}
	for _, e := range b.errands {
		desk := newBrowser(b.client, desktopAgent)
		if p, err := desk.once(b.ctx, http.MethodGet, e.made.DisplayURL, nil); err != nil || p.status != http.StatusOK {
			t.Errorf("a display that is there reads as %d, %v", p.status, err)
		}
	}
	for _, path := range []string{"/livez", "/readyz"} {
		if resp, err := http.Get("http://" + b.p.internal + path); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%s while there is something to read: %v", path, err)
		}
	}
	close(b.presses)
	met := make(chan struct{})
	go func() {
		b.met.Wait()
		close(met)
	}()
	select {
	case <-b.told:
	case <-met:
	case <-b.ctx.Done():
	}
}

// ends: the disk is well again.
func (b *badDay) ends() {
	b.t.Helper()
	b.playing.Wait()
	for n, e := range b.errands {
		if b.errs[n] != nil {
			b.t.Errorf("handoff %d: %v", n, b.errs[n])
			continue
		}
		for _, f := range e.examine(b.ctx, "completed") {
			b.t.Errorf("handoff %d: %s", n, f)
		}
	}
	for _, f := range b.w.exchanges(b.errands) {
		b.t.Error(f)
	}
	if resp := b.create(); resp.StatusCode != http.StatusCreated {
		b.t.Errorf("POST /v1/handoffs when the disk is well = %d, want 201", resp.StatusCode)
	}
}

// TestFileRefused: a process does not start over a file that another has open, which
// goes on serving, or that lost its end, and says why.
func TestFileRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "handoff.db")
	w := newWorld(t, "file:"+file)
	first, second := w.process(), w.process()
	w.at(first.listen)
	first.start()
	first.ready()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client := patientClient()
	second.wantRefused("another process has it open", file)
	if e := w.errand(client); e.play(ctx) != nil || e.end != "completed" {
		t.Errorf("a handoff while a second process was refused ended as %q", e.end)
	}
	first.kill()

	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, left := range []int{100, 3 * os.Getpagesize()} {
		if err := os.WriteFile(file, whole[:left], 0o600); err != nil {
			t.Fatal(err)
		}
		second.wantRefused("", file)
	}
	if err := os.WriteFile(file, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	first.start()
	first.ready()
	if e := w.errand(client); e.play(ctx) != nil || e.end != "completed" {
		t.Errorf("a handoff when the file is whole again ended as %q", e.end)
	}
}

// wantRefused starts a process that must not, and says why and of which file.
func (p *process) wantRefused(why, file string) {
	p.w.t.Helper()
	p.start()
	p.mu.Lock()
	cmd, ended := p.cmd, p.ended
	p.mu.Unlock()
	select {
	case <-ended:
	case <-time.After(patience):
		p.w.t.Fatalf("a process that should be refused %s goes on", file)
	}
	if said := p.tail(); cmd.ProcessState.ExitCode() != 1 || !strings.Contains(said, why) || !strings.Contains(said, file) {
		p.w.t.Errorf("the process ended with %d, want 1, %q and %s:\n%s", cmd.ProcessState.ExitCode(), why, file, said)
	}
}
