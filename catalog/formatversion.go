package catalog

import (
	"context"
	"fmt"
	"strconv"
)

// formatVersion says who may use a lake: a program that knows less than reader must not open it, one that knows less than writer must not
// write to it. Both stand in the properties of trail_files and only grow. A change that older programs read rightly, and do not spoil by
// writing, leaves both as they are (a new table or column); one that they would spoil raises writer; one that they would misread raises both.
type formatVersion struct{ reader, writer int }

// lakeFormat is what this program knows and makes. A lake without these properties was made before there were any: it has format 1, 1.
var lakeFormat = formatVersion{1, 1}

const (
	propertyReader = "trailql.minReader"
	propertyWriter = "trailql.minWriter"
)

func (f formatVersion) set(m *metaData) {
	have := versionOf(m)
	if m.Configuration == nil {
		m.Configuration = map[string]string{}
	}
	m.Configuration[propertyReader] = strconv.Itoa(max(f.reader, have.reader))
	m.Configuration[propertyWriter] = strconv.Itoa(max(f.writer, have.writer))
}

// versionOf reads the format of a lake from trail_files; 0 is none stated, which counts as 1. What is no number is newer than all that is known.
func versionOf(m *metaData) formatVersion {
	read := func(property string) int {
		text, ok := m.Configuration[property]
		if !ok {
			return 0
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return 1 << 30
		}
		return n
	}
	return formatVersion{read(propertyReader), read(propertyWriter)}
}

// checkFormat refuses a lake that this program would misread, and returns its format.
func (l *Lake) checkFormat(ctx context.Context) (f formatVersion, err error) {
	err = l.withIndex(ctx, func(x *index) error {
		known, err := x.metaData(ctx)
		if m := known[Files]; m != nil {
			f = versionOf(m)
		}
		return err
	})
	if err == nil && f.reader > lakeFormat.reader {
		err = fmt.Errorf("the lake has format %d, this program reads up to %d: use a newer trailql", f.reader, lakeFormat.reader)
	}
	return f, err
}
