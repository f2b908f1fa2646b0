package validate

import (
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/stretchr/testify/require"
)

func TestSchedulesOfSpecs(t *testing.T) {
	window := func(start, duration string) ecp.Maintenance {
		first := ecp.MaintenanceWindow{Start: "0 2 * * 6", Duration: "4h"}
		return ecp.Maintenance{Windows: []ecp.MaintenanceWindow{first, {Start: start, Duration: duration}}}
	}
	for name, c := range map[string]struct {
		h    ecp.Hibernation
		m    ecp.Maintenance
		want string // field and what its message has; "" = it is right
		says string
	}{
		"none":               {},
		"both":               {h: ecp.Hibernation{Sleep: "0 20 * * *", Wake: "0 7 * * MON-FRI", TimeZone: "Asia/Aden"}},
		"sleep without wake": {h: ecp.Hibernation{Sleep: "0 20 * * *"}},
		"wake without sleep": {h: ecp.Hibernation{Wake: "0 20 * * *", KeepQuota: true}},
		"neither":            {h: ecp.Hibernation{TimeZone: "UTC"}, want: "spec.hibernation", says: "neither"},
		"bad sleep":          {h: ecp.Hibernation{Sleep: "0 25 * * *"}, want: "spec.hibernation.sleep", says: `"25"`},
		"bad wake":           {h: ecp.Hibernation{Wake: "daily"}, want: "spec.hibernation.wake", says: "has 1 fields"},
		"never": {h: ecp.Hibernation{Sleep: "0 0 31 6 *"}, want: "spec.hibernation.sleep",
			says: "a time that never comes"},
		"at one time": {h: ecp.Hibernation{Sleep: "0 7 * * *", Wake: "0 7 * * *"}, want: "spec.hibernation.wake",
			says: "both cannot be due at one time"},
		"bad zone": {h: ecp.Hibernation{Sleep: "0 20 * * *", TimeZone: "CEST"}, want: "spec.hibernation.timeZone",
			says: `is "CEST", which is no time zone`},
		"windows":     {m: window("0 22 * * sun", "168h")},
		"zone of one": {m: ecp.Maintenance{TimeZone: "Local"}, want: "spec.maintenance.timeZone", says: "no time zone"},
		"no start":    {m: window("", "1h"), want: "spec.maintenance.windows[1].start", says: "is missing"},
		"bad start":   {m: window("0 2 * * 9", "1h"), want: "spec.maintenance.windows[1].start", says: `weekday "9"`},
		"never opens": {m: window("0 2 30 2 *", "1h"), want: "spec.maintenance.windows[1].start", says: "never comes"},
		"no length":   {m: window("0 2 * * 6", ""), want: "spec.maintenance.windows[1].duration", says: `is ""`},
		"length of 0": {m: window("0 2 * * 6", "0s"), want: "spec.maintenance.windows[1].duration", says: `is "0s"`},
		"too long":    {m: window("0 2 * * 6", "168h1m"), want: "spec.maintenance.windows[1].duration", says: "168h1m"},
		"too many": {m: ecp.Maintenance{Windows: make([]ecp.MaintenanceWindow, 21)}, want: "spec.maintenance.windows",
			says: "has 21 windows; at most 20"},
	} {
		t.Run(name, func(t *testing.T) {
			var wrong fault.Fields
			validateHibernation(&wrong, c.h)
			validateMaintenance(&wrong, c.m)
			if c.want == "" {
				require.Empty(t, wrong)
				return
			}
			require.Len(t, wrong, 1)
			require.Equal(t, c.want, wrong[0].Field)
			require.Contains(t, wrong[0].Message, c.says)
		})
	}
}
