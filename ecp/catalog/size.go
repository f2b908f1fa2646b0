package catalog

import (
	"math"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/validate"
)

func (c *Catalog) sizes() *Entries[ecp.Size] {
	return &Entries[ecp.Size]{
		c:    c,
		kind: ecp.KindSize,
		what: "size",
		id:   "name",
		read: ecp.RightCatalog,
		key:  func(s ecp.Size) string { return s.Name },
		rev:  func(s *ecp.Size) *int64 { return &s.Revision },
		dflt: func(s *ecp.Size) *bool { return &s.Default },
		check: func(p *fault.Fields, s *ecp.Size) {
			if !sizeNameForm.MatchString(s.Name) {
				p.Add("name", `is not of 1 to 63 letters, digits, "-", "_" and "."`)
			}
			validateResource(p, "cpu", s.CPU)
			validateResource(p, "memory", s.Memory)
			validateBytes(p, "memory.request", s.Memory.Request, 1)
			validateBytes(p, "memory.limit", s.Memory.Limit, leastMemory)
			if q, ok := ecp.ParseQuantity(s.Storage.Size); !ok || q <= 0 {
				p.Add("storage.size", `is %q; a quantity such as "10Gi" is wanted`, s.Storage.Size)
			}
			validateBytes(p, "storage.size", s.Storage.Size, leastStorage)
			if s.Storage.Class != "" && !validate.IsDNSSubdomain(s.Storage.Class) {
				p.Add("storage.class", "is %q, which is not the name of a storage class", s.Storage.Class)
			}
		},
		uses: func(tx ecp.Tx, s ecp.Size) ([]change.Use, error) {
			u, err := ClustersThat(tx, func(r ecp.ClusterRecord) bool {
				h := r.Spec.Hosted
				return h != nil && (h.Size == s.Name || h.Replicants.Size == s.Name)
			})
			return []change.Use{u}, err
		},
	}
}

func validateResource(p *fault.Fields, field string, r ecp.Resource) {
	request, ok := ecp.ParseQuantity(r.Request)
	if !ok || request <= 0 {
		p.Add(field+".request", `is %q; a quantity above 0 is wanted, such as "500m" or "4Gi"`, r.Request)
	}
	limit, fine := ecp.ParseQuantity(r.Limit)
	if !fine || limit <= 0 {
		p.Add(field+".limit", `is %q; a quantity above 0 is wanted, such as "500m" or "4Gi"`, r.Limit)
	}
	if ok && fine && limit < request {
		p.Add(field+".limit", "is less than the request")
	}
}

// The least that EMQX starts with, in bytes: below it the kernel ends the
// process while it boots, or its database does not fit. What a load takes is
// much more.
const (
	leastMemory  = 256 << 20
	leastStorage = 64 << 20
)

// validateBytes refuses an amount that is no whole number of bytes, which is
// always a slip of the unit ("512m" is half a byte), and one that is less than
// the least. What is no quantity has been refused before.
func validateBytes(p *fault.Fields, field, amount string, least float64) {
	q, ok := ecp.ParseQuantity(amount)
	switch {
	case !ok || q <= 0:
	case strings.HasSuffix(amount, "m"):
		p.Add(field, `is %q, which is thousandths of a byte; Mi and M are the units of megabytes, e.g. "512Mi"`, amount)
	case q < least || q != math.Trunc(q):
		p.Add(field, `is %q; whole bytes are wanted, at least %.0f: EMQX does not start with less`, amount, least)
	}
}
