package sql

import (
	"errors"
	"reflect"
	"testing"

	"github.com/trailql/trailql/engine/sqlerr"
)

// sameTree reports whether two trees are equal but for positions, the quotes of names and the text, none of which changes what
// a statement means.
func sameTree(a, b any) bool { return sameValue(reflect.ValueOf(a), reflect.ValueOf(b)) }

func sameValue(a, b reflect.Value) bool {
	if !a.IsValid() || !b.IsValid() {
		return a.IsValid() == b.IsValid()
	}
	if a.Type() != b.Type() {
		return false
	}
	switch a.Kind() {
	case reflect.Pointer, reflect.Interface:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return sameValue(a.Elem(), b.Elem())
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !sameValue(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Struct:
		for i := range a.NumField() {
			if name := a.Type().Field(i).Name; name != "Quoted" && name != "Source" && !sameValue(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	}
	if a.Type() == reflect.TypeFor[sqlerr.Pos]() {
		return true
	}
	return a.Equal(b)
}

// checkTree fails if a statement does not survive being printed and read again, or if a node has no place in the text.
func checkTree(t *testing.T, text string, stmt Statement) {
	t.Helper()
	checkPositions(t, text, reflect.ValueOf(stmt))
	printed := Format(stmt)
	again, err := Parse(printed)
	if len(printed) > MaxText {
		return
	}
	var e *sqlerr.Error
	if errors.As(err, &e) && e.Kind == sqlerr.Resource {
		return // the parentheses of joins and set operations count as levels, and the text did without them
	}
	if err != nil {
		t.Fatalf("the printed form is refused: %v\n text:    %s\n printed: %s", err, text, printed)
	}
	if !sameTree(stmt, again) {
		t.Fatalf("the printed form means something else\n text:    %s\n printed: %s\n then:    %s", text, printed, Format(again))
	}
}

func checkPositions(t *testing.T, text string, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			checkPositions(t, text, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			checkPositions(t, text, v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			checkPositions(t, text, v.Field(i))
		}
	default:
		if v.Type() == reflect.TypeFor[sqlerr.Pos]() && (v.Int() < 1 || v.Int() > int64(len(text))) {
			t.Fatalf("a node has the place %d in %q", v.Int(), text)
		}
	}
}

func TestSameTreeSeesDifferences(t *testing.T) {
	pairs := [][2]string{
		{"SELECT a", "SELECT b"}, {"SELECT a", "SELECT a AS a"}, {"SELECT (a OR b) AND c", "SELECT a OR b AND c"},
		{"SELECT a FROM t", "SELECT a"}, {"SELECT 1", "SELECT '1'"}, {"SELECT a LIMIT 1", "SELECT a LIMIT 2"},
	}
	for _, p := range pairs {
		a, errA := Parse(p[0])
		b, errB := Parse(p[1])
		if errA != nil || errB != nil || sameTree(a, b) {
			t.Errorf("%q and %q should differ (%v, %v)", p[0], p[1], errA, errB)
		}
	}
}
