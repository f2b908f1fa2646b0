package emqxsim

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"
	"time"
)

// The kinds of licence.
const (
	TrialLicense     = "trial"
	OfficialLicense  = "official"
	CommunityLicense = "community" // from 5.9: one node only
)

// What a customer is; it decides what happens when the licence expires, and
// whether the limit can be set.
const (
	SmallCustomer            = 0
	LargeCustomer            = 2
	BusinessCriticalCustomer = 3 // dynamic_max_connections counts, from 5.7
	EvaluationCustomer       = 10
	DeveloperCustomer        = 11
)

// License is what a licence says. Keys made of it are accepted by simulated
// clusters only; see [LicenseKey].
type License struct {
	Type         string    `json:"type"`     // "" = OfficialLicense
	CustomerType int       `json:"customer"` // see the constants
	Customer     string    `json:"name"`     // "" = "Simulated Customer"
	Email        string    `json:"email"`    // "" = an address at example.org
	Deployment   string    `json:"deployment"`
	Start        time.Time `json:"start"`  // zero = a year before the clock's now
	Expiry       time.Time `json:"expiry"` // zero = five years after Start
	Limit        int       `json:"limit"`  // connections or sessions
	singleNode   bool
}

// What a licence starts with, so that it is told from any other text.
const (
	keyPrefix  = "emqxsim-license."
	fileHeader = "-----BEGIN SIMULATED LICENSE-----\n"
	fileFooter = "\n-----END SIMULATED LICENSE-----\n"
)

// LicenseKey makes a key for POST /api/v5/license. It is the text
// "emqxsim-license." and the terms as JSON in base64url; nothing is signed, and
// no real broker takes it.
func LicenseKey(l License) string {
	b, err := json.Marshal(l)
	if err != nil {
		panic(err) // made of strings, numbers and times
	}
	return keyPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// LicenseFile makes the text of a .lic file for EMQX 4.4: a key as above
// between two lines.
func LicenseFile(l License) string { return fileHeader + LicenseKey(l) + fileFooter }

// parseLicense reads a key or a file; false = it is none.
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

// What brokers come with. The dates of the trial are those that were recorded.
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

// builtIn is "default".
func builtIn(version string, now time.Time) License {
	trial := License{
		Type: TrialLicense, CustomerType: EvaluationCustomer, Customer: "Evaluation", Email: "contact@emqx.io", Deployment: "trial",
		Start: time.Date(2024, 4, 18, 0, 0, 0, 0, time.UTC), Expiry: time.Date(2029, 4, 17, 0, 0, 0, 0, time.UTC), Limit: trialLimit,
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

// evaluation is the key "evaluation", from 5.9.
func evaluation(now time.Time) License {
	return License{
		Type: TrialLicense, CustomerType: EvaluationCustomer, Customer: "Evaluation", Email: "contact@emqx.io", Deployment: "trial",
		Start: day(now), Expiry: day(now).AddDate(0, 0, 30), Limit: trialLimit,
	}
}

// licenseSetting is what can be set beside the key.
type licenseSetting struct {
	low, high int // watermarks of the alarm, in percent
	dynamic   int // -1 = never set
}

// SetLicense puts a licence into force, as a new key does.
func (c *Cluster) SetLicense(l License) {
	c.change(func(now time.Time) {
		c.db.license = l.withDefaults(now)
		if n := c.speaker(now); n != nil {
			n.sayLicense(now)
		}
	})
}

// limitFor is the limit in force on a node of the version.
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

// licensed says whether the edition has licences at all.
func (c *Cluster) licensed(version string) bool {
	return c.cfg.Edition == Enterprise || c.major > 4 && has(version, sinceCommunity)
}

// version is that of the oldest member: what counts where versions differ.
func (c *Cluster) version() string {
	for _, n := range c.nodes {
		if !n.left {
			return n.version
		}
	}
	return c.cfg.Version
}

// singleNode says whether the licence forbids a second member.
func (c *Cluster) singleNode() bool {
	return c.licensed(c.version()) && c.db.license.singleNode && c.major > 4 && has(c.version(), sinceCommunity)
}

func (l License) expired(t time.Time) bool { return !t.Before(l.Expiry) }

// stops is when the licence refuses new clients; zero = never.
func (l License) stops() time.Time {
	switch {
	case l.Type != OfficialLicense || l.CustomerType == EvaluationCustomer:
		return l.Expiry
	case l.CustomerType == SmallCustomer:
		return l.Expiry.AddDate(0, 0, 90) // 15 days from 6.2, which is not simulated
	}
	return time.Time{}
}

// warns is when the alarm rises that it will expire.
func (l License) warns() time.Time { return l.Expiry.AddDate(0, 0, -30) }

func (l License) moments() []time.Time { return []time.Time{l.warns(), l.Expiry, l.stops()} }

// used is what the licence counts: clients that are connected, from 5.8.5 on
// sessions.
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

// ceiling is how many the licence really lets in: a tenth more, but from 5.8.5
// on only where the limit is above 25.
func (c *Cluster) ceiling() int {
	limit := c.db.limitFor(c.version())
	if c.countsSessions() && limit <= trialLimit {
		return limit
	}
	return limit + limit/10
}

// licenseLeft is how many clients more may connect. Who has a session that is
// counted already is not counted again.
func (c *Cluster) licenseLeft(session *Node, _ time.Time) int {
	if !c.licensed(c.version()) || session != nil && c.countsSessions() {
		return math.MaxInt32 // no limit
	}
	return max(c.ceiling()-c.used(), 0)
}

func (c *Cluster) licenseRefuses(t time.Time) string {
	stops := c.db.license.stops()
	if c.licensed(c.version()) && !stops.IsZero() && !t.Before(stops) {
		return refusedExpired
	}
	return ""
}
