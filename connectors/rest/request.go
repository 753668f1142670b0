package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/trailql/trailql/engine"
)

const (
	maxBody     = 2 << 20 // a statement, its parameters and a session, each of the largest, with some characters written as escapes
	defaultWait = 10 * time.Second
	maxWait     = 60 * time.Second
	defaultRows = 1000
	maxRows     = 100_000 // of a page
	maxSource   = 64
)

// submission is the body of POST /api/v1/queries. Rows 0 is the format's default.
type submission struct {
	SQL               string
	Params            []string
	Session           engine.Session
	Source            string
	Rows              int64
	MaxBytes, MaxRows int64
	Fresh             bool
	waitMS, maxTimeMS int64
}

func (s *submission) wait() time.Duration { return time.Duration(s.waitMS) * time.Millisecond }

// readSubmission takes the body of a POST.
func readSubmission(w *response, r *http.Request) (*submission, error) {
	given := r.Header.Get("Content-Type")
	if media, _, err := mime.ParseMediaType(given); err != nil || media != "application/json" {
		return nil, newFault(http.StatusUnsupportedMediaType, "media_type", "the body must be JSON, its type is %q", given).
			where("header", "Content-Type").hint("send Content-Type: application/json")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		var tooLong *http.MaxBytesError
		if errors.As(err, &tooLong) {
			return nil, newFault(http.StatusRequestEntityTooLarge, "too_long", "the body has more than %d bytes", tooLong.Limit)
		}
		return nil, newFault(http.StatusBadRequest, "request", "the body did not come whole")
	}
	_ = w.control.SetReadDeadline(time.Time{}) // from here on, reading only notices that the client leaves
	s, f := decodeSubmission(body)
	if f != nil {
		return nil, f
	}
	return s, nil
}

// decodeSubmission reads the JSON of a submission. Names are exact, each may stand once; what is wrong is told with its field and place.
func decodeSubmission(body []byte) (*submission, *fault) {
	s := &submission{waitMS: defaultWait.Milliseconds(), Source: "rest"}
	fields := []struct {
		name      string
		into      any // *string, *bool, *int64, *[]string, *engine.Session
		low, high int64
	}{
		{"sql", &s.SQL, 0, 0},
		{"wait_ms", &s.waitMS, 0, maxWait.Milliseconds()},
		{"rows", &s.Rows, 1, maxRows},
		{"max_bytes", &s.MaxBytes, 1, math.MaxInt64},
		{"max_rows", &s.MaxRows, 1, math.MaxInt64},
		{"max_time_ms", &s.maxTimeMS, 1, math.MaxInt64 / int64(time.Millisecond)},
		{"fresh", &s.Fresh, 0, 0},
		{"source", &s.Source, 0, 0},
		{"params", &s.Params, 0, 0},
		{"session", &s.Session, 0, 0},
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	wrong := func(offset int64, format string, args ...any) *fault {
		return newFault(http.StatusBadRequest, "request", format, args...).at(body, offset)
	}

	var whole json.RawMessage
	if err := json.Unmarshal(body, &whole); err != nil {
		offset := int64(len(body))
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) && syntax.Offset > 0 && !strings.HasPrefix(syntax.Error(), "unexpected end") {
			offset = syntax.Offset - 1
		}
		return nil, wrong(offset, "the body is not JSON: %s", err.Error())
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return nil, wrong(int64(bytes.IndexFunc(body, func(r rune) bool { return !unicode.IsSpace(r) })), "the body must be a JSON object").
			hint(`send {"sql": "SELECT …"}`)
	}
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, wrong(d.InputOffset(), "the body is not JSON")
		}
		at := d.InputOffset()
		i := slices.Index(names, name)
		if i < 0 {
			return nil, wrong(nameStart(body, at), "there is no field %q", name).where("body", name).hint("known: %s", strings.Join(names, ", "))
		}
		if seen[name] {
			return nil, wrong(nameStart(body, at), "the field %q stands twice", name).where("body", name)
		}
		seen[name] = true
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, wrong(d.InputOffset(), "the body is not JSON")
		}
		f := fields[i]
		if err := readField(raw, f.into, f.low, f.high); err != nil {
			return nil, wrong(d.InputOffset()-int64(len(raw)), "the field %q %s", name, err.Error()).where("body", name)
		}
	}
	if strings.TrimSpace(s.SQL) == "" {
		return nil, newFault(http.StatusBadRequest, "request", "there is no statement").where("body", "sql").hint(`send {"sql": "SELECT …"}`)
	}
	if len(s.Source) > maxSource {
		return nil, newFault(http.StatusBadRequest, "request", "the source has more than %d bytes", maxSource).where("body", "source")
	}
	return s, nil
}

// nameStart is where the text that ends at offset end begins: its opening quote.
func nameStart(body []byte, end int64) int64 {
	for at := end - 2; at >= 0; at-- {
		if body[at] == '"' && (at == 0 || body[at-1] != '\\') {
			return at
		}
	}
	return 0
}

func readField(raw json.RawMessage, into any, low, high int64) error {
	switch into := into.(type) {
	case *string:
		if raw[0] != '"' || json.Unmarshal(raw, into) != nil {
			return errors.New("must be a text")
		}
	case *bool:
		if string(raw) != "true" && string(raw) != "false" {
			return errors.New("must be true or false")
		}
		*into = raw[0] == 't'
	case *int64:
		n, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil {
			return errors.New("must be a whole number")
		}
		if n < low || n > high {
			return fmt.Errorf("must be from %d to %d", low, high)
		}
		*into = n
	case *[]string:
		var texts []*string // so that null shows
		if raw[0] != '[' || json.Unmarshal(raw, &texts) != nil || slices.Contains(texts, nil) {
			return errors.New("must be an array of texts")
		}
		for _, text := range texts {
			*into = append(*into, *text)
		}
	case *engine.Session:
		return readSession(raw, into)
	}
	return nil
}

func readSession(raw json.RawMessage, into *engine.Session) error {
	var fields map[string]json.RawMessage
	if raw[0] != '{' || json.Unmarshal(raw, &fields) != nil {
		return errors.New("must be an object")
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		switch raw := fields[name]; name {
		case "catalog", "schema":
			text := &into.Catalog
			if name == "schema" {
				text = &into.Schema
			}
			if err := readField(raw, text, 0, 0); err != nil {
				return fmt.Errorf("has a %s that %w", name, err)
			}
		case "properties", "prepared":
			var texts map[string]*string
			if raw[0] != '{' || json.Unmarshal(raw, &texts) != nil {
				return fmt.Errorf("has %s that must be an object of texts", name)
			}
			all := make(map[string]string, len(texts))
			for key, text := range texts {
				if text == nil {
					return fmt.Errorf("has %s that must be an object of texts", name)
				}
				all[key] = *text
			}
			if name == "properties" {
				into.Properties = all
			} else {
				into.Prepared = all
			}
		default:
			return fmt.Errorf("has no field %q; known: catalog, schema, properties, prepared", name)
		}
	}
	return nil
}

// parameters are those of a URL's query, each known to the route and given once.
func parameters(r *http.Request, known ...string) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, newFault(http.StatusBadRequest, "request", "the address is not well-formed behind its question mark").where("query", "")
	}
	for name, given := range values {
		if !slices.Contains(known, name) {
			f := newFault(http.StatusBadRequest, "request", "there is no parameter %q here", name).where("query", name)
			if len(known) > 0 {
				f.Hint = "known: " + strings.Join(known, ", ")
			}
			return nil, f
		}
		if len(given) > 1 {
			return nil, newFault(http.StatusBadRequest, "request", "the parameter %q stands twice", name).where("query", name)
		}
	}
	return values, nil
}

// number reads a parameter, or takes its default.
func number(values url.Values, name string, preset, low, high int64) (int64, error) {
	if !values.Has(name) {
		return preset, nil
	}
	n, err := strconv.ParseInt(values.Get(name), 10, 64)
	if err != nil || n < low || n > high {
		return 0, newFault(http.StatusBadRequest, "request", "the parameter %q must be a whole number from %d to %d, not %q", name, low, high, values.Get(name)).
			where("query", name)
	}
	return n, nil
}

// waiting reads the parameter wait_ms.
func waiting(values url.Values, preset time.Duration) (time.Duration, error) {
	n, err := number(values, "wait_ms", preset.Milliseconds(), 0, maxWait.Milliseconds())
	return time.Duration(n) * time.Millisecond, err
}
