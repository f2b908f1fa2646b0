package fleet_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
	"github.com/stretchr/testify/require"
)

var errKilled = errors.New("the process was killed (a test's doing)")

// mortal is a process that dies at a boundary: before or after a write, or a request.
type mortal struct {
	left    int // boundaries until it dies; 0 = it does not
	crossed int
	dead    bool
	afterIt string // the method of the request that it dies after; "" = of none
}

func (d *mortal) cross() error {
	if d.crossed++; d.left > 0 {
		if d.left--; d.left == 0 {
			d.dead = true
		}
	}
	return d.alive()
}

func (d *mortal) alive() error {
	if d.dead {
		return errKilled
	}
	return nil
}

// mortalStore is a store as a process sees it that may die.
type mortalStore struct {
	ecp.Store
	*mortal
}

func (s mortalStore) Read(ctx context.Context, fn func(ecp.Tx) error) error {
	return errors.Join(s.alive(), s.Store.Read(ctx, fn))
}

func (s mortalStore) Write(ctx context.Context, fn func(ecp.Tx) error) error {
	if err := s.cross(); err != nil {
		return err
	}
	if err := s.Store.Write(ctx, fn); err != nil {
		return err
	}
	return s.cross()
}

// mortalWay leads to a broker.
type mortalWay struct {
	inner http.RoundTripper
	*mortal
	sent    *[]string
	deny    error   // what the way to EMQX says of changes; nil = they get there
	instead *canned // of what EMQX does with changes; nil = it does them
}

func (w mortalWay) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := w.cross(); err != nil {
		return nil, err
	}
	if r.Method != http.MethodGet {
		*w.sent = append(*w.sent, r.Method+" "+r.URL.Path)
	}
	if w.deny != nil && r.Method != http.MethodGet {
		return nil, w.deny
	}
	if w.instead != nil && r.Method != http.MethodGet {
		return w.instead.response(r), nil
	}
	res, err := w.inner.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	w.dead = w.dead || r.Method == w.afterIt
	if err := w.cross(); err != nil {
		_ = res.Body.Close()
		return nil, err
	}
	return res, nil
}

// limitRig is a Manager whose passes are made by hand, and an adopted cluster: a
// simulated EMQX behind one agent.
type limitRig struct {
	t       require.TestingT
	store   *memstore.Store
	sim     *emqxsim.Cluster
	node    *emqxsim.Node
	life    *mortal
	link    *fleet.FakeLink
	m       *fleet.Manager
	id      ecp.ID
	agent   ecp.AgentID
	away    bool
	version string
	kind    int // license type that the agent reports; 0 = what is true
	sent    []string

	instead *canned // of what EMQX does with changes; nil = it does them
	deny    error
	foreign []int // numbers that were set by hand
	forced  bool  // the cluster was deleted by force
}

var critical = emqxsim.License{
	Type:         emqxsim.OfficialLicense,
	CustomerType: emqxsim.BusinessCriticalCustomer,
	Limit:        1000,
}

// inLimitRig runs a test in a bubble: waits for brokers take no time.
func inLimitRig(t *testing.T, c emqxsim.ClusterConfig, test func(*limitRig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newLimitRig(t, c)
		test(r)
		synctest.Wait()
	})
}

func newLimitRig(t require.TestingT, c emqxsim.ClusterConfig) *limitRig {
	if c.Version == "" {
		c.Version = "5.8.9"
	}
	if c.License == nil {
		c.License = &critical
	}
	r := &limitRig{t: t, store: memstore.New(), sim: emqxsim.NewCluster(c), version: c.Version}
	r.node = r.sim.Join("emqx@a")
	r.restart()
	r.id = r.adopt("plant")
	require.NoError(t, r.register("x"))
	r.report()
	r.pass(1, time.Second)
	return r
}

// restart starts the program anew on what is stored.
func (r *limitRig) restart() {
	r.life, r.link = &mortal{}, &fleet.FakeLink{}
	life := r.life
	r.link.API = func(string) (ecp.Endpoint, error) {
		if r.away {
			return ecp.Endpoint{}, &ecp.Error{
				Code:    ecp.CodeUnavailable,
				Message: "no agent of the cluster is connected",
			}
		}
		e := r.node.Endpoint()
		e.Transport = mortalWay{inner: e.Transport, mortal: life, sent: &r.sent, deny: r.deny, instead: r.instead}
		return e, nil
	}
	m, err := fleet.New(asSystem(), fleet.Config{
		Store: mortalStore{Store: r.store, mortal: life}, Link: r.link, AgentAddress: "https://ecp.example.com",
		Adapters: []ecp.Adapter{emqxv4.New(emqxv4.Config{LimitField: "max_connections"}), emqxv5.New(emqxv5.Config{})},
		Defaults: fleet.Defaults{Projects: []string{"a/p", "a/q"}, Pool: &ecp.Pool{Connections: 2000, Clusters: 10}},
	})
	require.NoError(r.t, err)
	r.m = m
	if r.agent != "" {
		r.report()
	}
}

func (r *limitRig) adopt(name string) ecp.ID {
	info, _, err := r.m.Create(asSystem(), fleet.CreateRequest{Mode: ecp.Adopted, Project: "a/p", Name: name})
	require.NoError(r.t, err)
	return info.ID
}

// register lets an agent register, which is the one that reports from then on.
func (r *limitRig) register(name string) error {
	_, secret, err := r.m.Agents.CreateRegistration(asSystem(), r.id, 0)
	if err != nil {
		return err
	}
	key := sha256.Sum256([]byte(name))
	a, err := r.m.Agents.Register(context.Background(), ecp.AgentRegistration{
		Token:     secret,
		PublicKey: key[:],
		Hostname:  "host",
		Version:   "1.0.0",
		OS:        "linux",
		Arch:      "amd64",
	})
	if err == nil {
		r.agent = a.ID
	}
	return err
}

// report shows what an agent reports of the broker now.
func (r *limitRig) report() {
	now := time.Now()
	if r.away {
		r.link.Show(r.id, ecp.AgentObservation{Agent: r.agent, Since: now, LastSeen: now})
		return
	}
	d, is := r.described()
	kind := r.kind
	if kind == 0 && is.Settable {
		kind = 3
	}
	seen := ecp.AgentObservation{
		Agent:     r.agent,
		Connected: true,
		Since:     now.Add(-time.Millisecond),
		LastSeen:  now,
		Report:    &ecp.AgentReport{At: now, Node: "emqx@a", Description: d, LicenseType: kind, LimitCall: is.Settable},
	}
	r.link.Show(r.id, seen)
}

// described asks the broker behind everybody's back.
func (r *limitRig) described() (d ecp.Description, is ecp.ConnectionLimit) {
	adapter := emqxv5.New(emqxv5.Config{})
	if r.version[0] == '4' {
		adapter = emqxv4.New(emqxv4.Config{LimitField: "max_connections"})
	}
	b, err := adapter.Open(r.node.Endpoint())
	require.NoError(r.t, err)
	defer b.Close()
	d, err = b.Describe(context.Background())
	require.NoError(r.t, err)
	is, err = b.(ecp.ConnectionLimiter).ConnectionLimit(context.Background())
	require.NoError(r.t, err)
	return d, is
}

// has is the number that is set at the broker.
func (r *limitRig) has() int { _, is := r.described(); return is.Set }

// pass lets the engine work some times, and some time go by between.
func (r *limitRig) pass(n int, each time.Duration) ecp.ClusterRecord {
	for range n {
		if r.life.dead {
			break
		}
		<-time.After(each)
		r.m.Pass(context.Background(), r.id)
	}
	return r.rec()
}

// settle lets time go by, with reports, until nothing is on its way.
func (r *limitRig) settle() ecp.ClusterRecord {
	for range 60 {
		if r.life.dead {
			break
		}
		if !r.away {
			r.report()
		}
		rec := r.pass(2, 3*time.Second)
		if rec.ID == "" || rec.Status.Operation == "" && (rec.Status.Limit == nil || !rec.Status.Limit.Pending) {
			return rec
		}
	}
	return r.rec()
}

// rec reads the record; zero where it has gone.
func (r *limitRig) rec() (rec ecp.ClusterRecord) {
	err := r.store.Read(context.Background(), func(tx ecp.Tx) (err error) {
		rec, _, err = ecp.Get[ecp.ClusterRecord](tx, string(r.id))
		return err
	})
	if err != nil {
		require.ErrorIs(r.t, err, ecp.ErrNotFound)
	}
	return rec
}

// ops are the operations of the cluster, the newest first.
func (r *limitRig) ops() (out []ecp.Operation) {
	require.NoError(r.t, r.store.Read(context.Background(), func(tx ecp.Tx) error {
		for o, err := range ecp.List[ecp.Operation](tx, ecp.Query{Parent: string(r.id)}) {
			if err != nil {
				return err
			}
			out = append(out, o)
		}
		return nil
	}))
	slices.SortFunc(out, func(a, b ecp.Operation) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return out
}

func (r *limitRig) set(n int) (ecp.Operation, error) {
	return r.m.Cluster(r.id).Do(asSystem(), ecp.Update{Patch: fmt.Appendf(nil, `{"connections":%d}`, n)})
}

// becomes sets a limit and waits for the end of its operation.
func (r *limitRig) becomes(n int, p ecp.Phase) ecp.Operation {
	op, err := r.set(n)
	require.NoError(r.t, err)
	require.NotEmpty(r.t, op.ID)
	r.settle()
	for _, o := range r.ops() {
		if o.ID == op.ID {
			require.Equal(r.t, p, o.Phase, "%+v", o)
			return o
		}
	}
	require.Fail(r.t, "no such operation")
	return op
}

// exact compares the ledger with the clusters, and both with the broker: whatever it
// has from here is booked.
func (r *limitRig) exact() {
	sums, all := map[string]int{}, 0
	require.NoError(r.t, r.store.Read(context.Background(), func(tx ecp.Tx) error {
		for rec, err := range ecp.List[ecp.ClusterRecord](tx, ecp.Query{}) {
			if err != nil {
				return err
			}
			sums[rec.Project] += rec.Booked()
			all += rec.Booked()
		}
		pool, _, err := ecp.Get[ecp.Pool](tx, "pool")
		require.NoError(r.t, err)
		require.Equal(r.t, all, pool.UsedConnections, "the pool")
		for q, err := range ecp.List[ecp.Quota](tx, ecp.Query{}) {
			require.NoError(r.t, err)
			want := sums[q.Of]
			if q.Of == "a" {
				want = all
			}
			require.Equal(r.t, want, q.UsedConnections, "quota of %s", q.Of)
		}
		return nil
	}))
}

func (r *limitRig) feature() ecp.FeatureInfo {
	info, err := r.m.Cluster(r.id).Get(asSystem())
	require.NoError(r.t, err)
	i := slices.IndexFunc(info.Features,
		func(f ecp.FeatureInfo) bool { return f.Feature == ecp.FeatureConnectionLimit })
	return info.Features[i]
}

func done(o ecp.Operation) (out string) {
	for _, s := range o.Steps {
		out += fmt.Sprintf("%s %d/%d ", s.Name, s.Done, s.Total)
	}
	return out
}

// actual is has, past the faults of a test.
func (r *limitRig) actual() int {
	h := r.node.Handler()
	req, err := http.NewRequest(http.MethodGet, "http://emqx/api/v5/license/setting", http.NoBody)
	require.NoError(r.t, err)
	req.SetBasicAuth("admin", "public")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	var set struct {
		N int `json:"dynamic_max_connections"`
	}
	require.NoError(r.t, json.Unmarshal(w.Body.Bytes(), &set), "%s", w.Body)
	return set.N
}

// byHand sets a number in the broker's own dashboard.
func (r *limitRig) byHand(n int) {
	b, err := emqxv5.New(emqxv5.Config{}).Open(r.node.Endpoint())
	require.NoError(r.t, err)
	defer b.Close()
	_, err = b.(ecp.ConnectionLimiter).SetConnectionLimit(context.Background(), n)
	require.NoError(r.t, err)
}

// showAnyway lets the agent report as it did last, whatever the broker answers now.
func (r *limitRig) showAnyway() {
	for _, a := range r.link.Observe(r.id).Agents {
		if a.Report != nil {
			again := *a.Report
			again.At = time.Now()
			a.Report = &again
			r.link.Show(r.id, a)
		}
	}
}

// audited is all that the audit tells.
func (r *limitRig) audited() (out string) {
	require.NoError(r.t, r.store.Read(context.Background(), func(tx ecp.Tx) error {
		for e, err := range ecp.List[change.AuditEntry](tx, ecp.Query{}) {
			if err != nil {
				return err
			}
			for _, c := range e.Changes {
				out += e.Action + " " + c.Path + " " + c.Before + " " + c.After + "\n"
			}
		}
		return nil
	}))
	return out
}

// canned is an answer in place of a change, which is not done.
type canned struct {
	status int
	body   string
}

func answers(status int, body string) *canned { return &canned{status: status, body: body} }

func (c *canned) response(r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(c.status)
	_, _ = w.WriteString(c.body)
	res := w.Result()
	res.Request = r
	return res
}
