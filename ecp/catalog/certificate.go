package catalog

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
)

func (c *Catalog) certificates() *Entries[ecp.Certificate] {
	return &Entries[ecp.Certificate]{
		c: c, kind: ecp.KindCertificate, what: "certificate", id: "name", read: ecp.RightAdmin, secret: "key",
		key: func(e ecp.Certificate) string { return e.Name },
		rev: func(e *ecp.Certificate) *int64 { return &e.Revision },
		set: func(e *ecp.Certificate, set bool) { e.KeySet = set },
		check: func(p *fault.Fields, e *ecp.Certificate) {
			validateSlug(p, "name", e.Name)
			learnChain(p, e, c.now())
			if !e.KeySet {
				p.Add("key", "is missing")
			}
		},
		prepare: func(_ *change.Tx, old, e *ecp.Certificate) error {
			if old != nil {
				e.KeySet, e.KeySHA256 = old.KeySet, old.KeySHA256
			}
			return nil
		},
		learn: learnPrivateKey,
		uses: func(tx ecp.Tx, e ecp.Certificate) ([]change.Use, error) {
			u, err := ClustersThat(tx, func(r ecp.ClusterRecord) bool { return r.UsesCertificate(e.Name) })
			return []change.Use{u}, err
		},
		changed: func(ctx context.Context, name string, _ *ecp.Secret, err error) {
			if err == nil && c.hooks.CertificateChanged != nil {
				c.hooks.CertificateChanged(ctx, name)
			}
		},
	}
}

// MayServe adds why clusters cannot be given a certificate: there is none of that name, or
// it has ended. An empty name stands for EMQX's own.
func (c *Catalog) MayServe(tx ecp.Tx, p *fault.Fields, name string) error {
	if name == "" {
		return nil
	}
	e, _, err := ecp.Get[ecp.Certificate](tx, name)
	switch {
	case errors.Is(err, ecp.ErrNotFound):
		p.Add("spec.network.certificate", "there is no certificate %q in the catalog", name)
		return nil
	case err == nil && c.now().After(e.NotAfter):
		p.Add("spec.network.certificate", "the certificate %q ended on %s; replace it first", name,
			e.NotAfter.Format(time.DateOnly))
	}
	return err
}

// CertificateInfo is a certificate with the clusters that use it.
type CertificateInfo struct {
	ecp.Certificate
	Clusters []ecp.ID `json:"clusters"`
}

// CertificateInfos lists the certificates with the clusters that use them.
func (c *Catalog) CertificateInfos(ctx context.Context) ([]CertificateInfo, error) {
	all, err := c.Certificates.List(ctx)
	if err != nil {
		return nil, err
	}
	users := make([][]ecp.ID, len(all))
	err = c.store.Read(ctx, func(tx ecp.Tx) error {
		for r, err := range ecp.List[ecp.ClusterRecord](tx, ecp.Query{}) {
			if err != nil {
				return err
			}
			for i, e := range all {
				if r.UsesCertificate(e.Name) {
					users[i] = append(users[i], r.ID)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fault.Wrap("list certificates", err)
	}
	out := make([]CertificateInfo, len(all))
	for i, e := range all {
		slices.SortFunc(users[i], func(a, b ecp.ID) int { return strings.Compare(string(a), string(b)) })
		out[i] = CertificateInfo{e, append([]ecp.ID{}, users[i]...)}
	}
	return out, nil
}

// CertificateInfo returns a certificate with the clusters that use it.
func (c *Catalog) CertificateInfo(ctx context.Context, name string) (CertificateInfo, error) {
	if e, err := c.Certificates.Get(ctx, name); err != nil {
		return CertificateInfo{e, nil}, err
	}
	all, err := c.CertificateInfos(ctx)
	i := slices.IndexFunc(all, func(e CertificateInfo) bool { return e.Name == name })
	if err == nil && i < 0 {
		err = fault.Wrap("read certificate "+name, fault.NotFound("certificate", name, ecp.ErrNotFound))
	}
	if err != nil {
		return CertificateInfo{}, err
	}
	return all[i], nil
}
