package report

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/trailql/trailql/connectors/blob"
)

// Save writes report.html, report.json and findings.csv into a folder, made if missing, in place of those of before. They are written
// aside first: what keeps one of them from being written leaves the folder as it was. Where is its absolute path.
func (r *Report) Save(ctx context.Context, folder string) (Delivered, error) {
	d, err := r.save(ctx, folder)
	if err != nil {
		return Delivered{}, fmt.Errorf("writing the report to %s: %w", folder, err)
	}
	return d, nil
}

func (r *Report) save(ctx context.Context, folder string) (d Delivered, err error) {
	if d.Where, err = filepath.Abs(folder); err != nil {
		return d, err
	}
	if err := os.MkdirAll(d.Where, 0o777); err != nil {
		return d, err
	}
	root, err := os.OpenRoot(d.Where)
	if err != nil {
		return d, err
	}
	defer root.Close()
	sweepAside(root, ".", r.Ended)
	aside := asidePrefix + rand.Text()
	if err := root.Mkdir(aside, 0o777); err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, root.RemoveAll(aside)) }()
	if d.SHA256, err = r.writeAll(ctx, root, aside); err != nil {
		return d, err
	}
	for _, name := range fileNames {
		if err := root.Rename(path.Join(aside, name), name); err != nil {
			return d, err
		}
	}
	return d, blob.SyncFolder(root, ".")
}

// Export writes the files of a pack into a folder, made if missing, for its reader to change. It fails if one of them is there already.
func (p *Pack) Export(folder string) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return fmt.Errorf("making the folder of the pack: %w", err)
	}
	files := map[string]string{p.file: p.text}
	for _, c := range p.Controls {
		files[c.Source] = c.SQL
	}
	for name := range files {
		if _, err := os.Lstat(filepath.Join(folder, name)); err == nil {
			return fmt.Errorf("%s is there already; export into another folder", filepath.Join(folder, name))
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o666); err != nil {
			return fmt.Errorf("writing the pack: %w", err)
		}
	}
	return nil
}
