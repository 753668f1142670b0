package report

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
)

// Save writes report.html, report.json and findings.csv into a folder, made if missing, in place of those of before. They are written
// aside first: what keeps one of them from being written leaves the folder as it was.
func (r *Report) Save(ctx context.Context, folder string) error {
	if err := r.save(ctx, folder); err != nil {
		return fmt.Errorf("writing the report to %s: %w", folder, err)
	}
	return nil
}

func (r *Report) save(ctx context.Context, folder string) (err error) {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	aside := fmt.Sprintf(".tmp-report-%d", os.Getpid())
	if err := errors.Join(root.RemoveAll(aside), root.Mkdir(aside, 0o777)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.RemoveAll(aside)) }()
	files := []struct {
		name  string
		write func(context.Context, io.Writer) error
	}{{"report.html", r.HTML}, {"report.json", r.JSON}, {"findings.csv", r.CSV}}
	for _, f := range files {
		if _, err := writeFile(root, path.Join(aside, f.name), func(w io.Writer) error { return f.write(ctx, w) }); err != nil {
			return err
		}
	}
	for _, f := range files {
		if err := root.Rename(path.Join(aside, f.name), f.name); err != nil {
			return err
		}
	}
	return syncFolder(root, ".")
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
