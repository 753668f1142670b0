package source

import (
	"context"
	"errors"
	"io"

	"github.com/trailql/trailql/engine/vec"
)

// InOrder reads a scan from its first morsel to its last, on one goroutine. After the last batch the function gives io.EOF.
func InOrder(ctx context.Context, scan Scan) func() (vec.Batch, error) {
	morsel := 0
	var r Reader
	return func() (vec.Batch, error) {
		for {
			if r == nil {
				if morsel >= scan.Morsels() {
					return vec.Batch{}, io.EOF
				}
				var err error
				r, err = scan.Open(ctx, morsel)
				morsel++
				if errors.Is(err, io.EOF) {
					r = nil
					continue
				}
				if err != nil {
					return vec.Batch{}, err
				}
			}
			b, err := r.Next()
			if err == nil {
				return b, nil
			}
			closed := r.Close()
			r = nil
			if !errors.Is(err, io.EOF) {
				return vec.Batch{}, err
			}
			if closed != nil {
				return vec.Batch{}, closed
			}
		}
	}
}

// Each calls visit for all that next yields until io.EOF, or until an error.
func Each[T any](next func() (T, error), visit func(T) error) error {
	for {
		b, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := visit(b); err != nil {
			return err
		}
	}
}
