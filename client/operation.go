package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"time"

	"github.com/openecp/openecp/ecp"
)

const operationsPath = "/api/v1/operations"

// longPoll is how long the server may hold back an answer until an operation has ended.
// Short, so that the steps that are shown meanwhile are true.
const longPoll = "1s"

// Operation returns an operation as it is now; ended ones are kept for months.
func (c *Client) Operation(ctx context.Context, id ecp.OperationID) (ecp.Operation, error) {
	var out ecp.Operation
	_, err := c.Do(ctx, Request{Path: operationsPath + Path(string(id))}, &out)
	return out, err
}

// CancelOperation ends an operation and goes back to what was wanted before it. The answer
// is the operation that leads back, or the one of that id where it was cancelled before.
func (c *Client) CancelOperation(ctx context.Context, id ecp.OperationID) (ecp.Operation, error) {
	var out ecp.Operation
	_, err := c.Do(ctx, Request{Method: http.MethodPost, Path: operationsPath + Path(string(id), "cancel")}, &out)
	return out, err
}

// WaitOperation waits until an operation has ended, and returns it as it is then: also one
// that failed is no error. What it is like before is told to each, when it changes; each
// may be nil. A server that is away for a while is waited for, one that refuses is not.
func (c *Client) WaitOperation(
	ctx context.Context, id ecp.OperationID, each func(ecp.Operation),
) (ecp.Operation, error) {
	var last ecp.Operation
	for away := 0; ; {
		var o ecp.Operation
		_, err := c.Do(ctx, Request{
			Path: operationsPath + Path(string(id)), Query: url.Values{"wait": {longPoll}},
		}, &o)
		switch {
		case err == nil && o.Phase.Final():
			return o, nil
		case ctx.Err() != nil:
			return last, context.Cause(ctx)
		case err == nil:
			away = 0
			if each != nil && !reflect.DeepEqual(o, last) {
				each(o)
			}
			last = o
		case !errors.Is(err, ecp.ErrUnavailable) || away >= patience:
			return last, err
		default:
			away++
			if !pause(ctx, time.Second, err) {
				return last, context.Cause(ctx)
			}
		}
	}
}

// patience is how often in a row a server that is away is asked again for an operation,
// once a second or less often.
const patience = 60
