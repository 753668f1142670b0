package shell

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	historyEntries = 10_000  // kept in memory
	historyBytes   = 4 << 20 // of the file before it is put aside; there are two files at most
)

// history is what was typed before, in a file of one JSON string a line, so that statements of many lines stay whole. Shells
// that run at once add to the same file, each line in one write; each sees the others' lines when it starts anew.
type history struct {
	path    string
	entries []string
}

// openHistory reads the history at path and the older one beside it. A line that cannot be read is left out.
func openHistory(path string) (*history, error) {
	h := &history{path: path}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("the history cannot be kept: %w", err)
	}
	older := path + ".1"
	if info, err := os.Stat(path); err == nil && info.Size() > historyBytes {
		// Nobody holds the file open, so that others go on in a new one.
		if err := os.Rename(path, older); err != nil {
			return nil, fmt.Errorf("the history cannot be kept: %w", err)
		}
	}
	for _, name := range []string{older, path} {
		if err := h.read(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the history cannot be read: %w", err)
		}
	}
	h.entries = h.entries[max(len(h.entries)-historyEntries, 0):]
	return h, nil
}

// read adds the entries of a file, of its end if it is far longer than it should be.
func (h *history) read(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	text := make([]byte, min(info.Size(), 2*historyBytes))
	n, err := f.ReadAt(text, info.Size()-int64(len(text)))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for line := range bytes.Lines(text[:n]) {
		var entry string
		if json.Unmarshal(line, &entry) == nil && entry != "" {
			h.entries = append(h.entries, entry)
		}
	}
	return nil
}

// Write adds an entry, in memory even where the file cannot be written.
func (h *history) Write(entry string) (int, error) {
	h.entries = append(h.entries, entry)
	line, err := json.Marshal(entry)
	if err != nil {
		return len(h.entries), fmt.Errorf("the history cannot be kept: %w", err)
	}
	f, err := os.OpenFile(h.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.Write(append(line, '\n'))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return len(h.entries), fmt.Errorf("the history cannot be kept: %w", err)
	}
	return len(h.entries), nil
}

// GetLine returns an entry, the oldest is 0.
func (h *history) GetLine(i int) (string, error) {
	if i < 0 || i >= len(h.entries) {
		return "", fmt.Errorf("the history has no entry %d", i)
	}
	return h.entries[i], nil
}

// Len counts the entries.
func (h *history) Len() int { return len(h.entries) }

// Dump is asked for by the editor's interface, and not used.
func (h *history) Dump() any { return h.entries }
