package ecp

import (
	"regexp"
	"strconv"
)

var quantityForm = regexp.MustCompile(`^([0-9]{1,15})(\.[0-9]{1,9})?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$`)

// quantityUnits are Kubernetes' suffixes.
var quantityUnits = map[string]float64{
	"": 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
	"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "Pi": 1 << 50,
}

// ParseQuantity reads a Kubernetes quantity, without exponents.
func ParseQuantity(s string) (float64, bool) {
	parts := quantityForm.FindStringSubmatch(s)
	if parts == nil {
		return 0, false
	}
	n, err := strconv.ParseFloat(parts[1]+parts[2], 64)
	return n * quantityUnits[parts[3]], err == nil
}

// Registry is a place images are pulled from that wants a password.
type Registry struct {
	Name        string `json:"name"` // slug; never changes
	Host        string `json:"host"` // with port, as in image references; one registry for each
	User        string `json:"user"`
	PasswordSet bool   `json:"passwordSet"`
	Revision    int64  `json:"revision"` // grows with every change; the ETag
}

// Describe gives kind, key and index: hosts are unique.
func (r Registry) Describe() (Kind, string, Index) { return KindRegistry, r.Name, Index{Name: r.Host} }

// Copy gives r itself: it holds no reference.
func (r Registry) Copy() Payload { return r }
