package templates

import (
	"context"
	"io"

	"github.com/a-h/templ"
)

// inline is a style element. Its text is a file of ours and not escaped: it would not
// be the same to its hash.
func inline(sheet string) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, "<style>"+sheet+"</style>")
		return err
	})
}
