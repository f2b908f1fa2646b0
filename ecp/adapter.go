package ecp

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// Adapter speaks to running EMQX clusters of one major version. What a broker
// can do beyond Describe it says by further interfaces, found by assertion:
// [ConnectionLimiter], [Monitor], [AlarmSource], [IntegrationSource],
// [Evacuator], [MemberManager], [ListenerManager], [LicenseManager],
// [Metrics], [MetricsLoader] and [HealthSource].
type Adapter interface {
	// Major is the EMQX major version it speaks to, e.g. 5.
	Major() int
	// Open prepares to talk over e. It does no I/O; the error is invalid where
	// the endpoint itself is wrong.
	Open(e Endpoint) (Broker, error)
}

// Broker is one EMQX cluster seen through one of its nodes. What holds for
// every call, those of the further interfaces too:
//
//   - It MUST end in bounded time and memory whatever the far side does, and
//     MUST honour ctx. It may be made from several goroutines at once.
//   - Its error is an [*Error]. What the broker itself said is a
//     [*BrokerError] in its chain. Unavailable means that the same call may
//     succeed later; denied, unsupported and invalid that it will not without a
//     change, which the message names.
//   - Units are the same for both majors: durations, bytes, UTC, lower case.
//   - A call that this version, edition or license does not have is
//     unsupported, and says what was found and what is needed.
type Broker interface {
	// Describe says who the members are and how they are. A cluster some of
	// whose nodes are down still describes: those nodes say so.
	Describe(ctx context.Context) (Description, error)
	// Close releases idle connections. The broker must not be used after it.
	Close()
}

// Endpoint is the way to an EMQX management API, or to a dashboard.
type Endpoint struct {
	BaseURL   string            // e.g. "http://10.1.2.3:18083", no path
	Transport http.RoundTripper // nil = http.DefaultTransport's settings; knows tunnels and port-forwards
	// Credentials that the broker takes. Zero credentials mean that whoever uses
	// the endpoint has none to send, not that none are needed.
	Credentials Credentials
	// Authenticated reports that the Transport logs in by itself: each request
	// over it is made as the broker's administrator, whoever it comes from. Such
	// an endpoint carries no Credentials, and MUST NOT be shown to a browser.
	Authenticated bool
	// DashboardURL is where the dashboard is, over the same Transport, no path;
	// "" = at BaseURL, as in 5.x. Credentials are none of its users'.
	DashboardURL string
	// Node is the EMQX name of the node that the endpoint leads to, where the way
	// knows it; "" = not known.
	Node string
	// Nodes are the EMQX names of the nodes that the cluster should have; nil =
	// not known. While one of them hangs EMQX 4 lists none, and is asked for each
	// of these.
	Nodes []string
}

// Credentials are a key and its secret, or a user and a password. They print
// as "[redacted]".
type Credentials struct {
	Username string
	Password string
	// Kind says what they are; "" = whichever of both the broker takes, the key
	// being tried first.
	Kind CredentialKind
}

// CredentialKind is what credentials are to EMQX.
type CredentialKind string

// The kinds.
const (
	CredentialKey  CredentialKind = "key"  // API key (5.x) or AppID (4.x), and its secret
	CredentialUser CredentialKind = "user" // name and password of a dashboard user
)

// String hides both.
func (Credentials) String() string { return "[redacted]" }

// GoString hides both from %#v.
func (Credentials) GoString() string { return "[redacted]" }

// MarshalJSON hides both.
func (Credentials) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }

// BrokerError is what a broker answered, in its own words.
type BrokerError struct {
	Status  int    // of HTTP; v4 answers many errors with 200
	Code    string // as the broker spells it, e.g. "BAD_TOKEN", "404"; "" = none
	Message string // one line, shortened, without credentials; "" = none
}

// Error returns code and message.
func (e *BrokerError) Error() string {
	if e.Code == "" || e.Message == "" {
		return e.Code + e.Message
	}
	return e.Code + ": " + e.Message
}

// Description is a cluster as one of its nodes sees it. Units are the same
// for both majors.
type Description struct {
	Version string `json:"version,omitempty"` // of the node that answered, e.g. "5.8.9"
	// Edition: [EditionEnterprise] or [EditionOpenSource]; "" = the broker does not say
	Edition string       `json:"edition,omitempty"`
	Nodes   []BrokerNode `json:"nodes"` // every member the node knows of, by name
	// Connections are those of the MQTT clients connected now, all nodes.
	Connections int `json:"connections"`
	// Limit is the number of connections the broker's license allows; 0 = it
	// does not say.
	Limit int `json:"limit,omitempty"`
}

// The editions of EMQX.
const (
	EditionEnterprise = "enterprise"
	EditionOpenSource = "opensource"
)

// NodeStatus is how a member is, in lower case for both majors.
type NodeStatus string

// The statuses.
const (
	NodeRunning NodeStatus = "running"
	NodeStopped NodeStatus = "stopped"
	NodeUnknown NodeStatus = "unknown" // the node that answered could not reach it
)

// BrokerNode is one member of an EMQX cluster.
type BrokerNode struct {
	Name        string        `json:"name"` // e.g. "emqx@10.0.0.1"
	Status      NodeStatus    `json:"status"`
	Role        string        `json:"role,omitempty"` // "core" or "replicant"; v4 has core only
	Version     string        `json:"version,omitempty"`
	Uptime      time.Duration `json:"-"`           // left to views, which say in what unit
	Connections int           `json:"connections"` // MQTT clients connected now
	Sessions    int           `json:"sessions"`    // including those of clients that are away
	MemoryUsed  int64         `json:"memoryUsedBytes"`
	MemoryTotal int64         `json:"memoryTotalBytes"` // bytes; 0 = unknown
	Error       string        `json:"error,omitempty"`  // why Status is unknown
}

// Detector is an Adapter that finds out whether an EMQX of its major answers.
type Detector interface {
	// Detect says what answers at e. Without credentials it tells what the
	// broker tells everybody, which from some versions on is the major only.
	//
	// The error is unsupported where something else answers, or an EMQX that
	// cannot be managed: it says what was found and what is needed. Denied
	// where credentials were given and refused, unavailable where nothing
	// answers. The Detection then holds all the same what is known.
	Detect(ctx context.Context, e Endpoint) (Detection, error)
}

// Detection is what was found behind an endpoint.
type Detection struct {
	Major         int    `json:"major"`             // 0 = no EMQX that is known
	Version       string `json:"version,omitempty"` // e.g. "5.8.9"; "" = not told
	Edition       string `json:"edition,omitempty"` // as [Description.Edition]
	Authenticated bool   `json:"authenticated"`     // the credentials were taken
}

// Detect asks each adapter that is a [Detector] until one finds its major
// behind e. The error is that of the adapter whose EMQX answers, else the one
// that says most: a refusal, an outage or a redirect before "something else
// answers".
func Detect(ctx context.Context, e Endpoint, adapters ...Adapter) (Detection, error) {
	op := "detect EMQX"
	if u, err := url.Parse(e.BaseURL); err == nil && u.Host != "" {
		op += " at " + u.Scheme + "://" + u.Host // without what may be secret
	}
	var worst error
	var strangers []error
	for _, a := range adapters {
		d, ok := a.(Detector)
		if !ok {
			continue
		}
		found, err := d.Detect(ctx, e)
		if err == nil || found.Major != 0 || ctx.Err() != nil {
			return found, err
		}
		if errors.Is(err, ErrUnsupported) && !redirects(err) {
			strangers = append(strangers, err)
		} else if worst == nil {
			worst = err
		}
	}
	switch {
	case worst != nil:
		var said *Error
		if errors.As(worst, &said) { // which adapter asked first says nothing of what is there
			worst = &Error{Code: said.Code, Op: op, Message: said.Message, Fields: said.Fields, Cause: worst}
		}
		return Detection{}, worst
	case len(strangers) == 0:
		return Detection{}, NewError(CodeUnsupported, op,
			"no adapter can tell what answers; configure those of EMQX 4 and 5")
	}
	return Detection{}, &Error{
		Code: CodeUnsupported, Op: op, Cause: errors.Join(strangers...),
		Message: "found no EMQX at this address; check host and port: the dashboard's is 18083 as a rule, " +
			"that of EMQX 4's management API 8081",
	}
}

// redirects says that what answered names another address, as in the scheme's
// being another: that is worth more than that it is no EMQX.
func redirects(err error) bool {
	var said *BrokerError
	return errors.As(err, &said) && said.Status/100 == 3
}
