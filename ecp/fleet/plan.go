package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/setting"
)

// Plan says what Do would do; see [ecp.Cluster].
func (h handle) Plan(ctx context.Context, cmd ecp.Command) (plan ecp.Plan, err error) {
	op := "plan " + string(cmd.Kind()) + " of cluster " + string(h.id)
	actor, ok := ecp.ActorFrom(ctx)
	if !ok {
		_, err := ecp.Authorize(ctx, op, ecp.RightRead, "")
		return ecp.Plan{}, err
	}
	cmd, notes, err := h.m.readDrift(ctx, h.id, cmd, change.Request{Op: op})
	if err != nil {
		return ecp.Plan{}, fault.Wrap(op, err)
	}
	var planned proposal
	err = h.m.observed.Store.Read(ctx, func(tx ecp.Tx) error {
		var scope string
		rec, _, err := h.m.mayDo(tx, actor, &scope, h.id, cmd)
		if err != nil {
			return err
		}
		d, err := h.m.decide(tx, rec, cmd)
		if err != nil {
			return err
		}
		if err := change.MayRebook(tx, actor, rec, d.rec, h.m.observed.Now()); err != nil {
			return err
		}
		if d.moves {
			if err := h.m.moveProject(tx, d.rec.Project); err != nil {
				return err
			}
		}
		plan = h.m.planOf(rec, d, cmd)
		plan.Notes = append(plan.Notes, notes...)
		planned = changeBy(rec, d)
		return nil
	})
	if err == nil {
		err = h.m.addForesight(ctx, &plan, planned)
	}
	if err != nil {
		return ecp.Plan{}, fault.Wrap(op, err)
	}
	return plan, nil
}

// planOf returns the plan of a decision, but for the platform's opinion.
func (m *Manager) planOf(rec ecp.ClusterRecord, d decision, cmd ecp.Command) ecp.Plan {
	info := m.observed.Info(rec)
	outdated, replicants := m.observed.Outdated(rec.ID, ecp.RoleCore), m.observed.Outdated(rec.ID, ecp.RoleReplicant)
	plan := ecp.Plan{
		Command: cmd.Kind(), From: d.from, To: d.to, Nothing: d.nothing,
		Steps:      derive.StepNames(derive.StepsOf(d.kind, rec, d.rec)),
		Nodes:      derive.PlannedNodes(d.kind, rec, d.rec, outdated),
		Replicants: derive.PlannedReplicants(d.kind, rec, d.rec, replicants),
		Quota:      ecp.PlannedQuota{Was: rec.Booked(), Will: d.rec.Booked()},
	}
	inPlace, _ := derive.InPlace(rec, d.rec, info.Nodes)
	derive.PlanClients(m.observed.Timings, &plan, rec, d.rec, inPlace, info.Nodes)
	replaces := len(plan.Nodes.Replaced) > 0 || plan.Replicants != nil && len(plan.Replicants.Replaced) > 0
	if replaces && d.rec.Status.InWindows {
		opens, err := derive.MaintenanceOpens(d.rec.Spec.Hosted.Maintenance, m.observed.Now())
		if plan.Begins = opens.UTC(); err == nil && !opens.IsZero() {
			d.notes = append(d.notes, derive.BeginsLater(opens))
		}
	}
	plan.Notes = slices.Concat(d.notes, limitNotes(info, d), volumeNotes(rec, d), certificateNotes(rec, d),
		versionNotes(rec.Resolved.Image, d.rec.Resolved.Image),
		settingNotes(rec, d),
		notes(m.observed.Timings, info, d, plan, len(outdated)+len(replicants)), m.surplusNotes(rec, d))
	if snap, _ := m.observed.Last(rec.ID); d.kind == ecp.OpRepair {
		derive.PlanRepair(&plan, derive.NewView(snap.At, rec, snap), info.Nodes, d.rec.Status)
	}
	plan.Hash = planHash(rec, d, plan, info.Nodes)
	return plan
}

// planHash is what a plan is recognised by: what of it a person decides on. What is
// asked for is in it by the record that it makes.
func planHash(rec ecp.ClusterRecord, d decision, plan ecp.Plan, nodes []ecp.NodeInfo) string {
	pods := map[string]string{}
	for _, n := range nodes {
		pods[n.Pod] = n.PodUID
	}
	after := intentOf(d.rec)
	if h := after.Spec.Hosted; h != nil {
		after.Spec = after.Spec.Clone()
		for key, value := range h.Config {
			if setting.IsSealed(value) { // anew each time: that it is set has to do
				after.Spec.Hosted.Config[key] = ""
			}
		}
	}
	text, err := json.Marshal([]any{
		rec.ID, rec.Revision, rec.Generation, plan.Command, plan.From, plan.To, plan.Nothing, plan.Steps,
		plan.Nodes, plan.Replicants,
		plan.Clients.Cut > 0, plan.Quota, after, d.rec.Force, d.rec.Status.Abandoned, pods,
		d.rec.Resolved.Image.Version, d.rec.Resolved.Size, d.rec.Resolved.ReplicantSize,
		d.rec.Resolved.License,
	})
	if err != nil {
		return "" // it is made of texts, numbers and maps of texts
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:12])
}

// asPlanned refuses a command whose plan is another than the caller's.
func asPlanned(ctx context.Context, hash string) error {
	want := ecp.PlanFrom(ctx)
	if want == "" || want == hash {
		return nil
	}
	return ecp.NewError(ecp.CodePrecondition, "", "what it would do is not what was planned any more: the cluster, "+
		"its nodes or what is asked for has changed meanwhile; ask for the plan again and decide anew")
}

// errPlanned takes back what a plan has tried.
var errPlanned = errors.New("it was only a plan")

// planOfCreate returns the plan of the creation of a cluster.
func planOfCreate(rec ecp.ClusterRecord) ecp.Plan {
	plan := ecp.Plan{Command: ecp.CommandKind(ecp.OpCreate), To: rec.Status.State, Steps: []string{},
		Nodes: derive.PlannedNodes("", rec, rec, nil), Quota: ecp.PlannedQuota{Will: rec.Booked()}}
	if rec.Mode == ecp.Hosted {
		plan.Steps = derive.StepNames(derive.OperationSteps[ecp.OpCreate])
		plan.Nodes = derive.PlannedNodes(ecp.OpCreate, ecp.ClusterRecord{}, rec, nil)
		plan.Replicants = derive.PlannedReplicants(ecp.OpCreate, ecp.ClusterRecord{}, rec, nil)
		plan.Notes = versionNotes(ecp.Image{}, rec.Resolved.Image)
	}
	plan.Hash = planHash(ecp.ClusterRecord{}, decision{rec: rec}, plan, nil)
	return plan
}

// PlanCreate says what Create would do, and changes nothing: the same checks in
// a transaction that is given up.
func (m *Manager) PlanCreate(ctx context.Context, r CreateRequest) (ecp.Plan, error) {
	const op = "plan create of cluster"
	if r.Project == "" {
		r.Project = "default/default"
	}
	actor, ok := ecp.ActorFrom(ctx)
	if !ok {
		_, err := ecp.Authorize(ctx, op, ecp.RightRead, "")
		return ecp.Plan{}, err
	}
	if err := permitProject(actor, op, ecp.RightWrite, r.Project); err != nil {
		return ecp.Plan{}, err
	}
	var plan ecp.Plan
	var made ecp.ClusterRecord
	err := m.observed.Store.Write(ctx, func(tx ecp.Tx) error {
		rec, err := m.newRecord(tx, actor, r)
		if err != nil {
			return err
		}
		if err := change.Reserve(tx, actor, rec, m.observed.Now()); err != nil {
			return err
		}
		plan = planOfCreate(rec)
		made = rec
		return errors.Join(ecp.Put(tx, rec, 0), errPlanned)
	})
	if errors.Is(err, errPlanned) && !errors.As(err, new(*ecp.Error)) {
		if err = m.addForesight(ctx, &plan, proposal{is: made}); err == nil {
			return plan, nil
		}
	}
	return ecp.Plan{}, fault.WrapTaken(op, err, "name",
		fmt.Sprintf("a cluster named %q is there already in the project %s", r.Name, r.Project))
}
