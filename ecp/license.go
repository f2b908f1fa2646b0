package ecp

import (
	"context"
	"time"
)

// LicenseManager is a Broker whose licence can be read and replaced, for the
// whole cluster.
type LicenseManager interface {
	// License says what is loaded. No broker gives the key itself back.
	License(ctx context.Context) (BrokerLicense, error)
	// SetLicense loads a key (5.x) or a licence file's text (4.x) and gives what
	// is loaded then. A key that is refused changes nothing: invalid.
	SetLicense(ctx context.Context, c LicenseChange) (BrokerLicense, error)
	// LicenseSettings gives what is set beside the licence.
	LicenseSettings(ctx context.Context) (LicenseSettings, error)
	// SetLicenseSettings changes what is not zero in s and gives all of them.
	SetLicenseSettings(ctx context.Context, s LicenseSettings) (LicenseSettings, error)
}

// LicenseChange is a licence to load.
type LicenseChange struct {
	// Key is the key or the file's text; "default" is the licence that EMQX
	// comes with (5.x). It is a secret.
	Key string
	// Replace lets it take the place of a licence that somebody has loaded.
	// Without it only the one EMQX comes with is replaced, else the error is a
	// conflict: a key that was loaded cannot be read back, so that whoever
	// loaded it could not restore it.
	Replace bool
}

// BrokerLicense is a license as a broker tells it.
type BrokerLicense struct {
	Customer     string    `json:"customer"`
	Email        string    `json:"email,omitempty"`
	Type         string    `json:"type"`            // "trial", "official", "community"; "" = not told
	CustomerType int       `json:"customerType"`    // 3 = business critical, 10 = evaluation; -1 = not told
	Limit        int       `json:"limit,omitempty"` // connections or sessions in force; 0 = not told
	From         time.Time `json:"from,omitzero"`
	Until        time.Time `json:"until,omitzero"` // UTC; zero = not told
	Expired      bool      `json:"expired"`
	// BuiltIn says that it is the one EMQX comes with.
	BuiltIn bool `json:"builtIn"`
	// SingleNode says that it allows no second node.
	SingleNode bool `json:"singleNode"`
}

// LicenseSettings are the shares of the limit at which the alarm
// license_quota rises and clears, 0 to 1; zero = not told, or not to be set.
type LicenseSettings struct {
	HighWatermark float64 `json:"highWatermark,omitempty"`
	LowWatermark  float64 `json:"lowWatermark,omitempty"`
}
