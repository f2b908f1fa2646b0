package emqxv4

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// License merges what the two calls about the licence tell: /license_info, the
// dashboard's, has all of it; /license, the older one, limit and end.
func (b *broker) License(ctx context.Context) (ecp.License, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	return b.toldLicense(ctx)
}

// toldLicense is what the broker says of its licence, as people see it.
func (b *broker) toldLicense(ctx context.Context) (ecp.License, error) {
	l, err := b.license(ctx)
	if err != nil {
		return ecp.License{}, err
	}
	return l.domain(time.Now()), nil
}

func (b *broker) license(ctx context.Context) (l license, err error) {
	told := false
	for _, path := range []string{licenseInfoPath, licensePath} {
		one, oneErr := ask(ctx, b, get(path, licensed), decodeLicense)
		if oneErr == nil {
			l, told = l.or(one), true
			continue
		}
		err = oneErr
	}
	if told {
		return l, b.client.Ended(ctx)
	}
	return license{}, err
}

// SetLicense uploads the text of a licence file; the broker spreads it over the
// cluster.
func (b *broker) SetLicense(ctx context.Context, c ecp.LicenseChange) (ecp.License, error) {
	ctx, cancel := b.client.BoundBy(ctx, 2)
	defer cancel()
	text := strings.TrimSpace(c.Key)
	switch text {
	case "":
		return ecp.License{}, invalid("set licence", "key", "is empty; give the text of a licence file (.lic)")
	case "default":
		return ecp.License{}, invalid("set licence", "key", "is \"default\", which EMQX 5 alone knows; give the text of a licence file (.lic)")
	}
	if !c.Replace {
		l, err := b.license(ctx)
		if err != nil {
			return ecp.License{}, err
		}
		if !l.builtIn() {
			return ecp.License{}, b.client.Fail(ecp.CodeConflict, "somebody has loaded a licence there, which cannot be read back; ask for it to be replaced if you have a copy or need none", nil)
		}
	}
	if err := b.upload(ctx, c.Key); err != nil {
		return ecp.License{}, err
	}
	return b.toldLicense(ctx)
}

// upload loads a licence.
func (b *broker) upload(ctx context.Context, text string) error {
	b.client.Hide(text)
	return b.do(ctx, call{
		needs: licensed, wrong: "it does not take this licence, and keeps the one it has", secret: text,
		Request: emqxhttp.Request{Method: http.MethodPost, Path: uploadPath, Body: map[string]string{"license": text}, Again: true},
	})
}

// LicenseSettings are in the configuration only, which no call of 4.4 gives.
func (b *broker) LicenseSettings(ctx context.Context) (ecp.LicenseSettings, error) {
	return ecp.LicenseSettings{}, b.byHand(ctx, "EMQX 4 does not tell them: "+settingsSay)
}

// SetLicenseSettings are in the configuration only.
func (b *broker) SetLicenseSettings(ctx context.Context, _ ecp.LicenseSettings) (ecp.LicenseSettings, error) {
	return ecp.LicenseSettings{}, b.byHand(ctx, "EMQX 4 does not take them at run time: "+settingsSay)
}

const settingsSay = "they are license.connection_high_watermark_alarm and license.connection_low_watermark_alarm in its configuration file, " +
	"or EMQX_LICENSE__CONNECTION_HIGH_WATERMARK_ALARM and EMQX_LICENSE__CONNECTION_LOW_WATERMARK_ALARM in its environment, read at start"

// evaluation is the customer type of the licence EMQX comes with.
const evaluation = 10

// license is what the broker tells of its licence. Of /license only the first
// two are known from a client that reads it; the names of /license_info are
// those its dashboard shows.
type license struct {
	Max          *emqxhttp.Count `json:"max_connections"`
	Until        date            `json:"expiry_at"`
	Original     *emqxhttp.Count `json:"original_max_connections"` // the licence's own, where another was set (4.4.20)
	From         date            `json:"issued_at"`
	Expired      *flag           `json:"expiry"`
	Email        emqxhttp.Words  `json:"email"`
	Customer     emqxhttp.Words  `json:"customer"`
	CustomerType *emqxhttp.Count `json:"customer_type"`
	Type         emqxhttp.Words  `json:"type"`
}

// decodeLicense reads the data of both calls.
func decodeLicense(data []byte) (license, error) {
	var l *license
	if err := json.Unmarshal(data, &l); err != nil {
		return license{}, err
	}
	if l == nil || *l == (license{}) {
		return license{}, errors.New("it says nothing of a licence")
	}
	return *l, nil
}

// or fills in from another answer what this one lacks.
func (l license) or(other license) license {
	if l == (license{}) {
		return other
	}
	l.Max = cmp.Or(l.Max, other.Max)
	l.Until = cmp.Or(l.Until, other.Until)
	return l
}

// limit is the one in force; 0 = not told.
func (l license) limit() int {
	if l.Max == nil {
		return 0
	}
	return l.Max.Limit()
}

func (l license) builtIn() bool { return l.CustomerType != nil && *l.CustomerType == evaluation }

// domain gives the licence as people see it at a moment.
func (l license) domain(now time.Time) ecp.License {
	out := ecp.License{
		Customer: string(l.Customer), Email: string(l.Email), Type: strings.ToLower(string(l.Type)), CustomerType: -1,
		Limit: l.limit(), From: l.From.Time, Until: l.Until.Time, BuiltIn: l.builtIn(),
		Expired: !l.Until.IsZero() && l.Until.Before(now),
	}
	if l.CustomerType != nil {
		out.CustomerType = l.CustomerType.Int()
	}
	if l.Expired != nil {
		out.Expired = bool(*l.Expired)
	}
	return out
}

// date is written as "2027-01-31 23:59:59" or "2027-01-31". The zone is not
// told; it is taken for UTC.
type date struct{ time.Time }

// UnmarshalJSON never fails: what makes no sense is not told.
func (d *date) UnmarshalJSON(b []byte) error {
	d.Time = time.Time{}
	layout, text := time.DateTime, strings.Trim(string(b), `"`)
	if len(text) == len(time.DateOnly) {
		layout = time.DateOnly
	}
	if t, err := time.Parse(layout, text); err == nil {
		d.Time = t
	}
	return nil
}

// flag is a boolean that may be written as a word.
type flag bool

// UnmarshalJSON never fails: what is not true is false.
func (f *flag) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseBool(strings.Trim(string(b), `"`))
	*f = flag(v && err == nil)
	return nil
}

// invalid gives the error for a request that makes no sense.
func invalid(op, field, message string) error {
	return &ecp.Error{Code: ecp.CodeInvalid, Op: op, Message: "the request", Fields: []ecp.FieldError{{Field: field, Message: message}}}
}
