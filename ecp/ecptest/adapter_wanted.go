package ecptest

import (
	"fmt"
	"reflect"
	"testing"
	"time"
)

// checkWanted compares a result with the fields of want that are not zero.
func checkWanted(t *testing.T, what string, got, want any) {
	t.Helper()
	compare(t, what, reflect.ValueOf(got), reflect.ValueOf(want))
}

func compare(t *testing.T, what string, got, want reflect.Value) {
	t.Helper()
	if want.IsZero() {
		return
	}
	if at, ok := want.Interface().(time.Time); ok {
		if found, _ := got.Interface().(time.Time); !found.Equal(at) {
			t.Errorf("%s is %s, want %s", what, found, at)
		}
		return
	}
	switch want.Kind() {
	case reflect.Struct:
		for i := range want.NumField() {
			compare(t, what+"."+want.Type().Field(i).Name, got.Field(i), want.Field(i))
		}
	case reflect.Pointer:
		if got.IsNil() {
			t.Errorf("%s is missing, want %+v", what, want.Elem())
			return
		}
		compare(t, what, got.Elem(), want.Elem())
	case reflect.Slice:
		if got.Len() != want.Len() {
			t.Errorf("%s are %d, want %d: %+v", what, got.Len(), want.Len(), got)
			return
		}
		for i := range want.Len() {
			compare(t, fmt.Sprintf("%s[%d]", what, i), got.Index(i), want.Index(i))
		}
	default:
		if !reflect.DeepEqual(got.Interface(), want.Interface()) {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
}
