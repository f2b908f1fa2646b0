package fleet_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv5"
	"github.com/stretchr/testify/require"
)

// operation is one that drills disturb: a cluster of three nodes, or what first makes of
// it, is led to its end by one command.
type operation struct {
	name    string
	first   []ecp.Command
	prepare func(*drilled) // after first
	cmd     ecp.Command    // nil = create
	end     ecp.State      // "" = running
}

var twoReplicants = []ecp.Command{patched(`{"replicants":{"nodes":2}}`)}

// operations are all that clusters know.
var operations = []operation{
	{name: "create"},
	{name: "stop", cmd: ecp.Stop{}, end: ecp.Stopped},
	{name: "start", first: []ecp.Command{ecp.Stop{}}, cmd: ecp.Start{}},
	{name: "restart", cmd: ecp.Restart{}},
	{name: "scale out", cmd: patched(`{"nodes":5}`)},
	{name: "scale in", cmd: patched(`{"nodes":1}`)},
	{name: "resize", cmd: patched(`{"size":"fast"}`)},
	{name: "resize in place", cmd: patched(`{"size":"more"}`)},
	{name: "image", cmd: patched(`{"image":"later"}`)},
	{name: "image of the same minor version", cmd: patched(`{"image":"near"}`)},
	{name: "network", cmd: patched(`{"network":{"type":"LoadBalancer"}}`)},
	{name: "first certificate", cmd: patched(`{"network":{"certificate":"shops"}}`)},
	{name: "another certificate", first: []ecp.Command{patched(`{"network":{"certificate":"shops"}}`)},
		cmd: patched(`{"network":{"certificate":"farms"}}`)},
	{name: "more connections", cmd: patched(`{"connections":600}`)},
	{name: "fewer connections", cmd: patched(`{"connections":30}`)},
	{name: "config at run time", cmd: patched(`{"config":{"mqtt.max_packet_size":"2MB"}}`)},
	{name: "config", cmd: patched(`{"config":{"conn_congestion.enable_alarm":"false"}}`)},
	{name: "sleep", cmd: patched(`{"hibernation":{"sleep":"*/2 * * * *"}}`), end: ecp.Stopped},
	{name: "wake", first: []ecp.Command{patched(`{"hibernation":{"sleep":"*/2 * * * *"}}`)},
		prepare: func(r *drilled) { r.reaches(r.c, ecp.Stopped) },
		cmd:     patched(`{"hibernation":{"sleep":null,"wake":"*/2 * * * *"}}`)},
	{name: "replicants added", cmd: twoReplicants[0]},
	{name: "replicants removed", first: twoReplicants, cmd: patched(`{"replicants":null}`)},
	{name: "replicants resized", first: twoReplicants, cmd: patched(`{"replicants":{"size":"fast"}}`)},
	{name: "image with replicants", first: twoReplicants, cmd: patched(`{"image":"later"}`)},
	{name: "repair", prepare: func(r *drilled) {
		require.NoError(r.t, r.sim.Break(r.id, 1, "CrashLoopBackOff"))
		r.reaches(r.c, ecp.Degraded)
	}, cmd: ecp.Repair{}},
	{name: "repair of lost volumes", prepare: func(r *drilled) {
		require.NoError(r.t, r.sim.RemoveMachine(r.id, 1))
		require.NoError(r.t, r.sim.RemoveMachine(r.id, 2))
		r.until("both are seen as lost", func() bool {
			i := r.get(r.c)
			return len(i.Nodes) == 3 && i.Nodes[1].Reason == "VolumeLost" && i.Nodes[2].Reason == "VolumeLost"
		}, func() any { return r.get(r.c) })
	}, cmd: ecp.Repair{LostVolumes: true}},
	{name: "transfer", cmd: ecp.Transfer{Project: "default/other"}},
	{name: "all together", cmd: patched(`{"image":"later","size":"fast","nodes":4,"network":{"type":"NodePort"},` +
		`"connections":99,"config":{"mqtt.max_packet_size":"2MB"},"replicants":{"nodes":1}}`)},
	{name: "delete", cmd: ecp.Delete{}, end: ecp.Gone},
	{name: "delete by force", cmd: ecp.Delete{Force: true}, end: ecp.Gone},
}

// drawn are the operations to be drilled: all where the long drills are run, else some.
func drawn(dice *rand.Rand, n int) []operation {
	if long() {
		return operations
	}
	var out []operation
	for _, i := range dice.Perm(len(operations))[:n] {
		out = append(out, operations[i])
	}
	return out
}

// long reports whether the long drills are run.
func long() bool { return os.Getenv("OPENECP_LONG") != "" }

// dice are those of a drill. OPENECP_SEED lets a drill throw what an earlier one threw.
func dice(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if s := os.Getenv("OPENECP_SEED"); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("OPENECP_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// drilled is a rig for an operation: a cluster with clients, and catalogues that have what
// commands name. Its Manager does not run between operations.
type drilled struct {
	*rig
	operation
	id     ecp.ID      // "" until a cluster is created
	c      ecp.Cluster // not before
	g      *gate       // what its Manager goes through
	before ecp.Observation
	ops    int
	seen   map[string]map[string]bool // UIDs of each pod since then
}

const drillClients = 12

func inDrillOf(t *testing.T, op operation, test func(*drilled)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		license := emqxsim.License{Limit: 10_000}
		r := &drilled{rig: newRigOn(t, memstore.New(), emqxsim.ProvisionerConfig{License: &license}), operation: op}
		defer func() { r.stop() }()
		r.stocked(license)
		if op.cmd != nil {
			r.ready()
		}
		r.seen = map[string]map[string]bool{}
		test(r)
	})
}

// stocked fills the catalogues.
func (r *drilled) stocked(license emqxsim.License) {
	r.sealer = aRing(r.t, "a")
	r.make(r.store, &r.applied)
	r.withLicense(ecp.Secret(emqxsim.LicenseKey(license)))
	for id, version := range map[string]string{"first": "5.8.9", "near": "5.8.5", "later": "5.10.4"} {
		_, err := r.m.Catalog.Images.Create(asSystem(), ecp.Image{
			ID: id, Reference: "emqx/emqx-enterprise:" + version, Version: version}, "")
		require.NoError(r.t, err)
	}
	r.certificate("shops", quarter)
	r.certificate("farms", quarter)
	r.sizes()
}

// ready makes the cluster and brings it to where the operation begins.
func (r *drilled) ready() {
	r.run()
	require.NoError(r.t, r.command())
	r.reaches(r.c, ecp.Running)
	r.clients(r.c, drillClients)
	for _, cmd := range r.first {
		if op := r.do(r.c, cmd); op.ID != "" {
			r.ends(op, ecp.PhaseSucceeded)
		}
	}
	r.settled(r.c)
	if r.prepare != nil {
		r.prepare(r)
	}
	r.stop()
	r.before, r.ops = r.found(r.c), len(r.operations())
}

// command runs the operation's command on the running Manager.
func (r *drilled) command() error {
	if r.id == "" {
		s := spec("first", 3)
		s.Hosted.Connections = 60
		_, _, err := r.m.Create(asSystem(), fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: s})
		r.named()
		return err
	}
	for {
		_, err := r.m.Cluster(r.id).Do(asSystem(), r.cmd)
		if err == nil || !strings.Contains(err.Error(), "not been looked at") || r.g != nil && r.g.isDead() {
			return err
		}
		<-time.After(100 * time.Millisecond) // "ask again when it was"
	}
}

// named finds the cluster, whoever was told of it.
func (r *drilled) named() {
	if rec := r.record(); rec.ID != "" {
		r.id, r.c = rec.ID, r.m.Cluster(rec.ID)
	}
}

// through lets another Manager run, on a store and a platform that g may break.
func (r *drilled) through(g *gate) {
	r.stop()
	m, err := r.managerWith(g, g, ecp.Timings{Notice: 3 * time.Second, Takeover: 2 * time.Second})
	require.NoError(r.t, err)
	r.m, r.g = m, g
	g.breaks(true)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil && !g.isDead() {
			r.t.Errorf("Run: %v", err)
		}
	})
	r.named()
}

// record reads the cluster behind everybody's back; zero if there is none.
func (r *drilled) record() (rec ecp.ClusterRecord) {
	r.read(func(tx ecp.Tx) error {
		for c, err := range ecp.List[ecp.ClusterRecord](tx, ecp.Query{}) {
			require.NoError(r.t, err)
			require.Empty(r.t, rec.ID, "a second cluster")
			rec = c
		}
		return nil
	})
	return rec
}

func (r *drilled) operations() (ops []ecp.Operation) {
	r.read(func(tx ecp.Tx) error {
		for o, err := range ecp.List[ecp.Operation](tx, ecp.Query{}) {
			require.NoError(r.t, err)
			ops = append(ops, o)
		}
		return nil
	})
	slices.SortFunc(ops, func(a, b ecp.Operation) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return ops
}

func (r *drilled) read(fn func(ecp.Tx) error) {
	require.NoError(r.t, r.store.Read(context.Background(), fn))
}

// taken reports whether the command was stored.
func (r *drilled) taken() bool {
	rec := r.record()
	switch cmd := r.cmd.(type) {
	case ecp.Transfer:
		return rec.Project == cmd.Project
	case ecp.Update: // a schedule is no operation until it is due
		if h := rec.Spec.Hosted; h != nil && strings.Contains(string(cmd.Patch), "hibernation") {
			return len(r.operations()) > r.ops || h.Hibernation.Wake != "" ||
				!strings.Contains(string(cmd.Patch), "wake") && h.Hibernation.Sleep != ""
		}
	}
	return len(r.operations()) > r.ops
}

// over reports whether the operation has reached its end. Pods are counted meanwhile.
func (r *drilled) over() bool {
	rec := r.record()
	if r.id != "" {
		for _, n := range r.found(r.c).Nodes {
			if r.seen[n.Pod] == nil {
				r.seen[n.Pod] = map[string]bool{}
			}
			r.seen[n.Pod][n.PodUID] = true
		}
	}
	if !r.taken() {
		return false
	}
	if r.end == ecp.Gone {
		return rec.ID == ""
	}
	settled := ecp.ConditionOf(rec.Status.Conditions, ecp.CondSettled)
	return rec.Status.State == cmp.Or(r.end, ecp.Running) && rec.Status.Operation == "" &&
		settled.Status == ecp.True && settled.Generation == rec.Generation
}

// finish waits for the end of the operation, sees that nothing follows it, and tells what
// has become of the cluster.
func (r *drilled) finish() string {
	r.t.Helper()
	for range 3600 {
		if r.over() {
			break
		}
		<-time.After(500 * time.Millisecond)
	}
	require.True(r.t, r.over(), "it never ends: %+v", r.record().Status)
	r.g.breaks(false)
	if r.end == "" && r.cmd != nil {
		connected := func() int { return r.sim.Cluster(r.id).Usage().Connected }
		r.until("clients are back", func() bool { return connected() == drillClients },
			func() any { return r.sim.Cluster(r.id).Usage() })
	}
	<-time.After(time.Minute)
	require.True(r.t, r.over(), "it did not stay so: %+v", r.record().Status)
	writes := r.sim.Writes()
	<-time.After(time.Minute)
	require.Equal(r.t, writes, r.sim.Writes(), "something is still written")
	return r.outcome()
}

// chance is what no two clusters have in common: times, ids, and UIDs.
var chance = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z|\b(op-)?[0-9a-f]{16}\b|\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|sealed:[^"]*`)

// outcome is what two runs of one operation have in common: the record, what there is on the
// platform and in EMQX, what became of earlier pods and volumes, and the operations.
func (r *drilled) outcome() string {
	r.t.Helper()
	var out strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	for _, o := range r.operations()[r.ops:] {
		say("operation %s: %s %s by %s", o.Kind, o.Phase, o.Error, o.Actor)
	}
	pool := r.pool()
	say("booked: %d connections of %d clusters", pool.UsedConnections, pool.UsedClusters)
	if r.end == ecp.Gone {
		require.False(r.t, r.found(r.c).Exists)
		return out.String()
	}
	last := r.record()
	last.Status.QuietAt = 0 // by how many writes it came about
	record, err := json.MarshalIndent(last, "", " ")
	require.NoError(r.t, err)
	say("record: %s", strings.ReplaceAll(string(record), string(r.id), "…"))
	found := r.found(r.c)
	kept := claims(r.before)
	for _, v := range found.Volumes {
		say("volume %d: %s, kept: %v", v.Ordinal, v.Capacity, strings.Contains(kept, v.UID))
	}
	say("secret kept: %v", found.Auth == r.before.Auth)
	for _, n := range found.Nodes {
		say("pods of %s: %d", n.Pod, len(r.seen[n.Pod]))
	}
	out.WriteString(r.shape())
	if cmp.Or(r.end, ecp.Running) == ecp.Running {
		usage := r.sim.Cluster(r.id).Usage()
		say("sessions: %d, lost %d", usage.Sessions, usage.Lost)
	}
	return strings.ReplaceAll(chance.ReplaceAllString(out.String(), "…"), string(r.id), "…")
}

// shape is what there is of a cluster on the platform and in EMQX, whatever it was before.
func (r *drilled) shape() string {
	r.t.Helper()
	var out strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	found, info := r.found(r.c), r.get(r.c)
	require.Empty(r.t, info.ForeignMembers)
	say("%s, %s; drift: %v, converged: %v, in front: %v, endpoints: %d", info.Status.State, info.Status.Reason,
		found.Drift, found.Converged, found.ReplicantsInFront, len(info.Endpoints.External))
	for _, kind := range []ecp.ConditionType{ecp.CondHealthy, ecp.CondSettled, ecp.CondUpToDate, ecp.CondConfigured} {
		say("%s: %s", kind, ecp.ConditionOf(info.Status.Conditions, kind).Status)
	}
	var names []string
	for _, n := range info.Nodes {
		say("node %s: ready %v, member %v, version %s of %s, outdated %v, evacuated: %v", n.Pod, n.Ready,
			n.Member, n.Version, n.Image, n.Outdated, r.evacuates(n.Name))
		names = append(names, n.Name)
	}
	slices.Sort(names)
	if len(names) > 0 {
		require.Equal(r.t, names, slices.Sorted(maps.Keys(r.sim.Cluster(r.id).Usage().Nodes)), "members of EMQX")
		say("limits: %s; settings: %s", r.limits(r.c), r.inForce(r.c, "mqtt.max_packet_size"))
	}
	return strings.ReplaceAll(out.String(), string(r.id), "…")
}

// same compares outcomes, and tells only how they differ.
func (r *drilled) same(want, got string) {
	r.t.Helper()
	if want == got {
		return
	}
	have := func(lines, line string) bool { return strings.Contains("\n"+lines+"\n", "\n"+line+"\n") }
	var diff []string
	for line := range strings.SplitSeq(want, "\n") {
		if !have(got, line) {
			diff = append(diff, "without: "+strings.TrimSpace(line))
		}
	}
	for line := range strings.SplitSeq(got, "\n") {
		if !have(want, line) {
			diff = append(diff, "with:    "+strings.TrimSpace(line))
		}
	}
	require.Fail(r.t, "the end is not that of an undisturbed run", "%s", strings.Join(diff, "\n"))
}

// evacuates reports whether EMQX moves the clients of a node.
func (r *drilled) evacuates(node string) bool {
	r.t.Helper()
	e, err := r.sim.Endpoint(context.Background(), r.id, node)
	require.NoError(r.t, err)
	b, err := emqxv5.New(emqxv5.Config{}).Open(e)
	require.NoError(r.t, err)
	defer b.Close()
	p, err := b.(ecp.Evacuator).EvacuationProgress(context.Background(), node)
	require.NoError(r.t, err)
	return p.Phase != ecp.EvacuationNone
}

// gate stands between a Manager and what it reads and changes, and breaks one call. The
// zero value of at breaks none.
type gate struct {
	*appliedTo
	ecp.Store
	at    int       // the point at which it breaks, from 1
	how   breakdown // what happens there
	dead  chan struct{}
	mu    sync.Mutex
	hung  bool     // guarded by mu; the platform answers nothing
	open  bool     // guarded by mu
	names []string // guarded by mu; the points that were crossed while it was open
}

// breaks switches the counting of points, and the failure of one, on or off.
func (g *gate) breaks(may bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = may
}

// breakdown is a way in which a call goes wrong.
type breakdown string

const (
	crash breakdown = "crash" // the process ends
	fail  breakdown = "fail"  // the call alone fails, or its answer is lost
	hang  breakdown = "hang"  // nothing happens until the caller gives up, or 30 s are over
)

func (r *drilled) gate(how breakdown, at int) *gate {
	return &gate{appliedTo: &r.applied, Store: r.store, how: how, at: at, dead: make(chan struct{})}
}

func (g *gate) points() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.names)
}

var errBroken = errors.New("a drill's doing")

func broken(what string) error {
	return &ecp.Error{Code: ecp.CodeUnavailable, Op: what, Message: "the drill broke it", Cause: errBroken}
}

// cross counts a point, and breaks there.
func (g *gate) cross(ctx context.Context, point string) error {
	g.mu.Lock()
	dead := g.isDead()
	if !dead && g.open {
		g.names = append(g.names, point)
	}
	here := !dead && g.open && len(g.names) == g.at
	if here && g.how == crash {
		close(g.dead)
		dead = true
	}
	g.mu.Unlock()
	switch {
	case here && g.how == hang:
		select {
		case <-ctx.Done():
		case <-time.After(30 * time.Second):
		}
		return broken(point)
	case dead, here:
		return broken(point)
	}
	return nil
}

// hangs lets every call of the platform hang until the caller gives up, or 30 s are over.
func (g *gate) hangs(hung bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hung = hung
}

// platform crosses a point at which the platform is called.
func (g *gate) platform(ctx context.Context, what string) error {
	g.mu.Lock()
	hung := g.hung
	g.mu.Unlock()
	if !hung {
		return g.cross(ctx, what)
	}
	select {
	case <-ctx.Done():
	case <-time.After(30 * time.Second):
	}
	return broken(what)
}

func (g *gate) isDead() bool {
	select {
	case <-g.dead:
		return true
	default:
		return false
	}
}

// around crosses a point before and after do. What failed of itself is over.
func (g *gate) around(ctx context.Context, what string, do func() error) error {
	if err := g.cross(ctx, "before "+what); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return g.cross(ctx, "after "+what)
}

func (g *gate) Write(ctx context.Context, fn func(ecp.Tx) error) error {
	var wrong error
	err := g.around(ctx, "write", func() error {
		wrong = g.Store.Write(ctx, fn)
		return wrong
	})
	return err
}

func (g *gate) Read(ctx context.Context, fn func(ecp.Tx) error) error {
	if g.isDead() {
		return broken("read")
	}
	return g.Store.Read(ctx, fn)
}

func (g *gate) Changes(ctx context.Context, after int64) iter.Seq2[ecp.Change, error] {
	return g.Store.Changes(ctx, after)
}

func (g *gate) Apply(ctx context.Context, d ecp.Desired) error {
	if err := g.platform(ctx, "before apply"); err != nil {
		return err
	}
	if err := g.appliedTo.Apply(ctx, d); err != nil {
		return err
	}
	return g.cross(ctx, "after apply")
}

func (g *gate) Delete(ctx context.Context, id ecp.ID) error {
	return g.around(ctx, "delete", func() error { return g.appliedTo.Delete(ctx, id) })
}

func (g *gate) Rehearse(ctx context.Context, id ecp.ID, role ecp.NodeRole, ordinal int) error {
	if err := g.platform(ctx, "rehearse"); err != nil {
		return err
	}
	return g.appliedTo.Rehearse(ctx, id, role, ordinal)
}

func (g *gate) Observe(ctx context.Context, id ecp.ID) (ecp.Observation, error) {
	if err := g.platform(ctx, "observe"); err != nil {
		return ecp.Observation{}, err
	}
	return g.appliedTo.Observe(ctx, id)
}

func (g *gate) Endpoint(ctx context.Context, id ecp.ID, node string) (ecp.Endpoint, error) {
	e, err := g.appliedTo.Endpoint(ctx, id, node)
	e.Transport = gateTransport{g, e.Transport}
	return e, err
}

type gateTransport struct {
	*gate
	inside http.RoundTripper
}

func (t gateTransport) RoundTrip(q *http.Request) (resp *http.Response, err error) {
	ctx := q.Context()
	if q.Method == http.MethodGet {
		if err := t.cross(ctx, "ask EMQX"); err != nil {
			return nil, err
		}
		return t.inside.RoundTrip(q)
	}
	err = t.around(ctx, "tell EMQX", func() (err error) {
		resp, err = t.inside.RoundTrip(q) //nolint:bodyclose // the caller does, or below
		return err
	})
	if err != nil && resp != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp, err
}
