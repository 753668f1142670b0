package blob

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
)

// ErrNotExclusive is returned (wrapped) by Probe for a store that does not keep what PutIfAbsent promises.
var ErrNotExclusive = errors.New("two writers could overwrite each other's commits, since this store does not know If-None-Match; keep the lake in Amazon's S3, in another store that knows it, or in a folder")

// Probe puts an object of this name, which must not be there, several times at once and once more, and finds out whether exactly one
// of the writers wins. It is gone afterwards.
func Probe(ctx context.Context, s Store, name string) (err error) {
	defer func() {
		if deleteErr := s.Delete(context.WithoutCancel(ctx), name); err == nil {
			err = deleteErr
		}
	}()
	const writers = 3
	var wg sync.WaitGroup
	errs, data := make([]error, writers+1), make([][]byte, writers+1)
	write := func(i int) {
		data[i] = []byte(rand.Text())
		errs[i] = s.PutIfAbsent(ctx, name, data[i])
	}
	for i := range writers {
		wg.Go(func() { write(i) })
	}
	wg.Wait()
	write(writers)
	winner := -1
	for i, err := range errs {
		switch {
		case errors.Is(err, ErrExists):
		case err != nil:
			return fmt.Errorf("try put-if-absent: %w", err)
		case winner >= 0:
			return fmt.Errorf("try put-if-absent at %s/%s: %w", s.URL(), name, ErrNotExclusive)
		default:
			winner = i
		}
	}
	if winner < 0 {
		return fmt.Errorf("try put-if-absent at %s/%s: none of %d writers of a new object wins", s.URL(), name, len(errs))
	}
	have, err := s.ReadAll(ctx, name)
	if err == nil && !bytes.Equal(have, data[winner]) {
		err = fmt.Errorf("try put-if-absent at %s/%s: %w", s.URL(), name, ErrNotExclusive)
	}
	return err
}
