package ecptest_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/openecp/openecp/ecp"
)

// toyAdapter speaks to toys. It keeps every promise but the one it breaks.
type toyAdapter struct {
	breaks   string        // "" = none
	patience time.Duration // 0 = toyPatience
	// only makes of a broker one with fewer interfaces; nil = it has all.
	only func(*toyBroker) ecp.Broker
}

func (a toyAdapter) Major() int {
	if a.breaks == "major" {
		return 6
	}
	return 7
}

const toyPatience = 10 * time.Second

func (a toyAdapter) Open(e ecp.Endpoint) (ecp.Broker, error) {
	b, err := a.open(e)
	if err != nil {
		return nil, err
	}
	if a.only != nil {
		return a.only(b), nil
	}
	if a.breaks == "interface" {
		return struct{ ecp.Broker }{b}, nil
	}
	return b, nil
}

func (a toyAdapter) open(e ecp.Endpoint) (*toyBroker, error) {
	u, err := url.Parse(e.BaseURL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil ||
		u.Path != "" ||
		u.RawQuery != "" || u.Fragment != "" || len(u.Port()) > 0 && (len(u.Port()) > 5 || u.Port() > "65535" &&
		len(u.Port()) == 5) {
		return nil, &ecp.Error{Code: ecp.CodeInvalid, Op: "open a toy", Message: "that is no endpoint"}
	}
	b := &toyBroker{breaks: a.breaks, patience: cmp.Or(a.patience, toyPatience), endpoint: e,
		http: &http.Client{Transport: e.Transport}}
	if e.Transport == nil {
		b.own = http.DefaultTransport.(*http.Transport).Clone()
		b.own.MaxResponseHeaderBytes = 64 << 10
		b.http.Transport = b.own
	}
	b.http.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if (r.URL.Host != via[0].URL.Host || len(via) > 3) && a.breaks != "redirect" {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return b, nil
}

func (a toyAdapter) Detect(ctx context.Context, e ecp.Endpoint) (ecp.Detection, error) {
	b, err := a.open(e)
	if err != nil {
		return ecp.Detection{}, err
	}
	if a.breaks != "detect keeps connections" {
		defer b.Close()
	}
	var d ecp.Description
	status, header, err := b.ask(ctx, http.MethodGet, "/nodes", nil, &d)
	toyAnswers := header.Get("WWW-Authenticate") == `Basic realm="toy"` || a.breaks == "detect anything" && status != 0
	switch {
	case err == nil && d.Version != "":
		return ecp.Detection{Major: 7, Version: d.Version, Edition: d.Edition, Authenticated: true}, nil
	case toyAnswers && e.Credentials == (ecp.Credentials{}):
		return ecp.Detection{Major: 7}, nil
	case toyAnswers && a.breaks == "detect wrong key":
		return ecp.Detection{Major: 7}, nil
	case toyAnswers:
		return ecp.Detection{Major: 7}, err
	case status != 0:
		return ecp.Detection{}, b.fail(ecp.CodeUnsupported, "something else answers", err)
	}
	return ecp.Detection{}, err
}

type toyBroker struct {
	breaks   string
	patience time.Duration
	endpoint ecp.Endpoint
	http     *http.Client
	own      *http.Transport
}

func (b *toyBroker) Close() {
	if b.own != nil && b.breaks != "close" {
		b.own.CloseIdleConnections()
	}
}

func (b *toyBroker) fail(code ecp.Code, says string, why error) error {
	switch b.breaks {
	case "foreign error":
		return errors.New(says)
	case "internal":
		code = ecp.CodeInternal
	case "tells credentials":
		says += fmt.Sprint(" to ", b.endpoint.Credentials.Username)
	case "tells credentials in the cause":
		why = fmt.Errorf("%w: as %s", why, b.endpoint.Credentials.Password)
	}
	return &ecp.Error{Code: code, Op: "ask the toy", Message: says, Cause: why}
}

// unreached is why there is no answer.
func (b *toyBroker) unreached(ctx context.Context, err error) error {
	why := ctx.Err()
	if why == nil && errors.Is(err, syscall.ECONNREFUSED) {
		why = syscall.ECONNREFUSED // the text of others may hold what was sent
	}
	return b.fail(ecp.CodeUnavailable, "it does not answer", why)
}

var toyCodes = map[int]ecp.Code{
	http.StatusUnauthorized: ecp.CodeDenied, http.StatusForbidden: ecp.CodeDenied,
	http.StatusNotFound:   ecp.CodeUnsupported,
	http.StatusBadRequest: ecp.CodeInvalid, http.StatusConflict: ecp.CodeConflict,
	http.StatusFound:             ecp.CodeUnsupported,
	http.StatusTemporaryRedirect: ecp.CodeUnsupported,
}

const toyMost = 1 << 20

// bound returns the call's own patience; ended says who gave up.
func (b *toyBroker) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	patience := b.patience
	if b.breaks == "patience" || b.breaks == "reads for ever" {
		patience = 8 * time.Second
	}
	if b.breaks == "ignores its context" {
		ctx = context.WithoutCancel(ctx)
	}
	return context.WithTimeout(ctx, patience)
}

// ask sends and reads; refusals are errors whose status is given, too.
func (b *toyBroker) ask(outer context.Context, method, path string, in, out any) (int, http.Header, error) {
	ctx, cancel := b.bound(outer)
	defer cancel()
	resp, err := b.send(ctx, method, path, in, true)
	if err != nil && method != http.MethodGet && b.breaks == "repeats" {
		resp, err = b.send(ctx, method, path, in, true)
	}
	if err != nil {
		return 0, nil, b.unreached(outer, err)
	}
	defer func() { _ = resp.Body.Close() }()
	most := int64(toyMost)
	if b.breaks == "reads for ever" {
		most = 1 << 40
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, most))
	switch kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); {
	case resp.StatusCode/100 != 2:
		says := fmt.Sprintf("it answered %d", resp.StatusCode)
		if b.breaks == "tells what it is told" {
			says += string(body)
		}
		return resp.StatusCode, resp.Header, b.fail(cmp.Or(toyCodes[resp.StatusCode], ecp.CodeUnavailable), says, nil)
	case err != nil || len(body) == toyMost:
		return resp.StatusCode, resp.Header, b.unreached(outer, err)
	case kind != "application/json" && b.breaks != "takes pages":
		return resp.StatusCode, resp.Header, b.fail(ecp.CodeUnavailable, "that is no answer of a toy", nil)
	case out == nil:
		return resp.StatusCode, resp.Header, nil
	case json.Unmarshal(body, out) != nil && b.breaks != "takes garbage":
		return resp.StatusCode, resp.Header, b.fail(ecp.CodeUnavailable, "that makes no sense", nil)
	}
	return resp.StatusCode, resp.Header, nil
}

func (b *toyBroker) send(ctx context.Context, method, path string, in any, signed bool) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = struct{ io.Reader }{bytes.NewReader(text)} // net/http cannot send it again
	}
	r, err := http.NewRequestWithContext(ctx, method, b.endpoint.BaseURL+path, body)
	if err != nil {
		return nil, err
	}
	if method != http.MethodGet && method != http.MethodHead {
		r.Header.Set("Content-Type", "application/json")
	}
	if signed && b.endpoint.Credentials != (ecp.Credentials{}) {
		r.SetBasicAuth(b.endpoint.Credentials.Username, b.endpoint.Credentials.Password)
	}
	return b.http.Do(r)
}

// get asks for what has to be there.
func get[T any](ctx context.Context, b *toyBroker, path string, there func(T) bool) (T, error) {
	var v, none T
	method := http.MethodGet
	if b.breaks == "asks by PUT" {
		method = http.MethodPut
	}
	_, _, err := b.ask(ctx, method, path, nil, &v)
	if err == nil && there != nil && !there(v) && b.breaks != "takes garbage" {
		err = b.fail(ecp.CodeUnavailable, "that is not what was asked for", nil)
	}
	if err != nil {
		return none, err
	}
	if change, ok := spoils[b.breaks].(func(T) T); ok {
		v = change(v)
	}
	return v, nil
}

func listed[T any](v []T) bool { return v != nil }

// do makes a change; nil also for a status that says it is so already.
func (b *toyBroker) do(ctx context.Context, method, path string, in any, already ...int) error {
	status, _, err := b.ask(ctx, method, path, in, nil)
	for _, s := range already {
		if status == s && b.breaks != "already is an error" {
			return nil
		}
	}
	return err
}

// invalid returns an error where an argument is wrong.
func (b *toyBroker) invalid(wrong bool) error {
	if wrong && b.breaks != "takes any argument" {
		return &ecp.Error{Code: ecp.CodeInvalid, Op: "ask the toy", Message: "an argument is wrong"}
	}
	return nil
}

// unknown makes "not found" of what the toy does not know by name.
func (b *toyBroker) unknown(err error) error {
	if errors.Is(err, ecp.ErrUnsupported) && b.breaks != "unknown is unsupported" {
		return b.fail(ecp.CodeNotFound, "there is none of that name", err)
	}
	return err
}

func (b *toyBroker) segment(id string) string {
	if b.breaks == "does not escape" {
		return id
	}
	if strings.Trim(id, ".") == "" {
		return strings.ReplaceAll(id, ".", "%2E")
	}
	return url.PathEscape(id)
}

func (b *toyBroker) Describe(ctx context.Context) (ecp.Description, error) {
	d, err := get(ctx, b, "/nodes", func(d ecp.Description) bool { return len(d.Nodes) > 0 })
	if err != nil && b.breaks == "result beside an error" {
		d.Version = "7.1.0"
	}
	return d, err
}

func (b *toyBroker) ConnectionLimit(ctx context.Context) (ecp.ConnectionLimit, error) {
	return get(ctx, b, "/limit", func(l ecp.ConnectionLimit) bool { return l.InForce > 0 })
}

func (b *toyBroker) SetConnectionLimit(ctx context.Context, n int) (ecp.ConnectionLimit, error) {
	var l ecp.ConnectionLimit
	if err := b.invalid(n < 0); err != nil {
		return l, err
	}
	if _, _, err := b.ask(ctx, http.MethodPut, "/limit", n, &l); err != nil {
		return ecp.ConnectionLimit{}, err
	}
	switch {
	case l.InForce == 0:
		return ecp.ConnectionLimit{}, b.fail(ecp.CodeUnavailable, "that is no limit", nil)
	case b.breaks == "limit as asked":
		return ecp.ConnectionLimit{Settable: true, Set: n, InForce: n}, nil
	case l.Set != n && b.breaks == "dropped is not told":
		return l, nil
	case l.Set != n && l.Settable:
		return ecp.ConnectionLimit{}, b.fail(ecp.CodeUnsupported, "it dropped the number",
			ecp.ErrLicenseNotBusinessCritical)
	case !l.Settable:
		return ecp.ConnectionLimit{}, b.fail(ecp.CodeUnsupported, l.Why, nil)
	}
	return l, nil
}

func (b *toyBroker) Traffic(ctx context.Context) (ecp.Traffic, error) {
	return get(ctx, b, "/traffic", func(v ecp.Traffic) bool { return len(v.Nodes) > 0 })
}

func (b *toyBroker) TrafficSeries(ctx context.Context, last time.Duration) ([]ecp.TrafficSample, error) {
	return get(ctx, b, "/series?last="+last.String(), listed[ecp.TrafficSample])
}

func (b *toyBroker) ActiveAlarms(ctx context.Context) ([]ecp.Alarm, error) {
	return get(ctx, b, "/alarms", listed[ecp.Alarm])
}

func (b *toyBroker) AlarmHistory(ctx context.Context) ([]ecp.Alarm, error) {
	return get(ctx, b, "/history", listed[ecp.Alarm])
}

func (b *toyBroker) Rules(ctx context.Context) ([]ecp.Rule, error) {
	return get(ctx, b, "/rules", listed[ecp.Rule])
}

func (b *toyBroker) Integrations(ctx context.Context) ([]ecp.Integration, error) {
	return get(ctx, b, "/integrations", listed[ecp.Integration])
}

func (b *toyBroker) StartEvacuation(ctx context.Context, node string, o ecp.EvacuationOrder) error {
	if err := b.invalid(node == "" || min(o.ConnectionRate, o.SessionRate) < 0 ||
		min(o.WaitHealth, o.WaitTakeover) < 0); err != nil {
		return err
	}
	return b.unknown(b.do(ctx, http.MethodPost, "/evacuation/"+b.segment(node), o, http.StatusConflict))
}

func (b *toyBroker) EvacuationProgress(ctx context.Context, node string) (ecp.EvacuationProgress, error) {
	if err := b.invalid(node == ""); err != nil {
		return ecp.EvacuationProgress{}, err
	}
	p, err := get(ctx, b, "/evacuation/"+b.segment(node), func(p ecp.EvacuationProgress) bool { return p.Phase != "" })
	return p, b.unknown(err)
}

func (b *toyBroker) StopEvacuation(ctx context.Context, node string) error {
	if err := b.invalid(node == ""); err != nil {
		return err
	}
	return b.unknown(b.do(ctx, http.MethodDelete, "/evacuation/"+b.segment(node), nil, http.StatusConflict))
}

func (b *toyBroker) InviteMember(ctx context.Context, node string) error {
	if err := b.invalid(node == ""); err != nil {
		return err
	}
	return b.unknown(b.do(ctx, http.MethodPost, "/members/"+b.segment(node), nil, http.StatusConflict))
}

// RemoveMember looks first: what is no member the toy calls unknown, as other
// far sides call everything.
func (b *toyBroker) RemoveMember(ctx context.Context, node string) error {
	if err := b.invalid(node == ""); err != nil {
		return err
	}
	d, err := b.Describe(ctx)
	if err != nil {
		return err
	}
	for _, m := range d.Nodes {
		switch {
		case m.Name != node:
		case m.Status == ecp.NodeRunning && node != d.Nodes[0].Name && b.breaks != "removes who runs":
			return b.fail(ecp.CodeConflict, "it runs", nil)
		default:
			return b.unknown(b.do(ctx, http.MethodDelete, "/members/"+b.segment(node), nil))
		}
	}
	if b.breaks == "already is an error" {
		return b.fail(ecp.CodeNotFound, "no member", nil)
	}
	return nil
}

func (b *toyBroker) Listeners(ctx context.Context) ([]ecp.BrokerListener, error) {
	return get(ctx, b, "/listeners", listed[ecp.BrokerListener])
}

func (b *toyBroker) changeListener(ctx context.Context, id, what string, in any) error {
	if err := b.invalid(id == ""); err != nil {
		return err
	}
	return b.unknown(b.do(ctx, http.MethodPut, "/listeners/"+b.segment(id)+"/"+what, in, http.StatusConflict))
}

func (b *toyBroker) SetListenerLimit(ctx context.Context, id string, limit int) error {
	if err := b.invalid(limit < 0); err != nil {
		return err
	}
	if b.breaks == "limit of no listener" {
		return nil
	}
	if err := b.changeListener(ctx, id, "limit", limit); err != nil || b.breaks == "limit of one node" {
		return err
	}
	all, err := b.Listeners(ctx)
	for _, l := range all {
		if without := l.Without(limit); l.ID == id && len(without) > 0 {
			err = b.fail(ecp.CodeUnavailable, "it is not in force on "+strings.Join(without, ", "), nil)
		}
	}
	return err
}

func (b *toyBroker) StartListener(ctx context.Context, id string) error {
	return b.turn(ctx, id, "start")
}

func (b *toyBroker) StopListener(ctx context.Context, id string) error {
	return b.turn(ctx, id, "stop")
}

func (b *toyBroker) turn(ctx context.Context, id, what string) error {
	if err := b.changeListener(ctx, id, what, nil); err != nil || b.breaks == "turn of one node" {
		return err
	}
	all, err := b.Listeners(ctx)
	for _, l := range all {
		for _, n := range l.Nodes {
			if l.ID == id && n.Running != (what == "start") {
				err = b.fail(ecp.CodeUnavailable, "there is no "+what+" on "+n.Node, nil)
			}
		}
	}
	return err
}

func (b *toyBroker) License(ctx context.Context) (ecp.BrokerLicense, error) {
	return get(ctx, b, "/license", func(l ecp.BrokerLicense) bool { return l.Customer != "" })
}

func (b *toyBroker) SetLicense(ctx context.Context, c ecp.LicenseChange) (ecp.BrokerLicense, error) {
	if err := b.invalid(strings.TrimSpace(c.Key) == ""); err != nil {
		return ecp.BrokerLicense{}, err
	}
	loaded, err := b.License(ctx)
	if err != nil {
		return ecp.BrokerLicense{}, err
	}
	if !loaded.BuiltIn && !c.Replace && b.breaks != "replaces a license" {
		return ecp.BrokerLicense{}, b.fail(ecp.CodeConflict, "somebody loaded one", nil)
	}
	var l ecp.BrokerLicense
	status, _, err := b.ask(ctx, http.MethodPost, "/license", c.Key, &l)
	switch {
	case status == http.StatusBadRequest && b.breaks == "tells the key":
		return ecp.BrokerLicense{}, b.fail(ecp.CodeInvalid, "it refused "+c.Key, err)
	case err == nil && l.Customer == "":
		err = b.fail(ecp.CodeUnavailable, "that is no license", nil)
	}
	return l, err
}

func (b *toyBroker) LicenseSettings(ctx context.Context) (ecp.LicenseSettings, error) {
	return get(ctx, b, "/settings", func(s ecp.LicenseSettings) bool { return s != ecp.LicenseSettings{} })
}

func (b *toyBroker) SetLicenseSettings(ctx context.Context, s ecp.LicenseSettings) (ecp.LicenseSettings, error) {
	bad := min(s.HighWatermark, s.LowWatermark) < 0 || max(s.HighWatermark, s.LowWatermark) > 1 ||
		s.HighWatermark > 0 &&
			s.LowWatermark > s.HighWatermark
	if err := b.invalid(bad); err != nil {
		return ecp.LicenseSettings{}, err
	}
	old, err := b.LicenseSettings(ctx)
	if err != nil {
		return ecp.LicenseSettings{}, err
	}
	if b.breaks != "sets what is zero" {
		s = ecp.LicenseSettings{HighWatermark: cmp.Or(s.HighWatermark, old.HighWatermark),
			LowWatermark: cmp.Or(s.LowWatermark, old.LowWatermark)}
	}
	var got ecp.LicenseSettings
	if _, _, err := b.ask(ctx, http.MethodPut, "/settings", s, &got); err != nil {
		return ecp.LicenseSettings{}, err
	}
	if got == (ecp.LicenseSettings{}) {
		return got, b.fail(ecp.CodeUnavailable, "those are no settings", nil)
	}
	return got, nil
}

func (b *toyBroker) Health(outer context.Context) (ecp.Health, error) {
	ctx, cancel := b.bound(outer)
	defer cancel()
	resp, err := b.send(ctx, http.MethodGet, "/health", nil, b.breaks == "health with credentials")
	if err != nil {
		return ecp.Health{}, b.unreached(outer, err)
	}
	defer func() { _ = resp.Body.Close() }()
	var h ecp.Health
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	switch {
	case ctx.Err() != nil:
		return ecp.Health{}, b.unreached(outer, err)
	case resp.StatusCode != http.StatusOK || err != nil || json.Unmarshal(body, &h) != nil || h.Node == "":
		return ecp.Health{Running: b.breaks == "health of anything", Available: ecp.Unknown,
			Why: "it does not answer as a toy does"}, nil
	}
	return h, nil
}

func (b *toyBroker) WriteMetrics(outer context.Context, w io.Writer, _ ecp.MetricsScope) (int64, error) {
	ctx, cancel := b.bound(outer)
	if b.breaks == "" || strings.HasPrefix(b.breaks, "metrics") { // they last
		cancel()
		ctx, cancel = context.WithTimeout(outer, 2*b.patience)
	}
	defer cancel()
	resp, err := b.send(ctx, http.MethodGet, "/metrics", nil, true)
	if err != nil {
		return 0, b.unreached(outer, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return 0, b.fail(cmp.Or(toyCodes[resp.StatusCode], ecp.CodeUnavailable), "no metrics", nil)
	}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") && b.breaks != "metrics of any type" {
		return 0, b.fail(ecp.CodeUnavailable, "those are no metrics", nil)
	}
	from := io.LimitReader(resp.Body, ecp.MaxMetrics+1)
	switch b.breaks {
	case "metrics held":
		all, err := io.ReadAll(from)
		if err != nil {
			return 0, b.unreached(outer, err)
		}
		from = bytes.NewReader(all)
	case "metrics without end":
		from = resp.Body
	}
	keen := &keenWriter{w: w, on: b.breaks == "metrics read to the end"}
	n, err := io.Copy(keen, from)
	switch {
	case keen.err != nil:
		return 0, b.fail(ecp.CodeUnavailable, "passing on", keen.err)
	case b.breaks == "metrics cut":
		return n, nil
	case b.breaks == "metrics counted wrong":
		n++
	case err != nil && errors.Is(err, ctx.Err()) || errors.Is(err, io.ErrUnexpectedEOF):
		return n, b.unreached(outer, err)
	case err != nil:
		return n, b.fail(ecp.CodeUnavailable, "what it sends cannot be passed on", err)
	case n > ecp.MaxMetrics:
		return n, b.fail(ecp.CodeUnavailable, "it does not end", nil)
	}
	return n, nil
}

// keenWriter goes on after its writer has failed.
type keenWriter struct {
	w   io.Writer
	on  bool
	err error
}

func (k *keenWriter) Write(b []byte) (int, error) {
	if k.err != nil {
		return len(b), nil //nolint:nilerr // going on is what it breaks
	}
	n, err := k.w.Write(b)
	if err != nil && k.on {
		k.err = err
		return len(b), nil
	}
	return n, err
}
