package logs

import (
	"testing"

	"github.com/openecp/openecp/ecp/catalog"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/stretchr/testify/require"
)

func TestArchitectures(t *testing.T) {
	for _, row := range []struct {
		all   []string
		wrong []string
	}{
		{nil, nil},
		{[]string{"amd64", "arm64"}, nil},
		{[]string{"amd64", "linux/arm64", "amd64", ""}, []string{"architectures[1]", "architectures[2]", "architectures[3]"}},
		{make([]string, catalog.MaxArchitectures+1), []string{"architectures"}},
	} {
		var p fault.Fields
		catalog.ValidateArchitectures(&p, row.all)
		var got []string
		for _, f := range p {
			got = append(got, f.Field)
		}
		require.Equal(t, row.wrong, got, "%q", row.all)
	}
	require.Contains(t, exitMessage([]string{"exec /usr/bin/docker-entrypoint.sh: exec format error"}), catalog.WrongProcessor)
}
