package main

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/alexflint/go-arg"
)

// helpWidth is how wide help is printed.
const helpWidth = 100

// writeHelp prints what the chosen command is for, and what it takes.
func writeHelp(w io.Writer, parser *arg.Parser) error {
	var b bytes.Buffer
	if parser.Subcommand() == nil {
		b.WriteString(description + "\n\n")
	} else if chosen, ok := parser.Subcommand().(interface{ Help() string }); ok {
		b.WriteString(chosen.Help() + "\n\n")
	}
	parser.WriteHelp(&b)
	_, err := io.WriteString(w, fold(b.String()))
	return err
}

// misused is err with how the chosen command is written.
func misused(err error, parser *arg.Parser) error {
	var b bytes.Buffer
	parser.WriteUsage(&b)
	return usagef("%w\n%s", err, strings.TrimSpace(fold(b.String())))
}

// fold breaks long lines between words. The rest of one in two columns stays in
// the second, and an example is left alone, for it is there to be copied.
func fold(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "\t") {
			b.WriteString(line)
			continue
		}
		indent := secondColumn(line)
		for at := indent; utf8.RuneCountInString(line) > helpWidth; at = indent {
			end := cut(line, at)
			if end < 0 {
				break
			}
			b.WriteString(line[:end] + "\n")
			line = strings.Repeat(" ", indent) + line[end+1:]
		}
		b.WriteString(line)
	}
	return b.String()
}

// secondColumn is where the last stretch of text begins that two spaces or more
// stand before; zero: there is one column.
func secondColumn(line string) int {
	if i := strings.LastIndex(line, "  "); i >= 0 && i+2 < len(line) {
		return i + 2
	}
	return 0
}

// cut is the last space within the width, or the first beyond it; none is
// before column from.
func cut(line string, from int) int {
	end, n := -1, 0
	for i, r := range line {
		if n++; n > helpWidth && end >= 0 {
			break
		}
		if r == ' ' && i > from {
			end = i
		}
	}
	return end
}
