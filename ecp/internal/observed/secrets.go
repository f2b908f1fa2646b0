package observed

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/setting"
)

// SettingBinding is what a sealed setting belongs to: it opens nowhere else.
func SettingBinding(id ecp.ID, key string) string {
	return string(ecp.KindCluster) + "/" + string(id) + "/" + key
}

// OpenSetting returns the value of a setting of a cluster.
func (m *Clusters) OpenSetting(id ecp.ID, key, value string) (string, error) {
	sealed, is := strings.CutPrefix(value, setting.SealedPrefix)
	if !is {
		return value, nil
	}
	if m.Sealer == nil {
		return "", ecp.NewError(ecp.CodeUnavailable, "open setting",
			fmt.Sprintf("the setting %s is encrypted, and no key is configured", key))
	}
	b, err := m.Sealer.Open(sealed, SettingBinding(id, key))
	if err != nil {
		return "", &ecp.Error{Code: ecp.CodeOf(err), Op: "open setting",
			Message: fmt.Sprintf("the setting %s cannot be read: %s", key, ecp.MessageOf(err)), Cause: err}
	}
	return string(b), nil
}

// OpenSettings returns the settings of a cluster as EMQX gets them.
func (m *Clusters) OpenSettings(id ecp.ID, config map[string]string) (map[string]string, error) {
	if config == nil {
		return nil, nil //nolint:nilnil // no settings are no settings
	}
	out := make(map[string]string, len(config))
	for key, value := range config {
		var err error
		if out[key], err = m.OpenSetting(id, key, value); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// AddSecrets opens what a cluster was given of registries, licenses and certificates.
func (m *Clusters) AddSecrets(ctx context.Context, rec ecp.ClusterRecord, d *ecp.Desired) error {
	var err error
	if d.Spec.Config, err = m.OpenSettings(rec.ID, d.Spec.Config); err != nil {
		return err
	}
	if d.RunTimeConfig, err = m.OpenSettings(rec.ID, d.RunTimeConfig); err != nil {
		return err
	}
	certificate := d.Spec.Network.Certificate
	if rec.Resolved.Registry == "" && rec.Resolved.License == "" && certificate == "" {
		return nil
	}
	return m.Store.Read(ctx, func(tx ecp.Tx) error {
		if certificate != "" {
			if d.Certificate, err = m.openCertificate(tx, certificate); err != nil {
				return err
			}
		}
		r, _, err := ecp.Get[ecp.Registry](tx, rec.Resolved.Registry)
		if err == nil {
			d.Pull = ecp.PullCredentials{Host: r.Host, User: r.User}
			d.Pull.Password, err = m.Catalog.Registries.Secret(tx, r.Name)
		}
		if err != nil && !errors.Is(err, ecp.ErrNotFound) {
			return err
		}
		if rec.Resolved.License == "" {
			return nil
		}
		d.License, err = m.Catalog.Licenses.Secret(tx, rec.Resolved.License)
		return err
	})
}

// openCertificate returns a certificate with its key. Where it is not there nothing is
// applied: nodes would be made to wait for it.
func (m *Clusters) openCertificate(tx ecp.Tx, name string) (ecp.ServedCertificate, error) {
	e, err := m.Catalog.Certificates.Find(tx, name)
	if err != nil {
		return ecp.ServedCertificate{}, err
	}
	key, err := m.Catalog.Certificates.Secret(tx, name)
	return ecp.ServedCertificate{Chain: e.Chain, Key: key}, err
}
