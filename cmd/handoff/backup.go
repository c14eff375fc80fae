package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/handoff-portal/handoff/internal/store/boltstore"
)

type backupCommand struct {
	To      string `arg:"positional,required" help:"The file to make. One that is there is never written over." placeholder:"FILE"`
	Address string `default:"127.0.0.1:9090" help:"The portal's internal_listen." placeholder:"ADDR"`
}

// Help is shown by handoff backup --help.
func (backupCommand) Help() string {
	return `Copies the file store of a running portal, as of one moment, while it goes on serving, and opens the copy to see that it is whole. The copy is sealed as the file is: it is worth nothing without the server keys, which it does not hold.

To restore, stop the portal, put the copy where store: says, and start it. Handoffs that began after the copy are unknown then, and their people begin again.

Example:

	handoff backup /var/backups/handoff-$(date +%F).db

A Redis store is backed up by Redis's own means.`
}

// backupLimit is how long a copy may take.
const backupLimit = 30 * time.Minute

// Run asks for the copy.
func (c *backupCommand) Run(e *environment) error {
	if _, err := os.Lstat(c.To); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already, and is not written over", c.To)
	}
	part, err := os.CreateTemp(filepath.Dir(c.To), filepath.Base(c.To)+".part-*")
	if err != nil {
		return fmt.Errorf("making the copy: %w", err)
	}
	size, err := c.copyTo(e.ctx, part)
	err = errors.Join(err, part.Close())
	if err == nil {
		err = opens(part.Name())
	}
	if err == nil {
		err = os.Rename(part.Name(), c.To)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part.Name()))
	}
	_, err = fmt.Fprintf(e.out, "%s: %d bytes, whole\n", c.To, size)
	return err
}

// copyTo writes what the portal sends to f, down to the disk.
func (c *backupCommand) copyTo(ctx context.Context, f *os.File) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, backupLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.Address+"/backup", http.NoBody)
	if err != nil {
		return 0, usagef("%q is not an address such as 127.0.0.1:9090", c.Address)
	}
	resp, err := new(http.Client).Do(req)
	if err != nil {
		return 0, fmt.Errorf("asking the portal: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, refusal(c.Address, resp)
	}
	n, err := io.Copy(f, resp.Body)
	if err != nil {
		return n, fmt.Errorf("copying the store: %w", err)
	}
	return n, f.Sync()
}

// opens reports whether a copy is a store.
func opens(path string) error {
	s, err := boltstore.Open(path, boltstore.Options{})
	if err != nil {
		return fmt.Errorf("the copy is not whole: %w", err)
	}
	return s.Close()
}
