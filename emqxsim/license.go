package emqxsim

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"
	"time"
)

// The types of license.
const (
	TrialLicense     = "trial"
	OfficialLicense  = "official"
	CommunityLicense = "community" // from 5.9 on; for one node only
)

// The types of customer. They decide what happens when the license expires, and whether the
// limit can be set.
const (
	SmallCustomer            = 0
	LargeCustomer            = 2
	BusinessCriticalCustomer = 3 // dynamic_max_connections counts, from 5.7 on
	EvaluationCustomer       = 10
	DeveloperCustomer        = 11
)

// License holds the terms of a license. Only simulated clusters accept keys made from it by
// [LicenseKey].
type License struct {
	Type         string    `json:"type"`     // empty means OfficialLicense
	CustomerType int       `json:"customer"` // one of the constants above
	Customer     string    `json:"name"`     // empty means "Simulated Customer"
	Email        string    `json:"email"`    // empty means an address at example.org
	Deployment   string    `json:"deployment"`
	Start        time.Time `json:"start"`  // zero means a year before the clock's now
	Expiry       time.Time `json:"expiry"` // zero means five years after Start
	Limit        int       `json:"limit"`  // connections or sessions
	singleNode   bool
}

// The texts by which keys and license files are recognized.
const (
	keyPrefix  = "emqxsim-license."
	fileHeader = "-----BEGIN SIMULATED LICENSE-----\n"
	fileFooter = "\n-----END SIMULATED LICENSE-----\n"
)

// LicenseKey returns a key for POST /api/v5/license: the text "emqxsim-license." and the
// terms as JSON in base64url. It is not signed, and no real broker accepts it.
func LicenseKey(l License) string {
	b, err := json.Marshal(l)
	if err != nil {
		panic(err) // made of strings, numbers and times
	}
	return keyPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// LicenseFile returns the text of a .lic file for EMQX 4.4, which is a key between two
// lines.
func LicenseFile(l License) string { return fileHeader + LicenseKey(l) + fileFooter }

// parseLicense reads a key or a file and reports whether it is one.
func parseLicense(text string, now time.Time) (License, bool) {
	text = strings.TrimSpace(text)
	text = strings.TrimSuffix(strings.TrimPrefix(text, fileHeader), strings.TrimSpace(fileFooter))
	code, ok := strings.CutPrefix(strings.TrimSpace(text), keyPrefix)
	if !ok {
		return License{}, false
	}
	b, err := base64.RawURLEncoding.DecodeString(code)
	var l License
	if err != nil || json.Unmarshal(b, &l) != nil {
		return License{}, false
	}
	return l.withDefaults(now), true
}

func (l License) withDefaults(now time.Time) License {
	set := func(s *string, to string) {
		if *s == "" {
			*s = to
		}
	}
	set(&l.Type, OfficialLicense)
	set(&l.Customer, "Simulated Customer")
	set(&l.Email, "contact@example.org")
	set(&l.Deployment, "default")
	if l.Start.IsZero() {
		l.Start = day(now).AddDate(-1, 0, 0)
	}
	if l.Expiry.IsZero() {
		l.Expiry = l.Start.AddDate(5, 0, 0)
	}
	l.singleNode = l.Type == CommunityLicense
	return l
}

func day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// The licenses that brokers start with. The dates of the trial are recorded ones.
const (
	evaluationLimit4 = 10
	trialLimit       = 25
	communityLimit   = 10_000_000
)

func startLicense(c ClusterConfig) License {
	now := c.Now()
	if c.License != nil {
		return c.License.withDefaults(now)
	}
	l := builtIn(c.Version, now)
	if c.Limit > 0 {
		l.Limit = c.Limit
	}
	return l
}

// builtIn returns the license that the key "default" stands for.
func builtIn(version string, now time.Time) License {
	trial := License{
		Type: TrialLicense, CustomerType: EvaluationCustomer, Customer: "Evaluation", Email: "contact@emqx.io",
		Deployment: "trial",
		Start:      time.Date(2024, 4, 18, 0, 0, 0, 0, time.UTC), Expiry: time.Date(2029, 4, 17, 0, 0, 0, 0, time.UTC),
		Limit: trialLimit,
	}
	switch {
	case mustMajor(version) == 4:
		trial.Limit = evaluationLimit4
	case has(version, sinceCommunity): // its texts are not recorded
		return License{
			Type: CommunityLicense, CustomerType: DeveloperCustomer, Deployment: "default", Limit: communityLimit,
			Start: day(now).AddDate(-1, 0, 0), Expiry: day(now).AddDate(4, 0, 0),
		}.withDefaults(now)
	}
	return trial
}

// evaluation returns the license that the key "evaluation" stands for, from 5.9 on.
func evaluation(now time.Time) License {
	return License{
		Type: TrialLicense, CustomerType: EvaluationCustomer, Customer: "Evaluation", Email: "contact@emqx.io",
		Deployment: "trial",
		Start:      day(now), Expiry: day(now).AddDate(0, 0, 30), Limit: trialLimit,
	}
}

// licenseSetting holds the settings beside the key.
type licenseSetting struct {
	low, high int // watermarks of the alarm, in percent
	dynamic   int // -1 until it is set
}

// SetLicense puts a license into force, as a new key does.
func (c *Cluster) SetLicense(l License) {
	c.change(func(now time.Time) {
		c.db.license = l.withDefaults(now)
		if n := c.reporter(now); n != nil {
			n.logLicense(now)
		}
	})
}

// limitFor returns the limit in force on a node of the version.
func (d *database) limitFor(version string) int {
	if !d.dynamicCounts(version) {
		return d.license.Limit
	}
	return min(d.dynamic(), d.license.Limit)
}

func (d *database) dynamicCounts(version string) bool {
	return d.license.CustomerType == BusinessCriticalCustomer && has(version, sinceDynamic) && mustMajor(version) >= 5
}

func (d *database) dynamic() int {
	if d.setting.dynamic < 0 {
		return trialLimit
	}
	return d.setting.dynamic
}

// licensed reports whether the edition has licenses at all.
func (c *Cluster) licensed(version string) bool {
	return c.cfg.Edition == Enterprise || c.major > 4 && has(version, sinceCommunity)
}

// version returns the version of the oldest member, which counts where versions differ.
func (c *Cluster) version() string {
	for _, n := range c.nodes {
		if !n.left {
			return n.version
		}
	}
	return c.cfg.Version
}

// singleNode reports whether the license forbids a second member.
func (c *Cluster) singleNode() bool {
	return c.licensed(c.version()) && c.db.license.singleNode && c.major > 4 && has(c.version(), sinceCommunity)
}

func (l License) expired(t time.Time) bool { return !t.Before(l.Expiry) }

// stops returns when the license refuses new clients of a version. Zero means never.
func (l License) stops(version string) time.Time {
	switch {
	case l.Type != OfficialLicense || l.CustomerType == EvaluationCustomer:
		return l.Expiry
	case l.CustomerType == SmallCustomer:
		return l.Expiry.AddDate(0, 0, map[bool]int{false: 90, true: 15}[has(version, sinceFifteenDays)])
	}
	return time.Time{}
}

// warns returns when the alarm about the coming expiry rises.
func (l License) warns() time.Time { return l.Expiry.AddDate(0, 0, -30) }

func (l License) moments(version string) []time.Time {
	return []time.Time{l.warns(), l.Expiry, l.stops(version)}
}

// used returns what the license counts: connected clients, and from 5.8.5 on sessions.
func (c *Cluster) used() int {
	sum := 0
	sessions := c.countsSessions()
	for _, n := range c.nodes {
		if n.left {
			continue
		}
		if sessions {
			sum += c.sessions(n)
		} else {
			sum += c.live(n)
		}
	}
	return sum
}

func (c *Cluster) countsSessions() bool { return c.major > 4 && has(c.version(), sinceSessions) }

// ceiling returns how many clients or sessions the license really allows: a tenth more than
// its limit, but from 5.8.5 on only if the limit is above 25.
func (c *Cluster) ceiling() int {
	limit := c.db.limitFor(c.version())
	if c.countsSessions() && limit <= trialLimit {
		return limit
	}
	return limit + limit/10
}

// licenseLeft returns how many more clients may connect. A client whose session is counted
// already is not counted again.
func (c *Cluster) licenseLeft(session *Node, _ time.Time) int {
	if !c.licensed(c.version()) || session != nil && c.countsSessions() {
		return math.MaxInt32 // there is no limit
	}
	return max(c.ceiling()-c.used(), 0)
}

func (c *Cluster) licenseRefuses(t time.Time) string {
	stops := c.db.license.stops(c.version())
	if c.licensed(c.version()) && !stops.IsZero() && !t.Before(stops) {
		return refusedExpired
	}
	return ""
}
