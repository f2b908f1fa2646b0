package agentproto

import (
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestReportOfManyMembers is as large on the wire as a report may be, and holds as
// many members as fit: three bytes each.
func TestReportOfManyMembers(t *testing.T) {
	line := []byte(`{"epoch":1,"seq":1,"members":[{}` + strings.Repeat(`,{}`, maxReportBytes/3-100) + `],"errors":[{}` +
		strings.Repeat(`,{}`, 50) + `]}`)
	require.Less(t, len(line), maxReportBytes)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err := decodeReport(line, Position{})
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	assert.Len(t, r.Members, maxMembers)
	assert.Len(t, r.Errors, maxReportErrors)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2<<20), "bytes for %d on the wire", len(line))
}

func TestReportWithoutArrays(t *testing.T) {
	for _, bad := range []string{`{"epoch":1,"seq":1,"members":{}}`, `{"epoch":1,"seq":1,"members":"x"}`,
		`{"epoch":1,"seq":1,"errors":7}`} {
		_, err := decodeReport([]byte(bad), Position{})
		assert.Error(t, err, bad)
	}
	r, err := decodeReport([]byte(`{"epoch":1,"seq":1,"members":null}`), Position{})
	require.NoError(t, err)
	assert.Empty(t, r.Members)
}
