package ecp

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strconv"
	"strings"
	"time"
)

// LicenceFormat is which EMQX a licence is for.
type LicenceFormat string

// The formats.
const (
	LicenceV4 LicenceFormat = "v4" // the text of a licence file
	LicenceV5 LicenceFormat = "v5" // a key
)

// Licence is an EMQX licence. Its content is stored encrypted; what is shown of
// it is what could be read from it.
type Licence struct {
	Name       string        `json:"name"` // slug; never changes
	Format     LicenceFormat `json:"format"`
	Default    bool          `json:"default"`            // taken for new clusters; one for each format
	ContentSet bool          `json:"contentSet"`         //
	Customer   string        `json:"customer,omitempty"` // "" = not known
	Type       string        `json:"type,omitempty"`     // EMQX' customer type in words; "" = not known
	Limit      int           `json:"limit,omitempty"`    // connections or sessions it allows; 0 = not known
	ExpiresAt  time.Time     `json:"expiresAt,omitzero"` // zero = not known
	Revision   int64         `json:"revision"`           // grows with every change; the ETag
}

// Describe gives kind, key and index.
func (l Licence) Describe() (Kind, string, Index) { return KindLicence, l.Name, Index{} }

// Copy gives l itself: it holds no reference.
func (l Licence) Copy() Payload { return l }

var licences = &shelf[Licence]{
	kind: KindLicence, what: "licence", id: "name", read: RightAdmin, secret: "content",
	key: func(l Licence) string { return l.Name }, rev: func(l *Licence) *int64 { return &l.Revision },
	dflt: func(l *Licence) *bool { return &l.Default }, pile: func(l Licence) string { return string(l.Format) },
	set: func(l *Licence, set bool) { l.ContentSet = set },
	check: func(p *problems, l *Licence) {
		validateSlug(p, "name", l.Name)
		if l.Format != LicenceV4 && l.Format != LicenceV5 {
			p.add("format", `is %q; "v4" and "v5" are allowed`, l.Format)
		}
	},
	prepare: func(_ *work, old, l *Licence) error {
		if old == nil {
			if !l.ContentSet {
				return &Error{Code: CodeInvalid, Message: "the request is not valid", Fields: []FieldError{{"content", "is missing"}}}
			}
			return nil
		}
		if l.Format != old.Format {
			return &Error{Code: CodeInvalid, Message: "the request is not valid", Fields: []FieldError{{"format", "is fixed; add another licence instead"}}}
		}
		l.ContentSet, l.Customer, l.Type, l.Limit, l.ExpiresAt = old.ContentSet, old.Customer, old.Type, old.Limit, old.ExpiresAt
		return nil
	},
	learn: learnLicence,
	uses: func(tx Tx, l Licence) ([]use, error) {
		u, err := clustersThat(tx, func(r ClusterRecord) bool { return r.Resolved.Licence == l.Name })
		return []use{u}, err
	},
}

// Licences lists the EMQX licences; their contents are not shown.
func (c *Catalog) Licences(ctx context.Context) ([]Licence, error) { return licences.list(ctx, c) }

// Licence gives an EMQX licence by its name; its content is not shown.
func (c *Catalog) Licence(ctx context.Context, name string) (Licence, error) {
	return licences.get(ctx, c, name)
}

// CreateLicence adds an EMQX licence: the text of a file (v4) or a key (v5),
// stored encrypted. What can be read from it fills l.
func (c *Catalog) CreateLicence(ctx context.Context, l Licence, content Secret) (Licence, error) {
	return licences.create(ctx, c, l, content)
}

// UpdateLicence replaces an EMQX licence; its revision is the one that was
// read, 0 = whatever. content nil = it stays. One of the running clusters that use
// it is given the new content first: where its EMQX refuses it, the error is
// invalid, has EMQX' words, and nothing has changed. Then the others and their
// platforms get it at once.
func (c *Catalog) UpdateLicence(ctx context.Context, l Licence, content *Secret) (Licence, error) {
	undo := func() {}
	if content != nil && c.hooks.TryLicense != nil {
		var err error
		if undo, err = c.hooks.TryLicense(ctx, l, *content); err != nil {
			return Licence{}, err
		}
	}
	out, err := licences.update(ctx, c, l, content)
	if err != nil {
		undo()
		return out, err
	}
	if content != nil && c.hooks.LicenceChanged != nil {
		c.hooks.LicenceChanged(ctx, l.Name)
	}
	return out, nil
}

// DeleteLicence removes an EMQX licence that no cluster uses. The default goes
// last.
func (c *Catalog) DeleteLicence(ctx context.Context, name string, ifRevision int64) error {
	return licences.delete(ctx, c, name, ifRevision)
}

// licenceFor finds the licence a new cluster gets; "" = none: EMQX runs with
// the one it brings along.
func licenceFor(tx Tx, i Image) (string, error) {
	format := LicenceV5
	if v, ok := ParseVersion(i.Version); ok && v.Major == 4 {
		format = LicenceV4
	}
	for l, err := range List[Licence](tx, Query{}) {
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

// learnLicence reads what a licence says of itself. What it does not say in a
// form known here stays unknown: EMQX decides whether it is valid.
func learnLicence(p *problems, l *Licence, content Secret) {
	l.Customer, l.Type, l.Limit, l.ExpiresAt = "", "", 0, time.Time{}
	text := strings.TrimSpace(string(content))
	switch {
	case text == "":
		p.add("content", "is missing")
	case strings.ContainsRune(text, 0):
		p.add("content", "is not text")
	case l.Format == LicenceV5 && strings.ContainsAny(text, " \n\r\t"):
		p.add("content", "is not a key: it has spaces or line breaks")
	case l.Format == LicenceV5:
		learnKey(l, text)
	default:
		learnFile(l, text)
	}
}

// learnKey reads a v5 key: base64 of lines, a dot, and a signature.
func learnKey(l *Licence, key string) {
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
func learnFile(l *Licence, text string) {
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
	if r := []rune(s); len(r) > MaxName {
		s = string(r[:MaxName])
	}
	return s
}
