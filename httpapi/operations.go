package httpapi

import (
	"context"
	"net/http"
	"regexp"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
)

const operationsPath = "/api/v1/operations"

// longestWait is how long a request may wait for an operation.
const longestWait = time.Minute

var operationForm = regexp.MustCompile(`^op-[0-9a-f]{16}$`)

func (a *api) operationRoutes() {
	a.json(route{
		method: http.MethodGet, path: clusterPath + "/operations", id: "listOperations",
		summary: "List a cluster's operations, newest first; also those of one that is gone, for as long as they " +
			"are kept",
		parameters: append([]*huma.Param{clusterParameter()}, pageParameters()...),
		success:    returns[page[ecp.Operation]](http.StatusOK),
	}, a.listOperations)
	a.json(route{
		method: http.MethodGet, path: operationsPath + "/{id}", id: "getOperation",
		summary: "Get an operation, or wait for its end",
		parameters: []*huma.Param{
			describedTwice("path", "id", "the operation's", exampleText(exampleOperation)),
			describedTwice("query", "wait", "answer only when the operation has ended, or after this long: "+
				"a duration of at most 60s, e.g. 30s", text()),
		},
		timeout: longestWait + requestTimeout, success: returns[ecp.Operation](http.StatusOK),
	}, a.getOperation)
	a.json(route{
		method: http.MethodPost, path: operationsPath + "/{id}/cancel", id: "cancelOperation",
		summary: "End an operation, and go back to what was wanted before it",
		description: "A start, a stop and a change can be taken back from wherever they have come to; for a create, " +
			"a repair and a deletion the answer is 409 and says what to do instead. 202: the operation that leads " +
			"back; the cancelled one names it as supersededBy. 200: it was cancelled before, here it is.",
		success: []answer{
			answerOf[ecp.Operation](http.StatusOK).saying("cancelled already"),
			answerOf[ecp.Operation](http.StatusAccepted, "Operation-Location").saying("on the way back"),
		},
		refuses: []ecp.Code{ecp.CodeConflict, ecp.CodeQuotaExceeded},
	}, a.cancelOperation)
}

// cancelOperation takes an operation back.
func (a *api) cancelOperation(ctx context.Context, r *http.Request, _ body) (success, error) {
	id := r.PathValue("id")
	if !operationForm.MatchString(id) {
		return success{}, noOperation()
	}
	o, err := a.manager.CancelOperation(ctx, ecp.OperationID(id))
	if err != nil {
		return success{}, err
	}
	out := success{
		status: http.StatusAccepted, body: viewOperation(o), operationLocation: operationsPath + "/" + string(o.ID),
	}
	if o.Phase == ecp.PhaseCancelled && string(o.ID) == id {
		out.status, out.operationLocation = http.StatusOK, ""
	}
	return out, nil
}

func noOperation() *problemView {
	return newProblem(ecp.CodeNotFound, "there is no operation of that id; ids are op- and 16 hexadecimal digits")
}

func (a *api) listOperations(ctx context.Context, r *http.Request, _ body) (success, error) {
	c, p := a.cluster(r)
	if p != nil {
		return success{}, p
	}
	limit, after, wrong := listing(r, operationCursor)
	if len(wrong) > 0 {
		return success{}, badParameter(wrong...)
	}
	found, err := a.manager.Operations(ctx, c.ID(), fleet.OperationOptions{Cursor: after, Limit: limit})
	out := page[ecp.Operation]{Items: convert(found.Items, viewOperation),
		Next: makeCursor(operationCursor, found.Next)}
	return success{status: http.StatusOK, body: out}, ofQuery(err)
}

func (a *api) getOperation(ctx context.Context, r *http.Request, _ body) (success, error) {
	id, text := r.PathValue("id"), r.URL.Query().Get("wait")
	if !operationForm.MatchString(id) {
		return success{}, noOperation()
	}
	var wait time.Duration
	if text != "" {
		var err error
		if wait, err = time.ParseDuration(text); err != nil || wait < 0 || wait > longestWait {
			const why = "is not a duration from 0s to 60s, such as 30s or 500ms"
			return success{}, badParameter(fieldView{"/query/wait", why})
		}
	}
	o, err := a.waitOperation(ctx, ecp.OperationID(id), wait)
	return success{status: http.StatusOK, body: viewOperation(o)}, err
}

// waitOperation waits for an operation's end, or until the process shuts down.
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

// untilDone returns a context that also ends when the process begins to shut down. The
// function that it returns ends the context and waits for the goroutine behind it.
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
