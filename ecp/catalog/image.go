package catalog

import (
	"regexp"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
)

var (
	slugForm      = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$`)
	sizeNameForm  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
	referenceForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?$`)
)

func validateSlug(p *fault.Fields, field, value string) {
	if !slugForm.MatchString(value) {
		p.Add(field, `is not of 1 to 63 lower-case letters, digits, "-" and ".", with a letter or digit at both ends`)
	}
}

// markImage notes whether the version of an image is unverified.
func markImage(i *ecp.Image) {
	v, _ := ecp.ParseVersion(i.Version)
	i.Unverified = v.Unverified()
}

func (c *Catalog) images() *Entries[ecp.Image] {
	return &Entries[ecp.Image]{
		c:    c,
		kind: ecp.KindImage,
		what: "image",
		id:   "id",
		read: ecp.RightCatalog,
		key:  func(i ecp.Image) string { return i.ID },
		rev:  func(i *ecp.Image) *int64 { return &i.Revision },
		dflt: func(i *ecp.Image) *bool { return &i.Default },
		check: func(p *fault.Fields, i *ecp.Image) {
			validateSlug(p, "id", i.ID)
			if len(i.Reference) > 255 || !referenceForm.MatchString(i.Reference) {
				p.Add("reference", `is not what Kubernetes can pull, such as "registry.example.com/emqx/emqx-enterprise:5.8.9"`)
			}
			if why := wrongImageVersion(i.Version, i.Reference); why != "" {
				p.Add("version", "%s", why)
			}
			validateArchitectures(p, i.Architectures)
			markImage(i)
			if i.Unverified && i.Default {
				p.Add("default", "is for images that OpenECP was run on: EMQX %s is unverified, name this image where "+
					"it is wanted", i.Version)
			}
		},
		noDefault: func(i ecp.Image) bool { return i.Unverified },
		uses: func(tx ecp.Tx, i ecp.Image) ([]change.Use, error) {
			u, err := ClustersThat(tx,
				func(r ecp.ClusterRecord) bool { return r.Spec.Hosted != nil && r.Spec.Hosted.Image == i.ID })
			return []change.Use{u}, err
		},
	}
}
