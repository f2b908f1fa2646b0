package fleet

import (
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/stretchr/testify/require"
)

func TestACommandWhileStaleHasItsWholeTime(t *testing.T) {
	m := &Manager{
		observed: observed.New(observed.Config{Now: func() time.Time { return t0.Add(time.Hour) }, Timings: patient}),
	}
	for _, cmd := range []ecp.Command{ecp.Stop{}, ecp.Delete{}} {
		rec := aRecord(ecp.Running)
		rec.Status.StaleFrom = t0
		d, err := m.decide(nil, rec, cmd)
		require.NoError(t, err)
		back := t0.Add(2 * time.Hour)
		seen := last(t, derive.Advance(patient, back, d.rec, nil, aLook(3, 3), derive.Outcome{}))
		require.Equal(t, back.Add(d.patience), seen.Status.Deadline, "%T", cmd)
	}
}
