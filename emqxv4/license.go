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

// License merges the answers of two calls: /license_info, which the dashboard uses, has
// everything; the older /license has limit and expiry.
func (b *broker) License(ctx context.Context) (ecp.BrokerLicense, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	return b.readLicense(ctx)
}

// readLicense reads the license in force.
func (b *broker) readLicense(ctx context.Context) (ecp.BrokerLicense, error) {
	l, err := b.license(ctx)
	if err != nil {
		return ecp.BrokerLicense{}, err
	}
	return l.toLicense(time.Now()), nil
}

func (b *broker) license(ctx context.Context) (l license, err error) {
	told := false
	for _, path := range []string{licenseInfoPath, licensePath} {
		one, oneErr := query(ctx, b, get(path, licensed), decodeLicense)
		if oneErr == nil {
			l, told = l.merge(one), true
			continue
		}
		err = oneErr
	}
	if told {
		return l, b.client.CallerGone(ctx)
	}
	return license{}, err
}

// SetLicense uploads the text of a license file. The broker distributes it in the cluster.
func (b *broker) SetLicense(ctx context.Context, c ecp.LicenseChange) (ecp.BrokerLicense, error) {
	ctx, cancel := b.client.BoundBy(ctx, 2)
	defer cancel()
	text := strings.TrimSpace(c.Key)
	switch text {
	case "":
		return ecp.BrokerLicense{},
			emqxhttp.Invalid("set license", "key", "is empty; give the text of a license file (.lic)")
	case "default":
		return ecp.BrokerLicense{}, emqxhttp.Invalid("set license", "key",
			`is "default", which only EMQX 5 accepts; give the text of a license file (.lic)`)
	}
	if !c.Replace {
		l, err := b.license(ctx)
		if err != nil {
			return ecp.BrokerLicense{}, err
		}
		if !l.builtIn() {
			return ecp.BrokerLicense{}, b.client.Fail(ecp.CodeConflict, "somebody has loaded a license there, which "+
				"cannot be "+
				"read back; set replace if you have a copy of it or do not need it", nil)
		}
	}
	if err := b.upload(ctx, c.Key); err != nil {
		return ecp.BrokerLicense{}, err
	}
	return b.readLicense(ctx)
}

// upload uploads a license.
func (b *broker) upload(ctx context.Context, text string) error {
	b.client.Redact(text)
	return b.do(ctx, call{
		requires: licensed, refusalMeaning: "it refused this license and keeps the one it has", secret: text,
		Request: emqxhttp.Request{
			Method: http.MethodPost, Path: uploadPath, Body: map[string]string{"license": text}, Idempotent: true,
		},
	})
}

// LicenseSettings returns an error: the settings are in the configuration, which no call of
// 4.4 returns.
func (b *broker) LicenseSettings(ctx context.Context) (ecp.LicenseSettings, error) {
	return ecp.LicenseSettings{}, b.manualError(ctx, "EMQX 4 has no call that returns them: "+settingsAdvice)
}

// SetLicenseSettings returns an error: the settings are in the configuration only.
func (b *broker) SetLicenseSettings(ctx context.Context, _ ecp.LicenseSettings) (ecp.LicenseSettings, error) {
	return ecp.LicenseSettings{}, b.manualError(ctx, "EMQX 4 cannot change them at run time: "+settingsAdvice)
}

const settingsAdvice = "they are license.connection_high_watermark_alarm and " +
	"license.connection_low_watermark_alarm in its configuration file, " +
	"or EMQX_LICENSE__CONNECTION_HIGH_WATERMARK_ALARM and EMQX_LICENSE__CONNECTION_LOW_WATERMARK_ALARM in its " +
	"environment, read at start"

// evaluation is the customer type of the license that EMQX comes with.
const evaluation = 10

// license is the answer of both calls. Its first two fields are those that a public client
// reads from /license, the others those that the dashboard shows of /license_info.
type license struct {
	Max   *emqxhttp.Count `json:"max_connections"`
	Until date            `json:"expiry_at"`
	// The license's own limit, if a lower one is set (4.4.20).
	Original     *emqxhttp.Count  `json:"original_max_connections"`
	From         date             `json:"issued_at"`
	Expired      *flag            `json:"expiry"`
	Email        emqxhttp.Message `json:"email"`
	Customer     emqxhttp.Message `json:"customer"`
	CustomerType *emqxhttp.Count  `json:"customer_type"`
	Type         emqxhttp.Message `json:"type"`
}

// decodeLicense reads the data of both calls.
func decodeLicense(data []byte) (license, error) {
	var l *license
	if err := json.Unmarshal(data, &l); err != nil {
		return license{}, err
	}
	if l == nil || *l == (license{}) {
		return license{}, errors.New("it has nothing about a license")
	}
	return *l, nil
}

// merge fills in missing fields from another answer.
func (l license) merge(other license) license {
	if l == (license{}) {
		return other
	}
	l.Max = cmp.Or(l.Max, other.Max)
	l.Until = cmp.Or(l.Until, other.Until)
	return l
}

// limit returns the limit in force, or 0 if it is unknown.
func (l license) limit() int {
	if l.Max == nil {
		return 0
	}
	return l.Max.Limit()
}

func (l license) builtIn() bool { return l.CustomerType != nil && *l.CustomerType == evaluation }

// toLicense converts the answer. now decides whether the license has expired.
func (l license) toLicense(now time.Time) ecp.BrokerLicense {
	out := ecp.BrokerLicense{
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

// date is written as "2027-01-31 23:59:59" or "2027-01-31". The time zone is unknown and
// taken for UTC.
type date struct{ time.Time }

// UnmarshalJSON never fails. It leaves the time zero if the text is not a date.
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

// flag is a boolean that may be written as a string.
type flag bool

// UnmarshalJSON never fails. Anything but true is false.
func (f *flag) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseBool(strings.Trim(string(b), `"`))
	*f = flag(v && err == nil)
	return nil
}
