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

// keywords are the keys that are no secret: EMQX knows them by heart.
var keywords = map[string]bool{"default": true, "evaluation": true}

// License asks what is loaded.
func (b *broker) License(ctx context.Context) (ecp.License, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	return b.license(ctx)
}

func (b *broker) license(ctx context.Context) (ecp.License, error) {
	return ask(ctx, b, emqxhttp.Request{Path: licensePath}, decodeLicense)
}

// SetLicense loads a key, unless that would take away one that somebody else
// has loaded and that is not to be replaced.
func (b *broker) SetLicense(ctx context.Context, c ecp.LicenseChange) (ecp.License, error) {
	if strings.TrimSpace(c.Key) == "" {
		return ecp.License{}, invalid("load licence", "key", `must not be empty; "default" is the licence EMQX comes with`)
	}
	if !keywords[c.Key] {
		b.client.Hide(c.Key)
	}
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	now, err := b.license(ctx)
	if err != nil {
		return ecp.License{}, err
	}
	if !now.BuiltIn && !c.Replace {
		return ecp.License{}, b.client.Fail(ecp.CodeConflict, "has a licence of "+strconv.Quote(b.client.Say(now.Customer))+
			" that somebody has loaded and that cannot be read back; say that it is to be replaced", nil)
	}
	// The same key once more changes nothing.
	return ask(ctx, b, emqxhttp.Request{Method: http.MethodPost, Path: licensePath, Again: true, Body: map[string]string{"key": c.Key}}, decodeLicense)
}

// LicenseSettings asks for the watermarks.
func (b *broker) LicenseSettings(ctx context.Context) (ecp.LicenseSettings, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	s, err := ask(ctx, b, emqxhttp.Request{Path: settingPath}, decodeSettings)
	return s.LicenseSettings, err
}

// SetLicenseSettings sends the watermarks that are to be set; EMQX keeps the
// others.
func (b *broker) SetLicenseSettings(ctx context.Context, s ecp.LicenseSettings) (ecp.LicenseSettings, error) {
	body := map[string]string{}
	for _, m := range []struct {
		name, field string
		share       float64
	}{{"connection_high_watermark", "highWatermark", s.HighWatermark}, {"connection_low_watermark", "lowWatermark", s.LowWatermark}} {
		if !(m.share >= 0 && m.share <= 1) { // also NaN
			return ecp.LicenseSettings{}, invalid("set licence settings", m.field, "must be a share of the limit, between 0 and 1")
		}
		if m.share != 0 {
			body[m.name] = strconv.FormatFloat(math.Round(m.share*1e4)/100, 'f', -1, 64) + "%"
		}
	}
	switch {
	case len(body) == 0:
		return b.LicenseSettings(ctx)
	case len(body) == 2 && s.LowWatermark >= s.HighWatermark:
		return ecp.LicenseSettings{}, invalid("set licence settings", "lowWatermark", "must be below highWatermark")
	}
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	set, err := ask(ctx, b, emqxhttp.Request{Method: http.MethodPut, Path: settingPath, Body: body}, decodeSettings)
	return set.LicenseSettings, err
}

// wireLimit is the limit in the answer of /license. It has two names: the first
// counts clients; the second, since 5.8.5, sessions, and is the only one in some
// later documents.
type wireLimit struct {
	MaxConnections *emqxhttp.Count `json:"max_connections"`
	MaxSessions    *emqxhttp.Count `json:"max_sessions"`
}

func (w wireLimit) limit() int {
	if w.MaxSessions != nil {
		return w.MaxSessions.Limit()
	}
	return count(w.MaxConnections).Limit()
}

// decodeLimit reads the limit alone.
func decodeLimit(body []byte) (int, error) {
	var w wireLimit
	err := json.Unmarshal(body, &w)
	return w.limit(), err
}

// wireLicense is the whole answer of /license.
type wireLicense struct {
	wireLimit

	Customer     emqxhttp.Words  `json:"customer"`
	Email        emqxhttp.Words  `json:"email"`
	Type         emqxhttp.Words  `json:"type"` // "trial", "official", since 5.9 "community"
	CustomerType *emqxhttp.Count `json:"customer_type"`
	StartAt      emqxhttp.Words  `json:"start_at"`  // "2024-04-18"
	ExpiryAt     emqxhttp.Words  `json:"expiry_at"` // "2029-04-17"
	Expiry       any             `json:"expiry"`    // true = it has ended
}

// decodeLicense reads /license. Up to 5.8 EMQX comes with a licence of a
// customer "Evaluation" for 25 connections, from 5.9 on with one of the
// community for one node.
func decodeLicense(body []byte) (ecp.License, error) {
	var w wireLicense
	if err := json.Unmarshal(body, &w); err != nil {
		return ecp.License{}, err
	}
	if w.MaxConnections == nil && w.MaxSessions == nil { // one of which each version has
		return ecp.License{}, errNotIt
	}
	l := ecp.License{
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

// day reads a date; zero where it is none.
func day(w emqxhttp.Words) time.Time {
	t, err := time.Parse(time.DateOnly, string(w))
	if err != nil {
		return time.Time{}
	}
	return t
}

// settings is the answer of /license/setting.
type settings struct {
	ecp.LicenseSettings
	dynamic *int // nil = the licence has none
}

// decodeSettings reads /license/setting.
func decodeSettings(body []byte) (settings, error) {
	var w struct {
		High    emqxhttp.Words  `json:"connection_high_watermark"` // "80%"
		Low     emqxhttp.Words  `json:"connection_low_watermark"`
		Dynamic *emqxhttp.Count `json:"dynamic_max_connections"`
	}
	if err := json.Unmarshal(body, &w); err != nil {
		return settings{}, err
	}
	if w.High == "" && w.Low == "" { // which each version has
		return settings{}, errNotIt
	}
	s := settings{LicenseSettings: ecp.LicenseSettings{HighWatermark: share(w.High), LowWatermark: share(w.Low)}}
	if w.Dynamic != nil {
		n := w.Dynamic.Limit()
		s.dynamic = &n
	}
	return s, nil
}

// share reads "80%", or 0.8; what is neither is 0, which is not told.
func share(w emqxhttp.Words) float64 {
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
