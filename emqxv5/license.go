package emqxv5

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// keywords are keys that are not secret.
var keywords = map[string]bool{"default": true, "evaluation": true}

// License reads the license.
func (b *broker) License(ctx context.Context) (ecp.BrokerLicense, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	return b.license(ctx)
}

func (b *broker) license(ctx context.Context) (ecp.BrokerLicense, error) {
	return query(ctx, b, emqxhttp.Request{Path: licensePath}, decodeLicense)
}

// SetLicense loads a key. It does not replace a key that somebody has loaded, unless the
// change asks for that.
func (b *broker) SetLicense(ctx context.Context, c ecp.LicenseChange) (ecp.BrokerLicense, error) {
	if strings.TrimSpace(c.Key) == "" {
		return ecp.BrokerLicense{}, emqxhttp.Invalid("load license", "key",
			`must not be empty; "default" is the license EMQX comes with`)
	}
	if !keywords[c.Key] {
		b.client.Redact(c.Key)
	}
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	now, err := b.license(ctx)
	if err != nil {
		return ecp.BrokerLicense{}, err
	}
	if !now.BuiltIn && !c.Replace {
		return ecp.BrokerLicense{}, b.client.Fail(ecp.CodeConflict, "has a license of "+
			strconv.Quote(b.client.Sanitize(now.Customer))+
			" that somebody has loaded and that cannot be read back; set replace to replace it", nil)
	}
	// Sending the same key again changes nothing.
	return query(ctx, b, emqxhttp.Request{
		Method: http.MethodPost, Path: licensePath, Idempotent: true, Body: map[string]string{"key": c.Key},
	}, decodeLicense)
}

// LicenseSettings reads the watermarks.
func (b *broker) LicenseSettings(ctx context.Context) (ecp.LicenseSettings, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	s, err := query(ctx, b, emqxhttp.Request{Path: settingPath}, decodeSettings)
	return s.LicenseSettings, err
}

// SetLicenseSettings sets the watermarks that are not zero. EMQX keeps the others.
func (b *broker) SetLicenseSettings(ctx context.Context, s ecp.LicenseSettings) (ecp.LicenseSettings, error) {
	body := map[string]string{}
	for _, m := range []struct {
		name, field string
		share       float64
	}{{"connection_high_watermark", "highWatermark", s.HighWatermark}, {"connection_low_watermark", "lowWatermark",
		s.LowWatermark}} {
		if !(m.share >= 0 && m.share <= 1) { // also false for NaN
			return ecp.LicenseSettings{}, emqxhttp.Invalid("set license settings", m.field,
				"must be a share of the limit, "+
					"between 0 and 1")
		}
		if m.share != 0 {
			body[m.name] = strconv.FormatFloat(math.Round(m.share*1e4)/100, 'f', -1, 64) + "%"
		}
	}
	switch {
	case len(body) == 0:
		return b.LicenseSettings(ctx)
	case len(body) == 2 && s.LowWatermark >= s.HighWatermark:
		return ecp.LicenseSettings{}, emqxhttp.Invalid("set license settings", "lowWatermark",
			"must be below highWatermark")
	}
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	set, err := query(ctx, b, emqxhttp.Request{Method: http.MethodPut, Path: settingPath, Body: body}, decodeSettings)
	return set.LicenseSettings, err
}

// limitFields is the limit in the answer of /license. It has two names: the first counts
// clients; the second counts sessions since 5.8.5, and is the only one in some later
// documents.
type limitFields struct {
	MaxConnections *emqxhttp.Count `json:"max_connections"`
	MaxSessions    *emqxhttp.Count `json:"max_sessions"`
}

func (w limitFields) limit() int {
	if w.MaxSessions != nil {
		return w.MaxSessions.Limit()
	}
	return count(w.MaxConnections).Limit()
}

// decodeLimit reads only the limit.
func decodeLimit(body []byte) (int, error) {
	var w limitFields
	err := json.Unmarshal(body, &w)
	return w.limit(), err
}

// licenseBody is the whole answer of /license.
type licenseBody struct {
	limitFields

	Customer     emqxhttp.Message `json:"customer"`
	Email        emqxhttp.Message `json:"email"`
	Type         emqxhttp.Message `json:"type"` // "trial", "official", since 5.9 "community"
	CustomerType *emqxhttp.Count  `json:"customer_type"`
	StartAt      emqxhttp.Message `json:"start_at"`  // "2024-04-18"
	ExpiryAt     emqxhttp.Message `json:"expiry_at"` // "2029-04-17"
	Expiry       any              `json:"expiry"`    // true if it has expired
}

// decodeLicense reads /license. Up to 5.8 EMQX comes with a license for 25 connections of
// the customer "Evaluation", from 5.9 on with a community license for one node.
func decodeLicense(body []byte) (ecp.BrokerLicense, error) {
	var w licenseBody
	if err := json.Unmarshal(body, &w); err != nil {
		return ecp.BrokerLicense{}, err
	}
	if w.MaxConnections == nil && w.MaxSessions == nil { // each version has one of them
		return ecp.BrokerLicense{}, errNotIt
	}
	l := ecp.BrokerLicense{
		Customer: string(w.Customer), Email: string(w.Email), Type: strings.ToLower(string(w.Type)), CustomerType: -1,
		Limit: w.limit(), From: day(w.StartAt), Until: day(w.ExpiryAt), Expired: w.Expiry == true,
	}
	if w.CustomerType != nil {
		l.CustomerType = w.CustomerType.Int()
	}
	l.SingleNode = l.Type == "community"
	l.BuiltIn = l.SingleNode || l.Customer == "Evaluation" && l.Email == "contact@emqx.io"
	return l, nil
}

// day reads a date. It returns the zero time for any other text.
func day(w emqxhttp.Message) time.Time {
	t, err := time.Parse(time.DateOnly, string(w))
	if err != nil {
		return time.Time{}
	}
	return t
}

// settings is the answer of /license/setting.
type settings struct {
	ecp.LicenseSettings
	dynamic *int // nil if the license does not allow to set a limit
}

// decodeSettings reads /license/setting.
func decodeSettings(body []byte) (settings, error) {
	var w struct {
		High    emqxhttp.Message `json:"connection_high_watermark"` // "80%"
		Low     emqxhttp.Message `json:"connection_low_watermark"`
		Dynamic *emqxhttp.Count  `json:"dynamic_max_connections"`
	}
	if err := json.Unmarshal(body, &w); err != nil {
		return settings{}, err
	}
	if w.High == "" && w.Low == "" { // each version has both
		return settings{}, errNotIt
	}
	s := settings{LicenseSettings: ecp.LicenseSettings{HighWatermark: share(w.High), LowWatermark: share(w.Low)}}
	if w.Dynamic != nil {
		n := w.Dynamic.Limit()
		s.dynamic = &n
	}
	return s, nil
}

// share reads "80%" or 0.8. It returns 0, which stands for an unknown share, for anything
// else.
func share(w emqxhttp.Message) float64 {
	number, percent := strings.CutSuffix(string(w), "%")
	n, err := strconv.ParseFloat(number, 64)
	if percent {
		n = n / 100
	}
	if err != nil || !(n >= 0 && n <= 1) {
		return 0
	}
	return n
}
