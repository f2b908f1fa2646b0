package emqxv4

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// ConnectionLimit reads the license, and the list of calls to see whether the broker has
// one that sets a limit.
func (b *broker) ConnectionLimit(ctx context.Context) (ecp.ConnectionLimit, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	l, err := b.license(ctx)
	if err != nil {
		return ecp.ConnectionLimit{}, err
	}
	_, why, err := b.limitCall(ctx)
	if err != nil {
		return ecp.ConnectionLimit{}, err
	}
	return limitOf(l, why), nil
}

// limitOf derives the limit from the license. The limit in force is the one that was set,
// or else the license's own. Setting the license's own limit removes a lower one.
func limitOf(l license, why string) ecp.ConnectionLimit {
	out := ecp.ConnectionLimit{Settable: why == "", Why: why, InForce: l.limit()}
	if out.Settable {
		out.Set = out.InForce
	}
	return out
}

// SetConnectionLimit makes the call that the broker lists and reads the license back. It
// sends only the number, never a license.
func (b *broker) SetConnectionLimit(ctx context.Context, n int) (ecp.ConnectionLimit, error) {
	ctx, cancel := b.client.BoundBy(ctx, 2)
	defer cancel()
	if n < 1 {
		return ecp.ConnectionLimit{}, emqxhttp.Invalid("set connection limit", "limit",
			"is "+strconv.Itoa(n)+"; give 1 or more")
	}
	c, why, err := b.limitCall(ctx)
	if err != nil {
		return ecp.ConnectionLimit{}, err
	}
	if why != "" {
		return ecp.ConnectionLimit{}, b.manualError(ctx, why)
	}
	c.Body, c.refusalMeaning = map[string]int{b.limitField: n}, "it does not accept the number in the field "+
		b.limitField
	if err := b.do(ctx, c); err != nil {
		return ecp.ConnectionLimit{}, err
	}
	l, err := b.license(ctx)
	if err != nil {
		return ecp.ConnectionLimit{}, err
	}
	capped := l.Original != nil && l.Original.Limit() < n && l.Original.Limit() == l.limit()
	if l.limit() != n && !capped {
		says := "it took " + strconv.Itoa(n) + " in the field " + b.limitField + " and dropped it: " +
			strconv.Itoa(l.limit()) + " is in force; needed: a license that takes a limit at run time, and " +
			"the field's " +
			"right name"
		return ecp.ConnectionLimit{}, b.client.Deny(ecp.CodeUnsupported, says, *ecp.ErrLicenseNotBusinessCritical,
			ecp.ErrLicenseNotBusinessCritical)
	}
	return limitOf(l, ""), nil
}

// limitCall returns the call that sets the limit, or why there is none.
func (b *broker) limitCall(ctx context.Context) (c call, why string, err error) {
	if b.limitField == "" {
		return call{}, "limits of EMQX 4 are set only where it is configured how (LimitField of emqxv4): EMQX " +
			"does not " +
			"document the call", nil
	}
	listed, err := query(ctx, b, get(listPath, always), decodeCalls)
	if err != nil {
		return call{}, "", err
	}
	i := slices.IndexFunc(listed, func(l listedCall) bool {
		return l.below(limitPath) && !strings.Contains(l.Path, ":") &&
			slices.Contains([]string{http.MethodPost, http.MethodPut}, l.Method)
	})
	if i < 0 {
		return call{}, "this broker does not list a call that sets its connection limit (below " + limitPath +
			", in GET " +
			listPath + ")", nil
	}
	return call{requires: always, Request: emqxhttp.Request{
		Method: listed[i].Method, Path: listPath + listed[i].Path, Idempotent: true,
	}}, "", nil
}

// listedCall is an entry of the broker's list of calls.
type listedCall struct {
	Method string `json:"method"`
	Path   string `json:"path"` // below /api/v4, with parameters as ":node"
}

// below reports whether the call's path is the given path or is below it.
func (l listedCall) below(path string) bool {
	return strings.HasPrefix(listPath+l.Path+"/", strings.TrimSuffix(path, "/")+"/")
}

// decodeCalls reads that list. It accepts only paths that begin with a slash and have no
// query, so that they cannot lead to another host.
func decodeCalls(data []byte) ([]listedCall, error) {
	var listed []listedCall
	if err := json.Unmarshal(data, &listed); err != nil {
		return nil, err
	}
	listed = slices.DeleteFunc(listed, func(l listedCall) bool {
		return !strings.HasPrefix(l.Path, "/") || strings.Contains(l.Path, "..") ||
			strings.ContainsFunc(l.Path, func(r rune) bool {
				return r <= ' ' || r > '~' ||
					strings.ContainsRune(`?#%\`, r)
			})
	})
	for i := range listed {
		listed[i].Method = strings.ToUpper(listed[i].Method)
		listed[i].Path = cmp.Or(strings.TrimRight(listed[i].Path, "/"), "/")
	}
	return listed, nil
}
