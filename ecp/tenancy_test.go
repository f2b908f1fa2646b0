package ecp_test

import (
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

func TestIsBearerSecret(t *testing.T) {
	for text, want := range map[string]bool{
		ecp.TokenSecretPrefix + "0a": true, ecp.SessionSecretPrefix + "0a": true, "ECPT_0A": true,
		"": false, "ecpt": false, "Bearer ecpt_0a": false,
		"eyJhbGciOiJIUzI1NiJ9.e30.x": false,
	} {
		require.Equal(t, want, ecp.IsBearerSecret(text), text)
	}
}
