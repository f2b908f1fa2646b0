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
	"github.com/openecp/openecp/ecp/change"
)

// The headers in which a request describes itself, beside its token.
const (
	headerKey     = "Idempotency-Key"
	headerIfMatch = "If-Match"
	headerIfPlan  = "If-Plan"
	headerRequest = "X-Request-Id"
)

// longestRequestID bounds a client's own id of a request, in bytes.
const longestRequestID = 64

var requestIDForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// requestID is the client's own id of a request if it is safe to repeat and log, and a
// new one otherwise.
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

// ClientAddr returns the address that a request comes from, and false if the connection
// has none. X-Forwarded-For counts only if a trusted proxy sent it: the last address in it
// that is not a trusted proxy's is the client's.
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

// ifRevision is the revision that a change was decided on; 0 means any revision.
func ifRevision(ctx context.Context) int64 {
	n, _ := ctx.Value(ifRevisionKey{}).(int64)
	return n
}

// conditions reads the idempotency key of a change and the revision that it was decided
// on. A route that cannot respect them refuses them, because a client relies on them.
func (rt *route) conditions(ctx context.Context, r *http.Request) (context.Context, *problemView) {
	var wrong []fieldView
	if keys := r.Header.Values(headerKey); len(keys) > 0 {
		why := rt.keyProblem(keys)
		if why != "" {
			wrong = append(wrong, fieldView{"/header/" + headerKey, why})
		}
		ctx = ecp.WithIdempotencyKey(ctx, keys[0])
	}
	if matches := r.Header.Values(headerIfMatch); len(matches) > 0 {
		revision, why := rt.matchRevision(matches)
		if why != "" {
			wrong = append(wrong, fieldView{"/header/" + headerIfMatch, why})
		}
		ctx = context.WithValue(ctx, ifRevisionKey{}, revision)
	}
	if plans := r.Header.Values(headerIfPlan); len(plans) > 0 {
		if why := rt.planProblem(plans); why != "" {
			wrong = append(wrong, fieldView{"/header/" + headerIfPlan, why})
		}
		ctx = ecp.WithPlan(ctx, plans[0])
	}
	if len(wrong) > 0 {
		return ctx, newProblem(ecp.CodeInvalid, "a header is not valid", wrong...)
	}
	return ctx, nil
}

var planHashForm = regexp.MustCompile(`^[0-9a-f]{24}$`)

func (rt *route) planProblem(values []string) string {
	switch {
	case !rt.takesHeader(headerIfPlan):
		return notMinded
	case len(values) > 1 || !planHashForm.MatchString(values[0]):
		return "is not one hash of a plan, 24 lower-case hexadecimal digits"
	}
	return ""
}

// notMinded is said of headers with which a route does nothing.
const notMinded = "is not minded by this path; leave it out"

func (rt *route) keyProblem(keys []string) string {
	switch {
	case !rt.takesHeader(headerKey):
		return notMinded
	case len(keys) > 1:
		return "stands twice"
	case len(keys[0]) == 0 || len(keys[0]) > change.MaxIdempotencyKey || strings.ContainsFunc(keys[0], notPrintable):
		return "is not of 1 to " + strconv.Itoa(change.MaxIdempotencyKey) + " printable ASCII characters"
	}
	return ""
}

func notPrintable(c rune) bool { return c < 0x20 || c > 0x7e }

// matchRevision reads an entity tag of this API; * means any revision.
func (rt *route) matchRevision(values []string) (revision int64, why string) {
	if !rt.takesHeader(headerIfMatch) {
		return 0, notMinded
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

func (rt *route) takesHeader(name string) bool { return rt.parameter("header", name) != nil }

// describeConditions describes the headers that a change takes, and adds what they
// may be refused with.
func (rt *route) describeConditions() {
	if rt.Method != http.MethodGet && !rt.keyless {
		rt.Parameters = append(rt.Parameters, idempotencyKeyParameter())
		rt.refuses = append(slices.Clone(rt.refuses), ecp.CodeKeyReused)
	}
	if rt.takesHeader(headerIfMatch) || rt.takesHeader(headerIfPlan) {
		rt.refuses = append(slices.Clone(rt.refuses), ecp.CodePrecondition)
	}
}

func idempotencyKeyParameter() *huma.Param {
	longest := change.MaxIdempotencyKey
	return &huma.Param{
		In: "header", Name: headerKey,
		Schema: &huma.Schema{Type: huma.TypeString, MaxLength: &longest, Pattern: `^[\x20-\x7e]+$`},
		Description: "1 to 255 printable ASCII characters that name this one request: who sends it again within 24 " +
			"hours gets the first answer, and nothing happens twice",
	}
}

func ifMatchParameter() *huma.Param {
	return &huma.Param{
		In: "header", Name: headerIfMatch, Schema: &huma.Schema{Type: huma.TypeString, Pattern: `^(\*|"[1-9][0-9]*")$`},
		Description: "the ETag of what the change was decided on: it is refused where the thing has changed meanwhile",
	}
}

func ifPlanParameter() *huma.Param {
	return &huma.Param{
		In: "header", Name: headerIfPlan, Schema: &huma.Schema{Type: huma.TypeString, Pattern: planHashForm.String()},
		Description: "the hash of the plan that was decided on: it is refused where the plan is another by now",
	}
}
