package fleet_test

import (
	"context"
	"errors"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// finder is an adapter that always finds the same.
type finder struct {
	ecp.Adapter
	found ecp.Detection
	err   error
}

func (f finder) Detect(context.Context, ecp.Endpoint) (ecp.Detection, error) { return f.found, f.err }

// TestDetect: the adapter whose EMQX answers has the word; where none does, an
// outage says more than a stranger.
func TestDetect(t *testing.T) {
	stranger := finder{err: &ecp.Error{Code: ecp.CodeUnsupported, Message: "something else"}}
	away := finder{err: &ecp.Error{Code: ecp.CodeUnavailable, Message: "refused"}}
	denied := finder{err: &ecp.Error{Code: ecp.CodeDenied, Message: "wrong key"}, found: ecp.Detection{Major: 5}}
	old := finder{
		err:   &ecp.Error{Code: ecp.CodeUnsupported, Message: "found 4.4.5"},
		found: ecp.Detection{Major: 4, Version: "4.4.5"},
	}
	good := finder{found: ecp.Detection{Major: 5, Version: "5.8.9", Authenticated: true}}
	moved := finder{err: &ecp.Error{
		Code:    ecp.CodeUnsupported,
		Message: "it redirects elsewhere",
		Cause:   &ecp.BrokerError{Status: 301},
	}}
	deaf := struct{ ecp.Adapter }{}
	for _, c := range []struct {
		name     string
		adapters []ecp.Adapter
		found    ecp.Detection
		code     ecp.Code
		says     string
	}{
		{"the second finds it", []ecp.Adapter{stranger, good}, good.found, "", ""},
		{"an outage of one does not hide the other", []ecp.Adapter{away, good}, good.found, "", ""},
		{"found and refused", []ecp.Adapter{stranger, denied, good}, denied.found, ecp.CodeDenied, "wrong key"},
		{"found and too old", []ecp.Adapter{old, stranger}, old.found, ecp.CodeUnsupported, "found 4.4.5"},
		{"an outage", []ecp.Adapter{stranger, away}, ecp.Detection{}, ecp.CodeUnavailable, "refused"},
		{"strangers", []ecp.Adapter{stranger, deaf, stranger}, ecp.Detection{}, ecp.CodeUnsupported, "found no EMQX"},
		{"a redirect", []ecp.Adapter{stranger, moved}, ecp.Detection{}, ecp.CodeUnsupported, "it redirects elsewhere"},
		{"nobody who can tell", []ecp.Adapter{deaf}, ecp.Detection{}, ecp.CodeUnsupported, "no adapter can tell"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := ecp.Detect(t.Context(), ecp.Endpoint{}, c.adapters...)
			require.Equal(t, c.found, found)
			require.Equal(t, c.code, ecp.CodeOf(err))
			if err != nil {
				require.ErrorContains(t, err, c.says)
			}
		})
	}
	_, err := ecp.Detect(t.Context(), ecp.Endpoint{}, stranger)
	require.ErrorIs(t, errors.Unwrap(err), ecp.ErrUnsupported, "the adapters' own words are kept for the log")
}
