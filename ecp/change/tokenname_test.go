package change

import (
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// A call that is repeated after the program was replaced is the same call.
func TestIdempotencyKeysOutliveTheName(t *testing.T) {
	require.Equal(t, "ci", keyHolder(ecp.Actor{Name: "token:ci", Credential: "token/tok-1"}))
	require.Equal(t, "ann", keyHolder(ecp.Actor{Name: "ann", Credential: "session/1"}))
	require.Equal(t, "token:own", keyHolder(ecp.Actor{Name: "token:own"}))
}

func TestIdempotencyKeysOutliveTheSpelling(t *testing.T) {
	require.Equal(t, "update licence license-1", keyOp(Request{Op: "update license license-1", Kind: ecp.KindLicense}))
	require.Equal(t, "update size license-1", keyOp(Request{Op: "update size license-1", Kind: ecp.KindSize}))
}
