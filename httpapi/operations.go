package httpapi

import (
	"context"
	"net/http"
	"regexp"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openecp/openecp/ecp"
)

const operationsPath = "/api/v1/operations"

// longestWait is how long a request may wait for an operation.
const longestWait = time.Minute

var operationForm = regexp.MustCompile(`^op-[0-9a-f]{16}$`)

func (a *api) operationRoutes() {
	huma.Register(a.huma, a.operation(http.MethodGet, clustersPath+"/{id}/operations", "listOperations",
		"List a cluster's operations, newest first; also those of one that is gone, for as long as they are kept"), a.listOperations)
	get := a.operation(http.MethodGet, operationsPath+"/{id}", "getOperation", "Get an operation, or wait for its end")
	get.Metadata[patience] = longestWait + ordinary
	huma.Register(a.huma, get, a.getOperation)
	a.cancelRoute()
}

// cancelRoute takes an operation back.
func (a *api) cancelRoute() {
	op := a.operation(http.MethodPost, operationsPath+"/{id}/cancel", "cancelOperation", "End an operation, and go back to what was wanted before it", ecp.CodeConflict, ecp.CodeQuotaExceeded)
	op.Description = "A start, a stop and a change can be taken back from wherever they have come to; for a create, a repair and a deletion the answer is 409 and says what to do instead. 202: the operation that leads back; the cancelled one names it as supersededBy. 200: it was cancelled before, here it is."
	op.Responses["200"] = a.answer("cancelled already", schemaOf[ecp.Operation](a.schemas()))
	op.Responses["202"] = a.heads(a.answer("on the way back", schemaOf[ecp.Operation](a.schemas())), "Operation-Location")
	a.handle(op, func(ctx context.Context, r *http.Request, _ []byte) (success, error) {
		id := r.PathValue("id")
		if !operationForm.MatchString(id) {
			return success{}, noOperation()
		}
		o, err := a.manager.CancelOperation(ctx, ecp.OperationID(id))
		if err != nil {
			return success{}, err
		}
		out := success{status: http.StatusAccepted, body: viewOperation(o), operationLocation: operationsPath + "/" + string(o.ID)}
		if o.Phase == ecp.PhaseCancelled && string(o.ID) == id {
			out.status, out.operationLocation = http.StatusOK, ""
		}
		return out, nil
	})
}

func noOperation() *problemView {
	return newProblem(ecp.CodeNotFound, "there is no operation of that id; ids are op- and 16 hexadecimal digits")
}

type operationsInput struct {
	ID     string `path:"id" example:"emqx-0a1b2c3d" doc:"the cluster's"`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"items of a page"`
	Cursor string `query:"cursor" doc:"next of the page before; pages of one list are asked for with the same filters"`
}

func (a *api) listOperations(ctx context.Context, in *operationsInput) (*listOutput[ecp.Operation], error) {
	c, p := a.cluster(in.ID)
	if p != nil {
		return nil, p
	}
	after, wrong := openCursor(in.Cursor, operationCursor)
	if len(wrong) > 0 {
		return nil, newProblem(ecp.CodeInvalid, "a parameter is not valid", wrong...)
	}
	found, err := a.manager.Operations(ctx, c.ID(), ecp.OperationOptions{Cursor: after, Limit: in.Limit})
	if err != nil {
		return nil, a.failed(ctx, ofQuery(err))
	}
	out := &listOutput[ecp.Operation]{Body: page[ecp.Operation]{Items: []ecp.Operation{}, Next: makeCursor(operationCursor, found.Next)}}
	for _, o := range found.Items {
		out.Body.Items = append(out.Body.Items, viewOperation(o))
	}
	return out, nil
}

type operationInput struct {
	ID   string `path:"id" example:"op-0123456789abcdef" doc:"the operation's"`
	Wait string `query:"wait" doc:"answer only when the operation has ended, or after this long: a duration of at most 60s, e.g. 30s"`
}

type operationOutput struct{ Body ecp.Operation }

func (a *api) getOperation(ctx context.Context, in *operationInput) (*operationOutput, error) {
	if !operationForm.MatchString(in.ID) {
		return nil, noOperation()
	}
	var wait time.Duration
	if in.Wait != "" {
		var err error
		if wait, err = time.ParseDuration(in.Wait); err != nil || wait < 0 || wait > longestWait {
			return nil, newProblem(ecp.CodeInvalid, "a parameter is not valid",
				fieldView{"/query/wait", "is not a duration from 0s to 60s, such as 30s or 500ms"})
		}
	}
	o, err := a.waitOperation(ctx, ecp.OperationID(in.ID), wait)
	if err != nil {
		return nil, a.failed(ctx, err)
	}
	return &operationOutput{Body: viewOperation(o)}, nil
}

// waitOperation waits for an operation's end, but not into a shutdown.
func (a *api) waitOperation(ctx context.Context, id ecp.OperationID, wait time.Duration) (ecp.Operation, error) {
	if wait <= 0 {
		return a.manager.Operation(ctx, id)
	}
	waiting, cancel := a.untilDone(ctx)
	defer cancel()
	o, err := a.manager.WaitOperation(waiting, id, wait)
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		return a.manager.Operation(ctx, id)
	}
	return o, err
}

// untilDone gives a context that also ends when the process begins to shut
// down. cancel returns after everything it started has ended.
func (a *api) untilDone(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-a.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel()
		<-ended
	}
}
