package fault

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
)

func TestWrap(t *testing.T) {
	err := errors.New("dial tcp 10.0.0.1: password=hunter2")
	got := Wrap("create cluster", err)
	require.ErrorIs(t, got, ecp.ErrInternal)
	require.ErrorIs(t, got, err, "the log gets the cause")
	require.NotContains(t, got.Error(), "hunter2")
	require.ErrorIs(t, Wrap("read cluster", context.Canceled), ecp.ErrUnavailable)
}

func TestWrapTakenNamesTheField(t *testing.T) {
	in := &ecp.Error{Code: ecp.CodeExists, Op: "write cluster", Message: `the name "a" is taken in "p"`}
	require.Equal(t, &ecp.Error{
		Code: ecp.CodeExists, Op: "create cluster", Message: "the name is taken",
		Fields: []ecp.FieldError{{Field: "name", Message: "choose another"}},
	}, WrapTaken("create cluster", in, "name", "choose another"))
	require.Equal(t, "write cluster", in.Op, "what a store returned is not touched")
	var e *ecp.Error
	require.ErrorAs(t, WrapTaken("create cluster", in, "", ""), &e)
	require.Equal(t, in.Message, e.Message)
}
