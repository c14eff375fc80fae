package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing that is wrong with the settings, and what to do about it.
type Fault struct {
	File    string
	Line    int // from 1; with Column, where the value stands, or where it is missing
	Column  int
	Path    string // as in partners[0].keys[1]; empty for the whole file
	Message string
	Remedy  string
}

// String is the fault in one line.
func (f Fault) String() string {
	s := fmt.Sprintf("%s:%d:%d: ", f.File, f.Line, f.Column)
	if f.Path != "" {
		s += f.Path + ": "
	}
	s += f.Message
	if f.Remedy != "" {
		s += ": " + f.Remedy
	}
	return s
}

// Faults are all faults of one file, in the order of its lines.
type Faults []Fault //nolint:errname // a list of faults, which may also be warnings; an error only where it is returned as one

// Error has one fault a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.String()
	}
	return strings.Join(lines, "\n")
}

// sorted orders by place, and drops what an alias would repeat: the same fault of
// the same setting in the same place.
func (f Faults) sorted() Faults {
	compare := func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message), cmp.Compare(a.key(), b.key()))
	}
	f = slices.Clone(f)
	slices.SortStableFunc(f, compare)
	return slices.CompactFunc(f, func(a, b Fault) bool { return compare(a, b) == 0 })
}

// key is the last part of the path.
func (f Fault) key() string { return f.Path[strings.LastIndexByte(f.Path, '.')+1:] }
