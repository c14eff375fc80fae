package boltstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// Where bbolt's first two pages say, in turns, what of the file counts. They are
// little-endian on every machine that this runs on.
const (
	pageHeader = 16
	metaSize   = 64
	metaMagic  = 0xED0CDAED
	atPageSize = 8
	atPages    = 40
	atTx       = 48
	atSum      = 56
)

// whole refuses a file that lost its end, as a copy that was cut short has. bbolt
// maps files into memory, so that reading what is not there would kill the process.
// A file that is not one of bbolt's is left for bbolt to refuse. isNew: there is none.
func whole(path string) (isNew bool, err error) {
	f, err := os.Open(path) //nolint:gosec // G304: the operator names the file
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	var pages, size, tx uint64
	// The second begins at the size of a page, which only the first one says.
	for _, offset := range []int64{0, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536} {
		b := make([]byte, metaSize)
		if _, err := f.ReadAt(b, offset+pageHeader); err != nil {
			break // an end of the file, if anything: what was found so far decides
		}
		if n := binary.LittleEndian.Uint64(b[atTx:]); sound(b) && n >= tx {
			tx, pages, size = n, binary.LittleEndian.Uint64(b[atPages:]), uint64(binary.LittleEndian.Uint32(b[atPageSize:]))
		}
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return false, err
	}
	if end > 0 && uint64(end) < pages*size {
		return false, fmt.Errorf("it has %d bytes, and says that it has %d at least: its end is lost; take a copy that is whole", end, pages*size)
	}
	return false, nil
}

// sound reports whether a page was written whole.
func sound(meta []byte) bool {
	if binary.LittleEndian.Uint32(meta) != metaMagic {
		return false
	}
	sum := fnv.New64a()
	_, _ = sum.Write(meta[:atSum]) // never fails
	return sum.Sum64() == binary.LittleEndian.Uint64(meta[atSum:])
}
