package ecp

import (
	"strconv"
	"strings"
)

// Feature names something that can be done with a cluster.
type Feature string

// The features.
const (
	FeaturePower           Feature = "power"   // start and stop
	FeatureScale           Feature = "scale"   // number of nodes
	FeatureResize          Feature = "resize"  // size of a node
	FeatureNetwork         Feature = "network" // network type and listeners
	FeatureImage           Feature = "image"   // upgrade and downgrade
	FeatureRepair          Feature = "repair"
	FeatureDelete          Feature = "delete"
	FeatureTransfer        Feature = "transfer"
	FeatureLogs            Feature = "logs"
	FeatureConnectionLimit Feature = "connectionLimit"
	FeatureMonitoring      Feature = "monitoring"
	FeatureAlarms          Feature = "alarms"
	FeatureIntegrations    Feature = "integrations" // rules, and what they lead to
	FeatureDashboard       Feature = "dashboard"
)

// FeatureInfo reports whether a feature can be used on a cluster and, where not, why.
type FeatureInfo struct {
	Feature   Feature `json:"feature"`
	Available bool    `json:"available"`
	Why       string  `json:"why,omitempty"` // set where not available
}

// Capabilities are what was learned of one cluster beyond its version.
type Capabilities struct {
	LimitCall      bool // the broker lists the call that sets its connection limit
	LicenseType    int  // EMQX customer type; 3 = business critical
	ServiceAddress bool // an adopted cluster has one
	Agent          bool // an agent is connected
	Reported       bool // a connected agent has reported
	Logs           bool // a connected agent can read EMQX's log files
	NoAgentAddress bool // no address is configured that agents could dial
	// Trouble is what hinders a connected agent at its broker; empty = nothing is
	// known to.
	Trouble string
	// LogFault is why an agent that may read EMQX's log files cannot; empty = none says so.
	LogFault string
	// LimitDropped says why the broker, as it is reported to be, has dropped a
	// connection limit that it took; empty means that it has dropped none.
	LimitDropped string
}

// featureRow says for one feature why a cluster cannot use it; "" = it can.
type featureRow struct {
	feature Feature
	why     func(mode Mode, v Version, c Capabilities) string
}

var featureRows = []featureRow{
	{FeaturePower, hostedOnly},
	{FeatureScale, hostedOnly},
	{FeatureResize, hostedOnly},
	{FeatureNetwork, hostedOnly},
	{FeatureImage, hostedOnly},
	{FeatureRepair, hostedOnly},
	{FeatureDelete, always},
	{FeatureTransfer, always},
	{FeatureLogs, logs},
	{FeatureConnectionLimit, connectionLimit},
	{FeatureMonitoring, throughAgent},
	{FeatureAlarms, throughAgent},
	{FeatureIntegrations, throughAgent},
	{FeatureDashboard, dashboard},
}

// Features lists every feature with whether a cluster of the mode and version
// can use it. It is the one place that knows.
func Features(mode Mode, version string, c Capabilities) []FeatureInfo {
	v, _ := ParseVersion(version)
	out := make([]FeatureInfo, len(featureRows))
	for i, row := range featureRows {
		why := row.why(mode, v, c)
		out[i] = FeatureInfo{Feature: row.feature, Available: why == "", Why: why}
	}
	return out
}

// Why says why a cluster of the mode and version cannot use the feature; it is empty
// where it can.
func (f Feature) Why(mode Mode, v Version, c Capabilities) string {
	for _, row := range featureRows {
		if row.feature == f {
			return row.why(mode, v, c)
		}
	}
	return "there is no such feature"
}

func always(Mode, Version, Capabilities) string { return "" }

func hostedOnly(mode Mode, _ Version, _ Capabilities) string {
	if mode == Hosted {
		return ""
	}
	return "only for hosted clusters: this one was made by somebody else"
}

// The whys of what adopted clusters wait for.
const (
	needsAgent  = "needs a connected agent"
	notReported = "not known yet: no agent has reported"
)

// NoAgentAddress says what is missing where no address is configured that agents
// can dial.
const NoAgentAddress = "no address is configured that agents can dial: set `cluster.agent` " +
	"(the flag --cluster-agent) to the https URL under which their hosts reach this program"

// throughAgent is what an adopted cluster's agent is asked for.
func throughAgent(mode Mode, v Version, c Capabilities) string {
	switch {
	case mode == Hosted:
		return ""
	case !c.Agent:
		return c.withoutAgent(needsAgent)
	case v.Major == 0 && c.Trouble != "":
		return "not known yet: the agent cannot ask EMQX: " + c.Trouble
	case v.Major == 0:
		return notReported
	}
	return ""
}

// withoutAgent returns why something that takes an agent cannot be used: where no
// agent can ever connect, that is the cause, and not that none does.
func (c Capabilities) withoutAgent(why string) string {
	if c.NoAgentAddress {
		return string(ReasonNoAgentAddress) + ": " + NoAgentAddress
	}
	return why
}

func connectionLimit(mode Mode, v Version, c Capabilities) string {
	switch {
	case mode == Hosted:
		return ""
	case !c.Agent && v.Major == 0:
		return c.withoutAgent(notReported)
	case v.Major == 0:
		return notReported
	case v.Major >= 5 && v.Before(Version{5, 7, 0}):
		return "needs EMQX 5.7.0 or later"
	case !c.Agent:
		return c.withoutAgent(needsAgent)
	case v.Major == 4 && !c.LimitCall:
		return "this broker does not list the call that sets its connection limit"
	case v.Major >= 5 && c.LicenseType != 3:
		return "needs a business critical license (type 3)"
	case c.LimitDropped != "":
		return ErrLicenseNotBusinessCritical.Code + ": " + c.LimitDropped
	}
	return ""
}

func dashboard(mode Mode, v Version, c Capabilities) string {
	switch {
	case mode == Hosted, c.Agent, v.Major >= 5 && c.ServiceAddress:
		return ""
	case v.Major == 0 && c.ServiceAddress:
		return c.withoutAgent(notReported)
	case v.Major >= 5:
		return c.withoutAgent("needs a service address or a connected agent")
	}
	return c.withoutAgent(needsAgent)
}

// collectLogs is the command that lets an agent read logs.
const collectLogs = "emqxee-agent register --emqx-log-collection-enabled"

// logs says why the logs of a cluster cannot be read.
func logs(mode Mode, _ Version, c Capabilities) string {
	switch {
	case mode == Hosted, c.Logs:
		return ""
	case !c.Agent:
		return c.withoutAgent(needsAgent)
	case c.LogFault != "":
		return "the agent cannot read EMQX's log files: " + strings.TrimSuffix(c.LogFault, ".")
	case !c.Reported:
		return notReported
	}
	return "log collection is not enabled at its agents: run `" + collectLogs + "` on their hosts"
}

// Version is an EMQX version, e.g. 5.8.9.
type Version struct{ Major, Minor, Patch int }

// ParseVersion reads "5.8.9"; a leading "v" or "e" and anything after a "-" or
// "+" are left out. false if it is none.
func ParseVersion(s string) (Version, bool) {
	s = strings.TrimLeft(s, "ve")
	if i := strings.IndexAny(s, "-+"); i >= 0 {
		s = s[:i]
	}
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return Version{}, false
	}
	var n [3]int
	for i, p := range parts {
		v, err := strconv.Atoi(p)
		if err != nil || v < 0 {
			return Version{}, false
		}
		n[i] = v
	}
	return Version{n[0], n[1], n[2]}, true
}

// Unverified reports whether OpenECP was never run on a real EMQX of the version or a near
// one: what it does with it follows EMQX's documents and source, and the simulator.
func (v Version) Unverified() bool { return v.Major >= 6 }

// Before reports whether v is an earlier version than w.
func (v Version) Before(w Version) bool {
	a, b := [3]int{v.Major, v.Minor, v.Patch}, [3]int{w.Major, w.Minor, w.Patch}
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}
