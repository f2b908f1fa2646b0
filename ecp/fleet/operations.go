package fleet

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet/internal/pruning"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// OperationOptions selects a page of a cluster's operations.
type OperationOptions struct {
	Cursor string // Next of the page before
	Limit  int    // 0 = 50; at most [ecp.MaxListLimit]
}

// OperationPage is a part of a cluster's operations, newest first.
type OperationPage struct {
	Items []ecp.Operation
	Next  string // Cursor of the next page; "" = this was the last
}

// ownProject is the project an operation belongs to: that of its cluster now, or
// at its end. The one in the record is where the cluster was when the operation
// was last written; a transfer leaves those that have ended as they are.
func ownProject(tx ecp.Tx, o ecp.Operation) (string, error) {
	rec, _, err := ecp.Get[ecp.ClusterRecord](tx, string(o.Cluster))
	if err == nil {
		return rec.Project, nil
	}
	if !errors.Is(err, ecp.ErrNotFound) {
		return "", err
	}
	t, _, err := ecp.Get[ecp.Tombstone](tx, string(o.Cluster))
	if errors.Is(err, ecp.ErrNotFound) {
		return o.Project, nil
	}
	return t.Project, err
}

// operationOf reads an operation with the project it belongs to now.
func operationOf(tx ecp.Tx, id ecp.OperationID) (ecp.Operation, error) {
	o, _, err := ecp.Get[ecp.Operation](tx, string(id))
	if err == nil {
		o.Project, err = ownProject(tx, o)
	}
	return o, err
}

// Operation returns an operation by its id. Who may read its cluster may read it.
// Those that have ended are kept for a time, see [Limits] and [Config].
func (m *Manager) Operation(ctx context.Context, id ecp.OperationID) (ecp.Operation, error) {
	op := "read operation " + string(id)
	if _, err := ecp.Authorize(ctx, op, ecp.RightRead, ""); err != nil {
		return ecp.Operation{}, err
	}
	var o ecp.Operation
	err := m.observed.Store.Read(ctx, func(tx ecp.Tx) (err error) { o, err = operationOf(tx, id); return err })
	if err == nil {
		_, err = ecp.Authorize(ctx, op, ecp.RightRead, o.Project)
	}
	if errors.Is(err, ecp.ErrNotFound) {
		return ecp.Operation{}, ecp.NewError(ecp.CodeNotFound, op, fmt.Sprintf("there is no operation %q", id))
	}
	if err != nil {
		return ecp.Operation{}, fault.Wrap(op, err)
	}
	return o, nil
}

// Operations returns a page of a cluster's operations, newest first. Those of a cluster
// that is gone can be read for as long as they are kept.
func (m *Manager) Operations(ctx context.Context, id ecp.ID, o OperationOptions) (OperationPage, error) {
	op := "list operations of " + string(id)
	actor, err := ecp.Authorize(ctx, op, ecp.RightRead, "")
	if err != nil {
		return OperationPage{}, err
	}
	after, err := o.openCursor()
	if err != nil {
		return OperationPage{}, fault.Wrap(op, err)
	}
	var all []ecp.Operation
	there, project := false, ""
	err = m.observed.Store.Read(ctx, func(tx ecp.Tx) (err error) {
		if all, err = pruning.OperationsOf(tx, id); err != nil {
			return err
		}
		there = len(all) > 0
		if project, err = ownProject(tx, ecp.Operation{Cluster: id}); there && project == "" {
			project = all[0].Project
		}
		_, _, none := ecp.Get[ecp.ClusterRecord](tx, string(id))
		there = there || none == nil
		return err
	})
	if err != nil {
		return OperationPage{}, fault.Wrap(op, err)
	}
	if !there || !actor.May(ecp.RightRead, project) {
		return OperationPage{}, observed.NoCluster(op, id, nil)
	}
	return o.page(all, after, project), nil
}

// page returns the operations that follow a place, even if the operation at that place is gone.
func (o OperationOptions) page(all []ecp.Operation, after, project string) OperationPage {
	if o.Limit <= 0 {
		o.Limit = 50
	}
	o.Limit = min(o.Limit, ecp.MaxListLimit)
	out := OperationPage{Items: []ecp.Operation{}}
	for _, each := range all {
		if after != "" && pruning.PlaceOf(each) >= after {
			continue
		}
		if len(out.Items) == o.Limit {
			out.Next = base64.RawURLEncoding.EncodeToString([]byte(pruning.PlaceOf(out.Items[o.Limit-1])))
			break
		}
		each.Project = project
		out.Items = append(out.Items, each)
	}
	return out
}

func (o OperationOptions) openCursor() (string, error) {
	b, err := base64.RawURLEncoding.DecodeString(o.Cursor)
	if o.Cursor == "" {
		return "", nil
	}
	if _, id, ok := strings.Cut(string(b), " "); err != nil || !ok || !strings.HasPrefix(id, "op-") {
		return "", &ecp.Error{Code: ecp.CodeInvalid, Message: "the request is not valid", Fields: []ecp.FieldError{{
			Field:   "cursor",
			Message: "is not the next of a page of this list; begin without it",
		}}}
	}
	return string(b), nil
}
