package ecp

import (
	"time"
)

// LicenseFormat is which EMQX a licence is for.
type LicenseFormat string

// The formats.
const (
	LicenseV4 LicenseFormat = "v4" // the text of a licence file
	LicenseV5 LicenseFormat = "v5" // a key
)

// License is an EMQX licence. Its content is stored encrypted; what is shown of
// it is what could be read from it.
type License struct {
	Name       string        `json:"name"` // slug; never changes
	Format     LicenseFormat `json:"format"`
	Default    bool          `json:"default"`            // taken for new clusters; one for each format
	ContentSet bool          `json:"contentSet"`         //
	Customer   string        `json:"customer,omitempty"` // "" = not known
	Type       string        `json:"type,omitempty"`     // EMQX' customer type in words; "" = not known
	Limit      int           `json:"limit,omitempty"`    // connections or sessions it allows; 0 = not known
	ExpiresAt  time.Time     `json:"expiresAt,omitzero"` // zero = not known
	Revision   int64         `json:"revision"`           // grows with every change; the ETag
}

// Describe gives kind, key and index.
func (l License) Describe() (Kind, string, Index) { return KindLicense, l.Name, Index{} }

// Copy gives l itself: it holds no reference.
func (l License) Copy() Payload { return l }
