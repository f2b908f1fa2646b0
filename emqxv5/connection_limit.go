package emqxv5

import (
	"context"
	"net/http"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// businessCritical is the customer type of licenses whose limit can be set.
const businessCritical = 3

// defaultDynamic is the limit of a business critical license until somebody sets one.
const defaultDynamic = 25

const notCritical = "only a business critical license takes a limit at run time, one of customer type 3, and this " +
	"is another one"

// ConnectionLimit reads the license and its settings.
func (b *broker) ConnectionLimit(ctx context.Context) (ecp.ConnectionLimit, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	version, edition, err := b.version(ctx)
	if err != nil {
		return ecp.ConnectionLimit{}, err
	}
	l, err := b.license(ctx)
	if err != nil {
		return ecp.ConnectionLimit{}, err
	}
	limit := b.limit(l, version)
	if !limitAtRunTime.Met(version, edition) {
		limit.Why = "found " + emqxhttp.ProductName(version, edition) + "; needed " + limitAtRunTime.String()
		return limit, nil
	}
	s, err := query(ctx, b, emqxhttp.Request{Path: settingPath}, decodeSettings)
	if err != nil {
		return ecp.ConnectionLimit{}, err
	}
	switch {
	case s.dynamic != nil:
		limit.Settable, limit.Set = true, *s.dynamic
	case l.CustomerType == businessCritical:
		limit.Settable, limit.Set = true, defaultDynamic
	default:
		limit.Why = notCritical
	}
	return limit, nil
}

// SetConnectionLimit sets dynamic_max_connections. EMQX accepts the number with any license
// and ignores it with most of them, so its answer is compared.
func (b *broker) SetConnectionLimit(ctx context.Context, n int) (ecp.ConnectionLimit, error) {
	if n < 0 {
		return ecp.ConnectionLimit{}, emqxhttp.Invalid("set connection limit", "limit", "must not be negative")
	}
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	if err := b.require(ctx, "a connection limit that is set at run time", limitAtRunTime); err != nil {
		return ecp.ConnectionLimit{}, err
	}
	s, err := query(ctx, b, emqxhttp.Request{
		Method: http.MethodPut, Path: settingPath, Body: map[string]int{"dynamic_max_connections": n},
	}, decodeSettings)
	switch {
	case err != nil:
		return ecp.ConnectionLimit{}, err
	case s.dynamic == nil || *s.dynamic != n:
		return ecp.ConnectionLimit{}, b.client.Fail(ecp.CodeUnsupported, "accepted the limit and dropped it: "+
			notCritical+
			"; load one first", ecp.ErrLicenseNotBusinessCritical)
	}
	l, err := b.license(ctx)
	if err != nil {
		return ecp.ConnectionLimit{}, err
	}
	version, _, err := b.version(ctx)
	limit := b.limit(l, version)
	limit.Settable, limit.Set = true, n
	return limit, err
}

// limit returns the part of the limit that follows from the license.
func (b *broker) limit(l ecp.BrokerLicense, version string) ecp.ConnectionLimit {
	v, _ := ecp.ParseVersion(version)
	return ecp.ConnectionLimit{InForce: l.Limit, Sessions: sessionsCount.In(v)}
}
