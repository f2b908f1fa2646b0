package fleet

import (
	"errors"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/agents"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/adopted"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/openecp/openecp/ecp/internal/random"
)

// begin stores what was decided of a command: what it books, the audit, its
// operation and the record.
func (m *Manager) begin(
	w *change.Tx, rec ecp.ClusterRecord, d decision, running *ecp.Operation,
) (_ ecp.Operation, err error) {
	if err := change.Rebook(w.Tx, w.Actor, rec, d.rec, w.Now); err != nil {
		return ecp.Operation{}, err
	}
	if d.rec.Generation != rec.Generation && d.rec.Mode == ecp.Hosted {
		derive.AddChangeID(&d.rec)
	}
	before, after := intentOf(rec), intentOf(d.rec)
	left := ""
	if d.rec.Mode == ecp.Adopted && d.rec.Force {
		left = adopted.LimitLeft(d.rec)
		after.Left = left
	}
	w.Note(string(rec.ID), rec.Project, before, after)
	if d.moves {
		w.Note(string(rec.ID), d.rec.Project, before, after)
		if err := m.depart(w, rec, running, d.rec.Project); err != nil {
			return ecp.Operation{}, err
		}
	}
	if d.rec.Mode == ecp.Adopted && d.rec.Deleting && !d.rec.OwesRelease() {
		if err := removeAgents(w.Tx, d.rec.ID); err != nil {
			return ecp.Operation{}, err
		}
	}
	var operation ecp.Operation
	if d.kind != "" {
		operation, err = m.beginOperation(w.Tx, &d, w.Actor, rec, running)
		if err != nil {
			return ecp.Operation{}, err
		}
	}
	if left != "" { // whoever asks for force is told what it costs
		if d.kind == "" && running != nil {
			operation = running.Clone()
		}
		if operation.Note = left; operation.ID != "" {
			if err := ecp.Put(w.Tx, operation, ecp.AnyVersion); err != nil {
				return ecp.Operation{}, err
			}
		}
	}
	return operation, ecp.Put(w.Tx, d.rec, ecp.AnyVersion)
}

// intent is what of a cluster is asked for: the part that the audit tells.
type intent struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Project     string   `json:"project"`
	Mode        ecp.Mode `json:"mode"`
	Spec        ecp.Spec `json:"spec"`
	Deleting    bool     `json:"deleting"`
	// Left is what stays at the broker of an adopted cluster that is removed by force.
	Left string `json:"left,omitempty"`
}

func intentOf(r ecp.ClusterRecord) intent {
	return intent{r.Name, r.Description, r.Project, r.Mode, r.Spec, r.Deleting, ""}
}

// depart lets a cluster leave its project: what it has booked in the pool, which
// is everybody's, goes with it. Its operations are those of its project, wherever
// it is; the changes of the one that runs are from now on for that project to see.
func (m *Manager) depart(w *change.Tx, rec ecp.ClusterRecord, running *ecp.Operation, to string) error {
	if err := errors.Join(m.moveProject(w.Tx, to), agents.RevokeRegistrations(w, rec)); err != nil {
		return err
	}
	if running != nil && !running.Phase.Final() {
		running.Project = to
		if err := ecp.Put(w.Tx, *running, ecp.AnyVersion); err != nil {
			return err
		}
	}
	agents, err := observed.ChildrenIn[ecp.AgentRecord](w.Tx, rec.ID)
	if err != nil {
		return err
	}
	for _, a := range agents {
		a.Project = to
		if err := ecp.Put(w.Tx, a, ecp.AnyVersion); err != nil {
			return err
		}
	}
	return ecp.Put(w.Tx, ecp.TransferNotice{Cluster: rec.ID, Name: rec.Name, Project: rec.Project, At: w.Now},
		ecp.AnyVersion)
}

// moveProject checks that a cluster can be moved to a project.
func (m *Manager) moveProject(tx ecp.Tx, project string) error {
	var wrong fault.Fields
	if err := m.checkProject(tx, &wrong, project); err != nil {
		return err
	}
	return wrong.Err("")
}

// beginOperation stores the operation of a command and lets it take over from
// one that is running.
func (m *Manager) beginOperation(
	tx ecp.Tx, d *decision, actor ecp.Actor, before ecp.ClusterRecord, running *ecp.Operation,
) (ecp.Operation, error) {
	if d.rec.Mode == ecp.Hosted && !d.goesBack && derive.RendersAnew(d.kind, before, d.rec) {
		if p, err := m.observed.Provisioner(d.rec); err == nil {
			derive.SetRender(&d.rec, p, derive.NewestRender(p))
		}
	}
	o := m.newOperation(d.rec, d.kind, actor, d.patience)
	o.From, o.Steps = before.Generation, derive.NewSteps(derive.StepsOf(d.kind, before, d.rec))
	if running != nil && !running.Phase.Final() {
		running.Phase, running.EndedAt, running.SupersededBy = d.ends, m.observed.Now().UTC(), o.ID
		if err := ecp.Put(tx, *running, ecp.AnyVersion); err != nil {
			return ecp.Operation{}, err
		}
	}
	d.rec.Status.Operation, d.rec.Status.Previous, d.rec.Status.RepairOf = o.ID, nil, ""
	if d.kind == ecp.OpRepair {
		d.rec.Status.RepairOf = d.from
	} else {
		d.rec.Status.Abandoned = nil
	}
	if d.kind != ecp.OpTakeOver {
		d.rec.Status.KeepVolumes = false
	}
	if l := d.rec.Status.Draining; l != nil { // it has its time anew
		l.Since, l.TimedOut = d.rec.UpdatedAt, false
	}
	if _, ok := waysBack[d.kind]; ok {
		was := before.Clone()
		d.rec.Status.Previous = &ecp.PreviousSpec{Spec: was.Spec, Resolved: was.Resolved,
			RenderVersion: was.Status.RenderVersion, RunTimeConfig: was.Status.RunTimeConfig}
	}
	if err := ecp.Put(tx, o, 0); err != nil {
		return ecp.Operation{}, err
	}
	return o, m.pruning.TrimOperations(tx, o.Cluster)
}

func (m *Manager) newOperation(
	rec ecp.ClusterRecord, kind ecp.OperationKind, actor ecp.Actor, patience time.Duration,
) ecp.Operation {
	now := m.observed.Now().UTC()
	return ecp.Operation{
		ID:         newOperationID(),
		Cluster:    rec.ID,
		Project:    rec.Project,
		Kind:       kind,
		Actor:      actor.Name,
		User:       actor.User(),
		Generation: rec.Generation,
		Phase:      ecp.PhaseQueued,
		Steps:      derive.NewSteps(derive.OperationSteps[kind]),
		Deadline:   now.Add(patience),
		CreatedAt:  now,
	}
}

func newOperationID() ecp.OperationID { return ecp.OperationID("op-" + random.Hex(8)) }
