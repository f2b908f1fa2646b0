package ecptest_test

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
)

// spoils make of a result one that breaks a promise, by the name of the break.
var spoils = map[string]any{
	"nodes unsorted":   func(d ecp.Description) ecp.Description { slices.Reverse(d.Nodes); return d },
	"status unknown":   func(d ecp.Description) ecp.Description { d.Nodes[0].Status = "Running"; return d },
	"edition as told":  func(d ecp.Description) ecp.Description { d.Edition = "Enterprise"; return d },
	"uptime below":     func(d ecp.Description) ecp.Description { d.Nodes[0].Uptime = -1; return d },
	"limit without":    func(l ecp.ConnectionLimit) ecp.ConnectionLimit { l.Settable = false; return l },
	"traffic below":    func(v ecp.Traffic) ecp.Traffic { v.Topics = -1; return v },
	"rates below":      func(v ecp.Traffic) ecp.Traffic { v.Rates.Sent = -1; return v },
	"totals below":     func(v ecp.Traffic) ecp.Traffic { v.Nodes[0].Totals.Sent = -1; return v },
	"traffic of none":  func(v ecp.Traffic) ecp.Traffic { v.Nodes[0].Node = "toy@0"; return v },
	"traffic twice":    func(v ecp.Traffic) ecp.Traffic { v.Nodes[1].Node = v.Nodes[0].Node; return v },
	"traffic wrong":    func(v ecp.Traffic) ecp.Traffic { v.Connections++; return v },
	"series backwards": func(v []ecp.TrafficSample) []ecp.TrafficSample { slices.Reverse(v); return v },
	"series local": func(v []ecp.TrafficSample) []ecp.TrafficSample {
		v[0].At = v[0].At.In(time.FixedZone("CST", 8*3600))
		return v
	},
	"series too long": func(v []ecp.TrafficSample) []ecp.TrafficSample { v[0].At = v[0].At.Add(-time.Hour); return v },
	"series short":    func(v []ecp.TrafficSample) []ecp.TrafficSample { return v[:3] },
	"alarms oldest": func(v []ecp.Alarm) []ecp.Alarm {
		if v[0].Active() {
			slices.Reverse(v)
		}
		return v
	},
	"alarms twice": func(v []ecp.Alarm) []ecp.Alarm {
		if v[0].Active() {
			b := v[0]
			v[0].Nodes, b.Nodes = v[0].Nodes[:1], v[0].Nodes[1:]
			v = slices.Insert(v, 1, b)
		}
		return v
	},
	"alarms over":       func(v []ecp.Alarm) []ecp.Alarm { v[0].Until = toyTime; return v },
	"alarms never over": func(v []ecp.Alarm) []ecp.Alarm { v[0].Until = time.Time{}; return v },
	"details no object": func(v []ecp.Alarm) []ecp.Alarm { v[0].Details = json.RawMessage(`"1"`); return v },
	"rules unsorted":    func(v []ecp.Rule) []ecp.Rule { slices.Reverse(v); return v },
	"rules too few":     func(v []ecp.Rule) []ecp.Rule { return v[:1] },
	"leading unsorted":  func(v []ecp.Integration) []ecp.Integration { slices.Reverse(v); return v },
	"leading unknown":   func(v []ecp.Integration) []ecp.Integration { v[0].Status = "Connected"; return v },
	"connected because": func(v []ecp.Integration) []ecp.Integration { v[1].Nodes[0].Reason = "?"; return v },
	"phase unknown":     func(p ecp.EvacuationProgress) ecp.EvacuationProgress { p.Phase = "evacuating"; return p },
	"phase always none": func(p ecp.EvacuationProgress) ecp.EvacuationProgress {
		p.Phase = ecp.EvacuationNone
		return p
	},
	"listener inconsistent": func(v []ecp.BrokerListener) []ecp.BrokerListener {
		v[0].Running = ecp.True
		v[0].Nodes[0].Running = false
		return v
	},
	"listener limit": func(v []ecp.BrokerListener) []ecp.BrokerListener { v[0].Nodes[1].Limit = 3; return v },
	"listener sum":   func(v []ecp.BrokerListener) []ecp.BrokerListener { v[0].Connections++; return v },
	"license backward": func(l ecp.BrokerLicense) ecp.BrokerLicense {
		l.From, l.Until = toyTime, toyTime.Add(-time.Hour)
		return l
	},
	"license key":      func(l ecp.BrokerLicense) ecp.BrokerLicense { l.Email = goodKey; return l },
	"settings percent": func(s ecp.LicenseSettings) ecp.LicenseSettings { s.HighWatermark *= 100; return s },
}
