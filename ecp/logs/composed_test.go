package logs

import (
	"testing"

	"github.com/openecp/openecp/ecp/catalog"
	"github.com/stretchr/testify/require"
)

func TestWrongProcessor(t *testing.T) {
	require.Contains(t, exitMessage([]string{"exec /usr/bin/docker-entrypoint.sh: exec format error"}),
		catalog.WrongProcessor)
}
