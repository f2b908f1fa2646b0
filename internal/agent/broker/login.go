package broker

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/openecp/openecp/ecp"
)

// errNoCredentials is the error if there are no credentials.
var errNoCredentials = &ecp.Error{
	Code: ecp.CodeDenied, Op: "log in to EMQX",
	Message: "there are no credentials; the agent was given none, and found none",
}

// header returns the Authorization header to send, or the cached refusal. One caller at a
// time logs in; callers that wait for it share the result, which may be a failure.
func (a *Access) header(ctx context.Context) (way credential, header string, no *refusal, err error) {
	way, header, no, tried, err := a.inHand(-1)
	if header != "" || no != nil || err != nil {
		return way, header, no, err
	}
	if err := a.enter(ctx); err != nil {
		return way, "", nil, err
	}
	defer a.leave()
	way, header, no, _, err = a.inHand(tried)
	for header == "" && no == nil && err == nil { // until a way is taken, or all are refused
		token, refusal, loginErr := a.login(ctx, way)
		if loginErr != nil && ctx.Err() != nil { // only this caller has given up
			return way, "", nil, a.unreached(loginErr)
		}
		a.note(way, token, refusal, loginErr)
		if loginErr != nil {
			return way, "", nil, a.unreached(loginErr)
		}
		way, header, no, _, err = a.inHand(-1)
	}
	return way, header, no, err
}

// inHand returns the header to send, or the cached refusal. If it returns neither, the caller
// has to log in first.
func (a *Access) inHand(seen int) (way credential, header string, no *refusal, tried int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.no != nil && !a.now().Before(a.no.until) { // try all again
		a.no, a.way, a.token = nil, 0, ""
	}
	switch {
	case len(a.ways) == 0:
		return way, "", nil, a.tried, errNoCredentials
	case a.no != nil:
		return way, "", a.no, a.tried, nil
	case seen >= 0 && seen != a.tried && a.failed != nil:
		return way, "", nil, a.tried, a.unreached(a.failed)
	}
	way = a.ways[a.way]
	switch {
	case !way.logsIn:
		return way, way.basic(), nil, a.tried, nil
	case a.token != "":
		return way, "Bearer " + a.token, nil, a.tried, nil
	}
	return way, "", nil, a.tried, nil
}

// note takes note of how a login ended.
func (a *Access) note(way credential, token string, no *refusal, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tried++
	a.failed = err
	switch {
	case no != nil:
		a.refusedLocked(way, no)
	case err == nil:
		a.token = token
	}
}

// refusedLocked goes on to the next way to log in; after the last one all are
// refused for a while, with the first one's words: it is the one that people meant.
func (a *Access) refusedLocked(way credential, no *refusal) {
	if a.way >= len(a.ways) || a.ways[a.way] != way {
		return // another goroutine has noticed
	}
	if a.way == 0 || a.firstNo == nil {
		a.firstNo = no
	}
	a.token = ""
	if a.way++; a.way < len(a.ways) {
		return
	}
	a.way = 0
	a.no = a.firstNo
	a.no.at, a.firstNo = a.now(), nil
	a.no.until = a.no.at.Add(lockout)
	if a.refused.IsZero() {
		a.refused = a.no.at
	}
}

// refusedBy takes note of the answer 401, and reports whether to send again.
func (a *Access) refusedBy(f Found, way credential, header string, res *http.Response) bool {
	body := peek(res)
	code, _ := said(body)
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case way.logsIn && ended[code]:
		if header == "Bearer "+a.token {
			a.token = ""
		}
		return true
	case f.Major == 4, refused[code] && !way.logsIn:
		a.refusedLocked(way, refusalOf(res, body, way.kind))
		return true
	}
	return false // the call is not for who has these credentials
}

// accepted takes note of an answer that is no refusal of the credentials.
func (a *Access) accepted() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refused, a.firstNo = time.Time{}, nil
}

// unreached is an error of the network, which those that asked have words for, or
// one of ours.
func (a *Access) unreached(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return &ecp.Error{Code: ecp.CodeUnavailable, Op: "log in to EMQX", Message: "no answer in time", Cause: err}
	}
	return err
}
