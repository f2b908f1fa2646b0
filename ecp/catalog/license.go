package catalog

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strconv"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// Licenses is the catalogue of EMQX licenses.
var Licenses = &shelf[ecp.License]{
	kind: ecp.KindLicense, what: "license", id: "name", read: ecp.RightAdmin, Secret: "content",
	key: func(l ecp.License) string { return l.Name }, rev: func(l *ecp.License) *int64 { return &l.Revision },
	dflt: func(l *ecp.License) *bool { return &l.Default }, pile: func(l ecp.License) string { return string(l.Format) },
	set: func(l *ecp.License, set bool) { l.ContentSet = set },
	check: func(p *fault.Fields, l *ecp.License) {
		validateSlug(p, "name", l.Name)
		if l.Format != ecp.LicenseV4 && l.Format != ecp.LicenseV5 {
			p.Add("format", `is %q; "v4" and "v5" are allowed`, l.Format)
		}
	},
	prepare: func(_ *change.Tx, old, l *ecp.License) error {
		if old == nil {
			if !l.ContentSet {
				return &ecp.Error{Code: ecp.CodeInvalid, Message: "the request is not valid", Fields: []ecp.FieldError{{Field: "content", Message: "is missing"}}}
			}
			return nil
		}
		if l.Format != old.Format {
			return &ecp.Error{Code: ecp.CodeInvalid, Message: "the request is not valid", Fields: []ecp.FieldError{{Field: "format", Message: "is fixed; add another license instead"}}}
		}
		l.ContentSet, l.Customer, l.Type, l.Limit, l.ExpiresAt = old.ContentSet, old.Customer, old.Type, old.Limit, old.ExpiresAt
		return nil
	},
	learn: LearnLicense,
	uses: func(tx ecp.Tx, l ecp.License) ([]change.Use, error) {
		u, err := ClustersThat(tx, func(r ecp.ClusterRecord) bool { return r.Resolved.License == l.Name })
		return []change.Use{u}, err
	},
}

// Licenses lists the EMQX licenses; their contents are not shown.
func (c *Catalog) Licenses(ctx context.Context) ([]ecp.License, error) { return Licenses.List(ctx, c) }

// License gives an EMQX license by its name; its content is not shown.
func (c *Catalog) License(ctx context.Context, name string) (ecp.License, error) {
	return Licenses.get(ctx, c, name)
}

// CreateLicense adds an EMQX license: the text of a file (v4) or a key (v5),
// stored encrypted. What can be read from it fills l.
func (c *Catalog) CreateLicense(ctx context.Context, l ecp.License, content ecp.Secret) (ecp.License, error) {
	return Licenses.create(ctx, c, l, content)
}

// UpdateLicense replaces an EMQX license; its revision is the one that was
// read, 0 = whatever. content nil = it stays. One of the running clusters that use
// it is given the new content first: where its EMQX refuses it, the error is
// invalid, has EMQX' words, and nothing has changed. Then the others and their
// platforms get it at once.
func (c *Catalog) UpdateLicense(ctx context.Context, l ecp.License, content *ecp.Secret) (ecp.License, error) {
	undo := func() {}
	if content != nil && c.hooks.TryLicense != nil {
		var err error
		if undo, err = c.hooks.TryLicense(ctx, l, *content); err != nil {
			return ecp.License{}, err
		}
	}
	out, err := Licenses.update(ctx, c, l, content)
	if err != nil {
		undo()
		return out, err
	}
	if content != nil && c.hooks.LicenseChanged != nil {
		c.hooks.LicenseChanged(ctx, l.Name)
	}
	return out, nil
}

// DeleteLicense removes an EMQX license that no cluster uses. The default goes
// last.
func (c *Catalog) DeleteLicense(ctx context.Context, name string, ifRevision int64) error {
	return Licenses.delete(ctx, c, name, ifRevision)
}

// LicenseFor finds the license a new cluster gets; "" = none: EMQX runs with
// the one it brings along.
func LicenseFor(tx ecp.Tx, i ecp.Image) (string, error) {
	format := ecp.LicenseV5
	if v, ok := ecp.ParseVersion(i.Version); ok && v.Major == 4 {
		format = ecp.LicenseV4
	}
	for l, err := range ecp.List[ecp.License](tx, ecp.Query{}) {
		if err != nil {
			return "", err
		}
		if l.Default && l.Format == format {
			return l.Name, nil
		}
	}
	return "", nil
}

// customerTypes are EMQX' numbers for kinds of customers.
var customerTypes = map[string]string{
	"0": "small", "1": "medium", "2": "large", "3": "business-critical", "4": "byoc", "5": "education", "10": "evaluation", "11": "developer",
}

// LearnLicense reads what a license says of itself. What it does not say in a
// form known here stays unknown: EMQX decides whether it is valid.
func LearnLicense(p *fault.Fields, l *ecp.License, content ecp.Secret) {
	l.Customer, l.Type, l.Limit, l.ExpiresAt = "", "", 0, time.Time{}
	text := strings.TrimSpace(string(content))
	switch {
	case text == "":
		p.Add("content", "is missing")
	case strings.ContainsRune(text, 0):
		p.Add("content", "is not text")
	case l.Format == ecp.LicenseV5 && strings.ContainsAny(text, " \n\r\t"):
		p.Add("content", "is not a key: it has spaces or line breaks")
	case l.Format == ecp.LicenseV5:
		learnKey(l, text)
	default:
		learnFile(l, text)
	}
}

// learnKey reads a v5 key: base64 of lines, a dot, and a signature.
func learnKey(l *ecp.License, key string) {
	payload, _, _ := strings.Cut(key, ".")
	b, err := base64.StdEncoding.DecodeString(payload)
	lines := strings.Split(string(b), "\n")
	if err != nil || len(lines) < 9 || len(lines[0]) != 6 {
		return
	}
	start, err := time.Parse("20060102", lines[6])
	days, errDays := strconv.Atoi(lines[7])
	limit, errLimit := strconv.Atoi(lines[8])
	if err != nil || errDays != nil || errLimit != nil || days < 0 || days > 100_000 {
		return
	}
	l.Customer, l.Type, l.Limit = printable(lines[3]), customerTypes[lines[2]], limit
	l.ExpiresAt = start.AddDate(0, 0, days)
}

// learnFile reads a v4 file: a certificate.
func learnFile(l *ecp.License, text string) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return
	}
	l.Customer, l.ExpiresAt = printable(c.Subject.CommonName), c.NotAfter.UTC()
}

// printable cuts what somebody else wrote to what can be shown.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\ufffd' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if r := []rune(s); len(r) > ecp.MaxName {
		s = string(r[:ecp.MaxName])
	}
	return s
}
