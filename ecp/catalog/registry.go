package catalog

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// dockerHub is the host of references that name none.
const dockerHub = "docker.io"

var hostForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$`)

func (c *Catalog) registries() *Entries[ecp.Registry] {
	return &Entries[ecp.Registry]{
		c:    c,
		kind: ecp.KindRegistry, what: "registry", id: "name", read: ecp.RightAdmin, secret: "password",
		key: func(r ecp.Registry) string { return r.Name }, rev: func(r *ecp.Registry) *int64 { return &r.Revision },
		set: func(r *ecp.Registry, set bool) { r.PasswordSet = set },
		check: func(p *fault.Fields, r *ecp.Registry) {
			validateSlug(p, "name", r.Name)
			if len(r.Host) > 253 || !hostForm.MatchString(r.Host) {
				p.Add("host", `is %q; a host with or without port is wanted, such as "registry.example.com:5000"`, r.Host)
			}
			if r.User == "" || len(r.User) > 255 || strings.ContainsAny(r.User, ":\n\r\x00") {
				p.Add("user", "is missing, too long, or has a colon or a line break")
			}
		},
		prepare: func(w *change.Tx, old, r *ecp.Registry) error {
			if old != nil {
				r.PasswordSet = old.PasswordSet
			}
			for other, err := range ecp.List[ecp.Registry](w.Tx, ecp.Query{}) {
				if err != nil {
					return err
				}
				if other.Host == r.Host && other.Name != r.Name {
					return &ecp.Error{Code: ecp.CodeExists, Message: "the host is taken", Fields: []ecp.FieldError{{
						Field:   "host",
						Message: fmt.Sprintf("the registry %q is that of this host already", other.Name),
					}}}
				}
			}
			return nil
		},
		uses: func(tx ecp.Tx, r ecp.Registry) ([]change.Use, error) {
			clusters, err := ClustersThat(tx, func(c ecp.ClusterRecord) bool { return c.Resolved.Registry == r.Name })
			if err != nil {
				return nil, err
			}
			of, err := change.UsesOf(tx, "image", ecp.Query{},
				func(i ecp.Image) (string, bool) { return i.ID, imageHost(i) == r.Host })
			return []change.Use{of, clusters}, err
		},
		changed: func(ctx context.Context, name string, _ *ecp.Secret, err error) {
			if err == nil && c.hooks.RegistryChanged != nil {
				c.hooks.RegistryChanged(ctx, name)
			}
		},
	}
}

// imageHost is the registry an image is pulled from.
func imageHost(i ecp.Image) string {
	host, _, ok := strings.Cut(i.Reference, "/")
	if !ok || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return dockerHub
	}
	return host
}

// RegistryOf returns the name of the registry that an image is pulled from. It is empty
// where none of the catalog is of the image's host.
func RegistryOf(tx ecp.Tx, i ecp.Image) (string, error) {
	for r, err := range ecp.List[ecp.Registry](tx, ecp.Query{}) {
		if err != nil {
			return "", err
		}
		if r.Host == imageHost(i) {
			return r.Name, nil
		}
	}
	return "", nil
}
