package validate

import (
	"fmt"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/cron"
	"github.com/openecp/openecp/ecp/internal/fault"
)

func validateHibernation(p *fault.Fields, h ecp.Hibernation) {
	const at = "spec.hibernation"
	if h == (ecp.Hibernation{}) {
		return
	}
	if h.Sleep == "" && h.Wake == "" {
		p.Add(at, "has neither sleep nor wake; give one of them, or leave hibernation out")
	}
	zone := timeZone(p, at, h.TimeZone)
	sleep, wake := schedule(p, at+".sleep", h.Sleep, zone), schedule(p, at+".wake", h.Wake, zone)
	if first := sleep.Next(ofSchedules); !first.IsZero() && h.Sleep == h.Wake && first.Equal(wake.Next(ofSchedules)) {
		p.Add(at+".wake", "is %q, as sleep is; both cannot be due at one time", h.Wake)
	}
}

const (
	mostWindows   = 20
	longestWindow = 7 * 24 * time.Hour
)

func validateMaintenance(p *fault.Fields, m ecp.Maintenance) {
	const at = "spec.maintenance"
	zone := timeZone(p, at, m.TimeZone)
	if len(m.Windows) > mostWindows {
		p.Add(at+".windows", "has %d windows; at most %d are allowed", len(m.Windows), mostWindows)
		return
	}
	for i, w := range m.Windows {
		at := fmt.Sprintf("%s.windows[%d]", at, i)
		if w.Start == "" {
			p.Add(at+".start", "is missing; give five fields, such as \"0 2 * * 6\"")
		}
		schedule(p, at+".start", w.Start, zone)
		if d, err := time.ParseDuration(w.Duration); err != nil || d < time.Minute || d > longestWindow {
			p.Add(at+".duration", "is %q; a time from 1m to 168h is wanted, such as \"4h\"", w.Duration)
		}
	}
}

// ofSchedules is a time from which on it is looked whether a schedule is ever due: which one
// makes no difference, so it is none that passes.
var ofSchedules = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// timeZone reads the zone of a part of a spec; nil if there is no such zone.
func timeZone(p *fault.Fields, at, name string) *time.Location {
	zone, err := cron.Zone(name)
	if err != nil {
		p.Add(at+".timeZone", "%s", err)
	}
	return zone
}

func schedule(p *fault.Fields, field, text string, zone *time.Location) cron.Schedule {
	if text == "" {
		return cron.Schedule{}
	}
	s, err := cron.Parse(text, zone)
	switch {
	case err != nil:
		p.Add(field, "%s", err)
	case s.Next(ofSchedules).IsZero():
		p.Add(field, "is %q, a time that never comes", text)
	}
	return s
}
