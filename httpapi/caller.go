package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openecp/openecp/ecp"
)

// What a request says of itself in its headers, beside its token.
const (
	headerKey     = "Idempotency-Key"
	headerIfMatch = "If-Match"
	headerRequest = "X-Request-Id"
)

// longestRequestID bounds a client's own id of a request, in bytes.
const longestRequestID = 64

var requestIDForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// requestID is the client's own id of a request where it can be repeated and
// logged, else a new one.
func requestID(r *http.Request) string {
	if id := r.Header.Get(headerRequest); len(id) <= longestRequestID && requestIDForm.MatchString(id) {
		return id
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// remote is where a request comes from.
func (a *api) remote(r *http.Request) string {
	addr, ok := ClientAddr(r, a.proxies)
	if !ok {
		return ""
	}
	return addr.String()
}

// ClientAddr returns the address that a request comes from; false if the
// connection has none. What a proxy tells of it counts only where the proxy is
// trusted: the last address in X-Forwarded-For that is not a trusted proxy's is
// the client's.
func ClientAddr(r *http.Request, trusted []netip.Prefix) (netip.Addr, bool) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	trusts := func(addr netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(addr) })
	}
	addr := peer.Addr().Unmap()
	if !trusts(addr) {
		return addr, true
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		next, ok := hopAddr(hop)
		if !ok {
			break
		}
		addr = next
		if !trusts(addr) {
			break
		}
	}
	return addr, true
}

// hopAddr reads an address of X-Forwarded-For. Some proxies add the port.
func hopAddr(hop string) (netip.Addr, bool) {
	hop = strings.TrimSpace(hop)
	if withPort, err := netip.ParseAddrPort(hop); err == nil {
		return withPort.Addr().Unmap(), true
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(hop, "["), "]"))
	return addr.Unmap(), err == nil
}

type ifRevisionKey struct{}

// ifRevision is the revision a change was asked for; 0 = whatever it is.
func ifRevision(ctx context.Context) int64 {
	n, _ := ctx.Value(ifRevisionKey{}).(int64)
	return n
}

// conditions reads what a change hangs on: the key that makes it happen once,
// and the revision it was decided on. A route that cannot mind them refuses
// them, for a client relies on them.
func conditions(ctx context.Context, op *huma.Operation, r *http.Request) (context.Context, *problemView) {
	var wrong []fieldView
	if keys := r.Header.Values(headerKey); len(keys) > 0 {
		why := keyProblem(op, keys)
		if why != "" {
			wrong = append(wrong, fieldView{"/header/" + headerKey, why})
		}
		ctx = ecp.WithIdempotencyKey(ctx, keys[0])
	}
	if matches := r.Header.Values(headerIfMatch); len(matches) > 0 {
		revision, why := matchRevision(op, matches)
		if why != "" {
			wrong = append(wrong, fieldView{"/header/" + headerIfMatch, why})
		}
		ctx = context.WithValue(ctx, ifRevisionKey{}, revision)
	}
	if len(wrong) > 0 {
		return ctx, newProblem(ecp.CodeInvalid, "a header is not valid", wrong...)
	}
	return ctx, nil
}

func keyProblem(op *huma.Operation, keys []string) string {
	switch {
	case !takesHeader(op, headerKey):
		return "is not minded by this path; leave it out"
	case len(keys) > 1:
		return "stands twice"
	case len(keys[0]) == 0 || len(keys[0]) > ecp.MaxIdempotencyKey || strings.ContainsFunc(keys[0], func(c rune) bool { return c < 0x20 || c > 0x7e }):
		return "is not of 1 to " + strconv.Itoa(ecp.MaxIdempotencyKey) + " printable ASCII characters"
	}
	return ""
}

// matchRevision reads an entity tag of ours; * stands for whatever is there.
func matchRevision(op *huma.Operation, values []string) (revision int64, why string) {
	if !takesHeader(op, headerIfMatch) {
		return 0, "is not minded by this path; leave it out"
	}
	if len(values) == 1 && values[0] == "*" {
		return 0, ""
	}
	text, err := strconv.Unquote(values[0])
	if err == nil {
		revision, err = strconv.ParseInt(text, 10, 64)
	}
	if len(values) > 1 || err != nil || revision <= 0 || values[0] != etag(revision) {
		return 0, `is not one ETag of an answer of this API, such as "7" with its quotes`
	}
	return revision, ""
}

func takesHeader(op *huma.Operation, name string) bool {
	return slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.In == "header" && p.Name == name })
}

// keyless is the key of a route's metadata that keeps it from taking an
// idempotency key: its answer is a secret, or it changes nothing twice.
const keyless = "keyless"

// mindsKey and mindsMatch let a route take the headers.

func mindsKey(op *huma.Operation) {
	most := ecp.MaxIdempotencyKey
	op.Parameters = append(op.Parameters, &huma.Param{
		In: "header", Name: headerKey, Schema: &huma.Schema{Type: huma.TypeString, MaxLength: &most, Pattern: `^[\x20-\x7e]+$`},
		Description: "1 to 255 printable ASCII characters that name this one request: who sends it again within 24 hours gets the first answer, and nothing happens twice",
	})
	alsoRefuse(op, ecp.CodeKeyReused)
}

func mindsMatch(op *huma.Operation) {
	op.Parameters = append(op.Parameters, &huma.Param{
		In: "header", Name: headerIfMatch, Schema: &huma.Schema{Type: huma.TypeString, Pattern: `^(\*|"[1-9][0-9]*")$`},
		Description: "the ETag of what the change was decided on: it is refused where the thing has changed meanwhile",
	})
	alsoRefuse(op, ecp.CodePrecondition)
}

func alsoRefuse(op *huma.Operation, codes ...ecp.Code) {
	also, _ := op.Metadata[alsoRefuses].([]ecp.Code)
	op.Metadata[alsoRefuses] = append(slices.Clone(also), codes...)
}
