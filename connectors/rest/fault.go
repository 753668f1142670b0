package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/trailql/trailql/engine/service"
	"github.com/trailql/trailql/engine/sqlerr"
)

// fault is an answer that is an error: {"error": {…}}. Kinds are those of sqlerr for mistakes in a statement, and for the rest
// request, unauthorized, forbidden, not_found, method, not_acceptable, media_type, too_long, busy, expired, stopping.
type fault struct {
	status int
	allow  string     // methods, for 405
	query  *queryJSON // of which the error is

	errorJSON
}

// errorJSON is an error as programs see it; in a query and in an answer alike.
type errorJSON struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	In      string `json:"in,omitempty"`   // header, query (the parameters), body
	Name    string `json:"name,omitempty"` // of the header, parameter or field
	Line    int    `json:"line,omitempty"` // of the statement or of the body, from 1; columns count characters
	Column  int    `json:"column,omitempty"`
	Text    string `json:"text,omitempty"` // all of it for a person, with the line and a caret under the place
}

func newFault(status int, kind, format string, args ...any) *fault {
	return &fault{status: status, errorJSON: errorJSON{Kind: kind, Message: fmt.Sprintf(format, args...)}}
}

func (f *fault) Error() string { return f.Message }

func (f *fault) hint(format string, args ...any) *fault {
	f.Hint = fmt.Sprintf(format, args...)
	return f
}

func (f *fault) where(in, name string) *fault {
	f.In, f.Name = in, name
	return f
}

// at places the fault in the body, offset counted from 0.
func (f *fault) at(body []byte, offset int64) *fault {
	f.In = "body"
	f.Line, f.Column = sqlerr.LineColumn(string(body), sqlerr.Pos(offset+1))
	return f
}

func (f *fault) body() any {
	return struct {
		Error errorJSON  `json:"error"`
		Query *queryJSON `json:"query,omitempty"`
	}{f.errorJSON, f.query}
}

// statuses of the errors of a statement.
var statuses = map[sqlerr.Kind]int{
	sqlerr.Syntax: http.StatusBadRequest, sqlerr.Name: http.StatusBadRequest, sqlerr.Type: http.StatusBadRequest,
	sqlerr.Value: http.StatusBadRequest, sqlerr.Unknown: http.StatusBadRequest,
	sqlerr.Resource: http.StatusUnprocessableEntity, sqlerr.Cancelled: http.StatusConflict,
	sqlerr.Data: http.StatusInternalServerError, sqlerr.Internal: http.StatusInternalServerError,
}

// queryFault is the answer for a query that failed or was cancelled.
func queryFault(q queryJSON) *fault {
	status := statuses[sqlerr.Kind(q.Error.Kind)]
	if status == 0 {
		status = http.StatusInternalServerError
	}
	return &fault{status: status, query: &q, errorJSON: *q.Error}
}

// statementError shows an error of the statement text.
func statementError(text string, e *sqlerr.Error) *errorJSON {
	out := &errorJSON{Kind: string(e.Kind), Message: e.Msg, Hint: e.Hint, Text: sqlerr.Render(text, e)}
	if e.Err != nil {
		out.Message += ": " + e.Err.Error()
	}
	if e.Pos > 0 {
		out.Line, out.Column = sqlerr.LineColumn(text, e.Pos)
	}
	return out
}

// serviceErrors pairs what the service refuses with what the wire says; the client reads it backwards.
var serviceErrors = []struct {
	err    error
	status int
	kind   string
}{
	{service.ErrNotFound, http.StatusNotFound, "not_found"},
	{service.ErrExpired, http.StatusGone, "expired"},
	{service.ErrBusy, http.StatusTooManyRequests, "busy"},
	{service.ErrTooLong, http.StatusRequestEntityTooLarge, "too_long"},
	{service.ErrClosed, http.StatusServiceUnavailable, "stopping"},
}

func serviceFault(err error) *fault {
	if errors.Is(err, context.Canceled) {
		err = service.ErrClosed // the server ends, or nobody listens any more
	}
	for _, e := range serviceErrors {
		if errors.Is(err, e.err) {
			return newFault(e.status, e.kind, "%s", err.Error())
		}
	}
	var e *sqlerr.Error
	if errors.As(err, &e) {
		f := newFault(statuses[e.Kind], string(e.Kind), "%s", e.Msg)
		f.errorJSON = *statementError("", &sqlerr.Error{Kind: e.Kind, Msg: e.Msg, Hint: e.Hint, Err: e.Err})
		return f
	}
	return newFault(http.StatusInternalServerError, string(sqlerr.Internal), "%s", err.Error())
}

// writeJSON answers with a value as JSON.
func writeJSON(w *response, status int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err = w.Write(append(text, '\n'))
	return err
}
