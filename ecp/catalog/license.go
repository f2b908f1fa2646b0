package catalog

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
)

func (c *Catalog) licenses() *Entries[ecp.License] {
	return &Entries[ecp.License]{
		c:      c,
		kind:   ecp.KindLicense,
		what:   "license",
		id:     "name",
		read:   ecp.RightAdmin,
		secret: "content",
		key:    func(l ecp.License) string { return l.Name },
		rev:    func(l *ecp.License) *int64 { return &l.Revision },
		dflt:   func(l *ecp.License) *bool { return &l.Default },
		group:  func(l ecp.License) string { return string(l.Format) },
		set:    func(l *ecp.License, set bool) { l.ContentSet = set },
		check: func(p *fault.Fields, l *ecp.License) {
			validateSlug(p, "name", l.Name)
			if l.Format != ecp.LicenseV4 && l.Format != ecp.LicenseV5 {
				p.Add("format", `is %q; "v4" and "v5" are allowed`, l.Format)
			}
		},
		prepare: func(_ *change.Tx, old, l *ecp.License) error {
			if old == nil {
				if !l.ContentSet {
					return &ecp.Error{
						Code:    ecp.CodeInvalid,
						Message: "the request is not valid",
						Fields:  []ecp.FieldError{{Field: "content", Message: "is missing"}},
					}
				}
				return nil
			}
			if l.Format != old.Format {
				return &ecp.Error{
					Code:    ecp.CodeInvalid,
					Message: "the request is not valid",
					Fields:  []ecp.FieldError{{Field: "format", Message: "is fixed; add another license instead"}},
				}
			}
			l.ContentSet, l.Customer, l.Type = old.ContentSet, old.Customer, old.Type
			l.Limit, l.ExpiresAt = old.Limit, old.ExpiresAt
			return nil
		},
		learn: learnLicense,
		uses: func(tx ecp.Tx, l ecp.License) ([]change.Use, error) {
			u, err := ClustersThat(tx, func(r ecp.ClusterRecord) bool { return r.Resolved.License == l.Name })
			return []change.Use{u}, err
		},
		try: func(ctx context.Context, verb, _ string, l ecp.License, content *ecp.Secret) (func(), error) {
			if verb != "update" || content == nil || c.hooks.TryLicense == nil {
				return func() {}, nil
			}
			return c.hooks.TryLicense(ctx, l, *content)
		},
		changed: func(ctx context.Context, name string, content *ecp.Secret, err error) {
			if err == nil && content != nil && c.hooks.LicenseChanged != nil {
				c.hooks.LicenseChanged(ctx, name)
			}
		},
	}
}

// LicenseFor returns the name of the license that a new cluster gets: the default one of
// its image's major version. It is empty where there is none, and EMQX runs with the one
// that it brings along.
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
	"0":  "small",
	"1":  "medium",
	"2":  "large",
	"3":  "business-critical",
	"4":  "byoc",
	"5":  "education",
	"10": "evaluation",
	"11": "developer",
}

// CheckLicense returns what is wrong with the content of a license as far as that can be
// said without EMQX.
func CheckLicense(format ecp.LicenseFormat, content ecp.Secret) error {
	var wrong fault.Fields
	learnLicense(&wrong, &ecp.License{Format: format}, content)
	return wrong.Err("")
}

// learnLicense reads what a license says of itself, and refuses what has the form of none. What
// it does not say in a form known here stays unknown: EMQX decides whether it is valid.
func learnLicense(p *fault.Fields, l *ecp.License, content ecp.Secret) {
	l.Customer, l.Type, l.Limit, l.ExpiresAt = "", "", 0, time.Time{}
	text := strings.TrimSpace(string(content))
	switch {
	case text == "":
		p.Add("content", "is missing")
	case strings.ContainsRune(text, 0):
		p.Add("content", "is not text")
	case l.Format == ecp.LicenseV5 && strings.ContainsAny(text, " \n\r\t"):
		p.Add("content", "is not a key: it has spaces or line breaks")
	case l.Format == ecp.LicenseV5 && !isKey(text):
		p.Add("content", `is no key: those of EMQX are base64 with a dot in it, or the word "default" or "evaluation"`)
	case l.Format == ecp.LicenseV5:
		learnKey(l, text)
	case l.Format == ecp.LicenseV4 && (!strings.Contains(text, "-----BEGIN ") || !strings.Contains(text, "-----END ")):
		p.Add("content", "is no license file of EMQX 4: it has no block that begins with -----BEGIN")
	default:
		learnFile(l, text)
	}
}

// learnKey reads what a v5 key says.
func learnKey(l *ecp.License, key string) {
	if k, ok := readKey(key); ok && k.word == "" {
		l.Customer, l.Type, l.Limit, l.ExpiresAt = printable(k.name), customerTypes[k.customer], k.limit, k.expires
	}
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
